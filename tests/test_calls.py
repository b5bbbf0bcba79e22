"""A call that happened is explained from its line and the configuration of now."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from proxy.calls import explained
from proxy.config import Settings, load

READ_TS = 1_790_000_000.0
AFTER = "2026-09-21T14:13:21.000Z"
BEFORE = "2026-09-21T14:13:19.000Z"
CONFIGURED = (
    "Configured: deadline 30s for the whole call; limits 5/1s; every attempt counts; waits 2s at most; "
    "timeouts connect 3.5s, answer 10s per attempt, 30s between two pieces of a body; 3 attempts at most."
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "t.yaml"
    file.write_text(
        "providers:\n"
        "  acme:\n"
        "    base_url: https://api.acme.example\n"
        "    rate_limit: {limits: [5/1s]}\n"
        "    accounts: {eu: {base_url: 'https://eu.acme.example', retry: off}}\n"
        "  mock: {}\n"
    )
    return load(file)


def line(**told: Any) -> dict[str, Any]:
    plain = {
        "ts": AFTER, "event": "call", "request_id": "r1", "provider": "acme", "method": "POST", "path": "/v1/things",
        "status": 200, "source": "provider", "reason": "", "attempts": 1, "outcome": "ok",
        "duration_ms": 100.0, "overhead_ms": 1.0, "upstream_ms": 99.0, "first_byte_ms": 99.0,
    }  # fmt: skip
    return {**plain, **told}


def told(settings: Settings, **values: Any) -> str:
    explanation = explained(orjson.dumps(line(**values)), settings, READ_TS)["explanation"]
    assert isinstance(explanation, list)
    return "\n".join(explanation)


def test_the_line_and_its_waterfall_come_with_the_explanation(settings: Settings) -> None:
    found = explained(orjson.dumps(line()), settings, READ_TS)
    assert found["call"] == line()
    assert [bar["kind"] for bar in found["waterfall"]] == ["own", "first_byte"]  # type: ignore[attr-defined] # plain JSON
    assert list(found) == ["call", "waterfall", "explanation"]


def test_a_plain_call_tells_its_way_what_was_configured_and_where_the_time_went(settings: Settings) -> None:
    assert told(settings).splitlines() == [
        "POST /v1/things was for the provider acme, at https://api.acme.example.",
        CONFIGURED,
        "The provider answered 200; the call was over after 100 ms.",
        "The answer was judged ok, by its plain status: a success.",
        "Of 100 ms: waiting for the provider 99.0 ms (99%), tidegate itself 1.00 ms (1%).",
    ]


def test_an_account_has_its_own_address_and_settings(settings: Settings) -> None:
    text = told(settings, account="eu")
    assert "for the provider acme with the account eu, at https://eu.acme.example." in text
    assert text.count("one attempt.") == 1


def test_attempts_and_notes_are_told_with_their_times(settings: Settings) -> None:
    earlier = [
        {"at_ms": 0.2, "duration_ms": 30.0, "status": 503, "cause": "503", "wait_ms": 20.0},
        {"at_ms": 50.0, "duration_ms": 10.0, "status": None, "cause": "dropped", "wait_ms": 5.0},
    ]
    notes = [{"at_ms": 90.0, "section": "retry", "text": "not sent again: attempt 3 was the last of retry.attempts"}]
    text = told(settings, attempts=3, attempt_ms=70.0, earlier=earlier, notes=notes)
    assert "Attempt 1 began at 0.20 ms, took 30.0 ms and got 503; the next one was put off by 20.0 ms." in text
    assert "Attempt 2 began at 50.0 ms, took 10.0 ms and failed (dropped);" in text
    assert "Attempt 3, the last, began at 70.0 ms." in text
    assert "At 90.0 ms, retry: not sent again: attempt 3 was the last of retry.attempts." in text


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"status": None, "outcome": "ignored"}, "The caller left after 100 ms, before there was an answer."),
        ({"error": "connection_dropped"}, "The answer was 200, and was cut short after 100 ms (connection_dropped)."),
        (
            {"status": 502, "source": "network", "reason": "connect_failed", "outcome": "failed"},
            "The network or the provider failed: the caller got 502, connect_failed, after 100 ms.",
        ),
        (
            {"status": 503, "source": "sidecar", "reason": "circuit_open", "attempts": 0, "outcome": "ignored"},
            "tidegate refused it: the caller got 503, circuit_open, after 100 ms.",
        ),
        ({"source": "sidecar", "attempts": 0}, "tidegate answered 200 itself, in the provider's place, after 100 ms."),
        ({"attempts": 0, "status": 429, "source": "sidecar", "reason": "rate_limited"}, "Nothing was sent."),
        ({"duration_ms": 12_345.0}, "The provider answered 200; the call was over after 12.35 s."),
    ],
)
def test_what_the_caller_got_is_told_with_whose_doing_it_was(
    settings: Settings, values: dict[str, Any], sentence: str
) -> None:
    assert sentence in told(settings, **values).splitlines()


def test_an_answer_that_a_rule_judged_says_so(settings: Settings) -> None:
    notes = [{"at_ms": 99.0, "section": "verdict", "text": "failed: 200 with ok = false"}]
    text = told(settings, outcome="failed", notes=notes)
    assert "At 99.0 ms, verdict: failed: 200 with ok = false." in text
    assert "judged failed, by the rule of the profile above: a failure of the provider's." in text


def test_a_configuration_that_was_read_later_is_told_of(settings: Settings) -> None:
    later = "The configuration was read again after this call"
    assert later in told(settings, ts=BEFORE)
    assert later not in told(settings, ts=AFTER)


def test_what_is_configured_no_more_is_not_guessed(settings: Settings) -> None:
    assert "which is not in the configuration any more" in told(settings, provider="gone")
    assert "with the account us, which is not in the configuration any more" in told(settings, account="us")
    assert "Configured" not in told(settings, provider="gone") + told(settings, account="us")


def test_a_request_that_led_nowhere_and_the_mock_provider_have_no_address(settings: Settings) -> None:
    nowhere = told(settings, provider="-", source="sidecar", status=404, reason="unknown_provider", attempts=0)
    assert nowhere.startswith("POST came with a path or host that leads to no provider.")
    assert "for the provider mock, at the built-in mock provider." in told(settings, provider="mock")


def test_ids_are_told_where_there_are_any(settings: Settings) -> None:
    text = told(settings, idempotency_key="key-1", sdk_attempt="2", provider_request_id="req_1", trace_id="abc")
    assert "tidegate made key-1, the same for all attempts" in text
    assert "The SDK's own count of its attempts was 2." in text
    assert "The provider calls it req_1." in text
    assert "Its trace is abc." in text
