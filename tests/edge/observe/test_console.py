import pytest

from proxy.core.events import BreakerChanged
from proxy.edge.observe.console import Console, printable
from proxy.edge.observe.lines import Lines
from tests.support.ended import make_ended


def test_a_call_is_one_short_line() -> None:
    line = Lines().of(make_ended(), 37815.123, "info")
    assert Console(coloured=False)(line) == (
        b"10:30:15.123 info    stripe GET /v1/charges 200 provider 500.0ms req-1\n"
    )


def test_a_refused_call_tells_reason_attempts_and_error() -> None:
    event = make_ended(502, source="network", reason="connect_failed", attempts=3, error="cut")
    line = Lines().of(event, 37815.123, "warning")
    assert Console(coloured=False)(line) == (
        b"10:30:15.123 warning stripe GET /v1/charges 502 network connect_failed 500.0ms attempts=3 cut req-1\n"
    )


def test_a_call_that_was_sent_again_tells_why_in_the_same_line() -> None:
    event = make_ended(503, attempts=3)
    for status in (500, 503):
        event.call.record.repeated(100.1, status, str(status), 0.05)
    event.call.record.note(100.2, "retry", "not sent again:\nno budget")
    line = Lines().of(event, 0, "warning")
    assert Console(coloured=False)(line).endswith(
        b"attempts=3 req-1 (after 500; after 503; retry: not sent again:\\nno budget)\n"
    )


def test_a_call_without_answer_shows_a_dash() -> None:
    line = Lines().of(make_ended(None), 0, "info")
    assert b" /v1/charges - provider " in Console(coloured=False)(line)


def test_a_state_change_lists_its_fields() -> None:
    line = Lines().of(BreakerChanged("stripe", "closed", "open", "ratio", 5.0), 0, "warning")
    assert Console(coloured=False)(line) == (
        b"00:00:00.000 warning breaker_changed provider=stripe old=closed new=open why=ratio until_s=5.0\n"
    )


def test_colours_are_used_only_when_asked_for() -> None:
    line = Lines().of(make_ended(), 0, "info")
    assert Console(coloured=True)(line).count(b"\x1b[") == 2
    assert b"\x1b" not in Console(coloured=False)(line)


def test_a_traceback_stands_indented_below_its_line() -> None:
    line = {"ts": "1970-01-01T00:00:00.000Z", "level": "error", "event": "log", "message": "m", "traceback": "a\n b\n"}
    assert Console(coloured=False)(line) == b"00:00:00.000 error   log message=m\n    a\n     b\n"


def test_control_characters_do_not_reach_the_terminal() -> None:
    line = {"ts": "1970-01-01T00:00:00.000Z", "level": "info", "event": "log", "message": "a\n\x1b[2Jé\u2028"}
    assert Console(coloured=False)(line).decode() == "00:00:00.000 info    log message=a\\n\\x1b[2Jé\\u2028\n"


@pytest.mark.parametrize(
    ("text", "shown"), [("é ß", "é ß"), ("a\x1b[2J", "a\\x1b[2J"), ("\u202e", "\\u202e"), ("a\nb", "a\\nb")]
)
def test_nothing_printable_moves_the_cursor(text: str, shown: str) -> None:
    assert printable(text) == shown
