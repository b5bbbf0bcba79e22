"""What the audit log records, and what becomes of it where it can't."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from proxy.core.errors import CircuitOpen
from proxy.core.events import Acted, CallEnded, DrainStarted, Event
from proxy.core.profile import Profile
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.edge.observe.audit import Audit
from proxy.sansio.chain import Follower, sha256
from proxy.sections import Audit as Section
from tests.support.script import make_call, make_reply

WALL = 1_800_000_000.0


def redact(data: bytes) -> bytes:
    return data.replace(b"sk_test_example", b"[secret]")


def section(path: Path, **more: object) -> Section:
    return Section.model_validate({"file": str(path), **more})


def slot(value: str | None) -> SecretSlot:
    made = SecretSlot(SecretRef("env", "AUDIT_KEY"))
    if value is not None:
        made.put(Secret(value))
    return made


def recorded(path: Path, *events: Event, profile: Profile | None = None, **more: object) -> list[dict[str, Any]]:
    """Return the records of a run that heard of these events."""
    settings = section(path, **more)
    audit = Audit(settings, redact, lambda: WALL)
    audit.configure(settings, {"acme": profile or Profile()}, ())
    for event in events:
        audit.observe(event)
    assert audit.close()
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def ended(headers: dict[str, str] | None = None, **more: Any) -> CallEnded:
    call = make_call("POST", b"/v1/charges/ch_3OqXYZ0123456789abcdefgh?key=sk_test_example", headers)
    call.request_id, call.account, call.minted_key = "req-1", "eu", "tide-1"
    call.record.attempts, call.record.request_bytes, call.record.response_bytes = 2, 10, 20
    reply = make_reply(200, {"X-Id": "prov-7", "Set-Cookie": "a=b"}, b"the body")
    return CallEnded("acme", call, reply, "provider", "", call.record.started_at + 1.0, **more)


def test_a_call_is_recorded_with_who_and_what_and_no_body_or_header(tmp_path: Path) -> None:
    event = ended({"X-Caller": "billing", "Authorization": "Bearer x"})
    began, call, end = recorded(
        tmp_path / "audit", event, profile=Profile.model_validate({"request_id": "x-id"}), caller="x-caller"
    )
    assert (began["event"], end["event"]) == ("began", "ended")
    chained = {name: call.pop(name) for name in ("seq", "prev", "hash", "run")}
    assert (chained["seq"], chained["prev"], chained["run"]) == (2, began["hash"], began["run"])
    path = call.pop("path")
    assert path.startswith("/v1/charges/")
    assert "ch_3O" not in path
    assert "sk_test" not in path
    assert call == {
        "ts": "2027-01-15T08:00:00.000Z", "event": "call", "account": "eu", "caller": "billing", "provider": "acme",
        "method": "POST", "status": 200, "source": "provider", "reason": "", "outcome": "ok", "attempts": 2,
        "request_bytes": 10, "response_bytes": 20, "request_id": "req-1", "provider_request_id": "prov-7",
        "idempotency_key": "tide-1",
    }  # fmt: skip


def test_an_action_is_recorded_with_what_is_known_of_it(tmp_path: Path) -> None:
    done = Acted("acme", "breaker.open", "done", "127.0.0.1", "eu")
    refused = Acted("", "", "refused", "10.0.0.9", problem="the token is wrong")
    records = recorded(tmp_path / "audit", done, refused)[1:3]
    kept = [
        {key: value for key, value in one.items() if key not in ("seq", "prev", "hash", "run", "ts")} for one in records
    ]
    assert kept == [
        {"event": "action", "provider": "acme", "account": "eu", "action": "breaker.open", "result": "done",
         "peer": "127.0.0.1"},
        {"event": "action", "result": "refused", "peer": "10.0.0.9", "problem": "the token is wrong"},
    ]  # fmt: skip


def test_nothing_else_is_recorded(tmp_path: Path) -> None:
    call = make_call()
    unnamed = CallEnded("-", call, make_reply(404), "sidecar", "unknown_provider", 1.0)
    records = recorded(tmp_path / "audit", unnamed, DrainStarted(1, 1.0))
    assert [one["event"] for one in records] == ["began", "ended"]


def test_a_refusal_and_a_caller_that_left_are_recorded_too(tmp_path: Path) -> None:
    call = make_call()
    refused = CallEnded("acme", call, make_reply(503), "sidecar", CircuitOpen.reason, 1.0)
    gone = CallEnded("acme", call, None, "sidecar", "caller_gone", 1.0)
    records = recorded(tmp_path / "audit", refused, gone)[1:3]
    assert [(one["status"], one["reason"]) for one in records] == [(503, "circuit_open"), (None, "caller_gone")]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("b" * 300, "b" * 128),
        ("x" * 120 + "sk_test_example", "x" * 120 + "[secret]"),
        ("a\tb\x1b[2J", "a\\tb\\x1b[2J"),
        ("sk_test_example", "[secret]"),
        ("", None),
    ],
)
def test_what_a_caller_calls_itself_is_bounded_and_made_safe(tmp_path: Path, value: str, kept: str | None) -> None:
    call = recorded(tmp_path / "audit", ended({"X-Caller": value}), caller="x-caller")[1]
    assert call.get("caller") == kept


def test_a_key_makes_it_an_hmac_and_a_new_one_takes_over_at_once(tmp_path: Path) -> None:
    path, settings = tmp_path / "audit", section(tmp_path / "audit", key="env:AUDIT_KEY")
    audit = Audit(settings, redact, lambda: WALL)
    audit.configure(settings, {}, [slot(None), slot("sk_test_old")])
    audit.observe(ended())
    assert audit.close()
    follower = Follower([Secret("sk_test_old").sign])
    for line in path.read_bytes().splitlines(keepends=True):
        follower.read(line, "audit")
    assert (follower.findings.first, follower.records) == ([], 3)
    assert b'"digest":"hmac-sha256"' in path.read_bytes()


def test_without_its_key_nothing_is_written_and_all_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = section(tmp_path / "audit", key="env:AUDIT_KEY")
    audit = Audit(settings, redact, lambda: WALL)
    key = slot(None)
    audit.configure(settings, {}, [key])
    audit.observe(ended())
    with caplog.at_level(logging.WARNING):
        assert audit.close()
    assert (audit.records, audit.dropped, (tmp_path / "audit").read_bytes()) == (0, 3, b"")
    assert [record.getMessage() for record in caplog.records] == [
        "the audit log can't be written: audit.key can't be read; records are lost until that is mended"
    ]


def test_what_was_lost_is_told_by_the_next_record_that_gets_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, settings = tmp_path / "audit", section(tmp_path / "audit")
    audit = Audit(settings, redact, lambda: WALL)
    monkeypatch.setattr(audit._writer, "_limit", 10)  # nothing fits
    audit.configure(settings, {}, ())
    for _ in range(4):
        audit.observe(ended())
    monkeypatch.setattr(audit._writer, "_limit", 1 << 20)
    audit.observe(ended())
    assert audit.close()
    first, last = (json.loads(line) for line in path.read_bytes().splitlines())
    assert (first["event"], first["lost"], last["event"], "lost" in last) == ("call", 5, "ended", False)
    assert (audit.records, audit.dropped) == (2, 5)


def test_text_that_json_has_no_way_to_write_costs_no_record(tmp_path: Path) -> None:
    records = recorded(tmp_path / "audit", ended(error="half \ud800 a pair"))
    assert records[1]["error"] == "half \\ud800 a pair"


def test_the_records_are_whole_by_the_plain_digest(tmp_path: Path) -> None:
    recorded(tmp_path / "audit", *[ended()] * 50)
    follower = Follower([sha256])
    for line in (tmp_path / "audit").read_bytes().splitlines(keepends=True):
        follower.read(line, "audit")
    follower.finish()
    assert (follower.findings.first, follower.records) == ([], 52)
