import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.terminal.client import Refused
from proxy.terminal.tail import tail
from tests.terminal.stand_in import Admin, event, serving


def call(**fields: Any) -> dict[str, Any]:
    line = {
        "ts": "2026-01-02T03:04:05.678Z", "level": "info", "event": "call", "request_id": "r1", "provider": "acme",
        "method": "GET", "path": "/v1", "status": 200, "source": "provider", "reason": "", "attempts": 1,
        "outcome": "ok", "duration_ms": 12.3,
    }  # fmt: skip
    return {**line, **fields}


def arguments(where: str, **more: Any) -> argparse.Namespace:
    plain = {"admin": where, "token": None, "config": None, "provider": None, "failed": False, "json": False}
    return argparse.Namespace(**{**plain, **more})


class Enough(Exception):
    """Ends a tail when it would wait for the next connection."""


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let waiting take no time; the third wait ends it."""
    seen: list[float] = []

    def wait(seconds: float) -> None:
        seen.append(seconds)
        if len(seen) == 3:
            raise Enough

    monkeypatch.setattr("proxy.terminal.tail.time.sleep", wait)
    return seen


def said(capsys: pytest.CaptureFixture[str], admin: Admin, **more: Any) -> tuple[list[str], list[str]]:
    """Return what it printed to standard output and to standard error, line by line."""
    with serving(admin), pytest.raises(Enough):
        tail(arguments(admin.url, **more))
    out, err = capsys.readouterr()
    return out.splitlines(), err.splitlines()


@pytest.mark.usefixtures("waits")
def test_every_call_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, Admin(events=[event("calls", [call(), call(request_id="r2", status=None)])]))
    assert out == [
        "03:04:05.678 info    acme GET /v1 200 provider 12.3ms r1",
        "03:04:05.678 info    acme GET /v1 - provider 12.3ms r2",
    ]


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(
    ("wanted", "ids"),
    [({}, "abc"), ({"provider": "acme"}, "ab"), ({"failed": True}, "bc"), ({"provider": "acme", "failed": True}, "b")],
)
def test_only_what_is_wanted_is_shown(capsys: pytest.CaptureFixture[str], wanted: dict[str, Any], ids: str) -> None:
    calls = [call(request_id="a"), call(request_id="b", outcome="failed"),
             call(request_id="c", provider="other", outcome="throttled")]  # fmt: skip
    out, _ = said(capsys, Admin(events=[event("calls", calls)]), **wanted)
    assert [line[-1] for line in out] == list(ids)


@pytest.mark.usefixtures("waits")
def test_a_process_that_comes_back_is_followed_and_no_call_shown_twice(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = event("calls", [call(request_id="a")]), [call(request_id="a"), call(request_id="b")]
    admin = Admin(events=[first, event("calls", second)])
    out, err = said(capsys, admin)
    where = f"tidegate tail: 127.0.0.1:{admin.port}"
    gone = f"{where} is gone: it has ended the stream; trying again until it is back"
    assert [line[-1] for line in out] == ["a", "b"]
    assert err == [gone, f"{where} is there again", gone, f"{where} is there again", gone]


@pytest.mark.usefixtures("waits")
def test_json_is_the_line_itself_and_letters_beyond_ascii_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    line = call(path="/ü\x9b2J\x7f\u202e")
    out, _ = said(capsys, Admin(events=[event("calls", [line])]), json=True)
    assert [json.loads(text) for text in out] == [line]
    assert out[0].isascii()
    assert out[0].isprintable()


@pytest.mark.usefixtures("waits")
def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[2J\r\x9b"
    names = ("path", "request_id", "provider", "method", "error", "reason", "ts", "source")
    strange = {"event": hostile, "ts": hostile, "level": "info", "request_id": "x"}
    calls = [call(**dict.fromkeys(names, hostile)), call(request_id="y", level=hostile), strange]
    out, _ = said(capsys, Admin(events=[event("calls", calls)]))
    assert len(out) == 3
    assert all(line.isprintable() for line in out)


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("junk", [None, 3, {}, [None, 3, []], [{}], [{"event": "call", "ts": 1}]])
def test_what_another_version_sends_ends_nothing(capsys: pytest.CaptureFixture[str], junk: Any) -> None:
    out, _ = said(capsys, Admin(events=[event("calls", junk), event("calls", [call()])]))
    assert out[-1].endswith(" r1")


def test_where_nothing_answers_it_says_so_and_ends_with_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert tail(arguments(f"unix:{tmp_path}/absent")) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"unix:{tmp_path}/absent can't be read: No such file or directory; is tidegate running" in err


def test_a_missing_token_is_an_error_at_once() -> None:
    with serving(Admin(token="at_example")) as admin, pytest.raises(Refused, match="--token"):
        tail(arguments(admin.url))
