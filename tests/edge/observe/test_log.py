import asyncio
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.core.events import ConfigRead, RetryScheduled
from proxy.core.profile import Profile
from proxy.edge.observe.log import install_logging
from tests.support.ended import make_ended
from tests.support.pipe import SECRET, Pipe
from tests.support.virtual import run


def test_events_become_lines_together_after_a_tenth_of_a_second(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe()

    async def scenario() -> list[int]:
        counts = []
        for pause in (0.0, 0.09, 0.02):
            pipe.log.emit(make_ended())
            await asyncio.sleep(pause)
            counts.append(len(pipe.batches))
        return counts

    assert run(scenario()) == [0, 0, 1]
    assert pipe.batches[0].count(b"\n") == 3
    assert [line["event"] for line in pipe.lines()] == ["call"] * 3


def test_a_full_batch_does_not_wait_for_the_clock(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe()

    async def scenario() -> None:
        for _ in range(600):
            pipe.log.emit(make_ended())
        assert [batch.count(b"\n") for batch in pipe.batches] == [256, 256]
        await asyncio.sleep(0.1)

    run(scenario())
    assert [batch.count(b"\n") for batch in pipe.batches] == [256, 256, 88]


def test_without_a_loop_an_event_is_written_at_once(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe()
    pipe.log.emit(ConfigRead("loaded"))
    assert len(pipe.batches) == 1
    assert pipe.lines()[0]["event"] == "config_read"


def test_events_below_the_level_are_left_out(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe(level="warning")
    for event in (RetryScheduled("stripe", "503", 2, 0.1), make_ended(200), make_ended(500)):
        pipe.log.emit(event)
    pipe.log.text("info", "tidegate", "started")
    assert [line["status"] for line in pipe.lines()] == [500]


def test_a_level_that_is_held_outlasts_new_settings_until_it_is_given_back(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe(level="warning")
    assert pipe.log.hold_level("debug") == "debug"
    pipe.log.configure(pipe.settings, {})
    pipe.log.emit(make_ended(200))
    assert pipe.log.hold_level(None) == "warning"
    pipe.log.emit(make_ended(201))
    assert [line["status"] for line in pipe.lines()] == [200]


def test_secrets_are_taken_out_wherever_they_stand(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe(headers=("x-shown",))
    pipe.log.emit(make_ended(error=f"bad key {SECRET}", sent=[(b"X-Shown", SECRET.encode())]))
    pipe.log.text("info", "tidegate", f"key {SECRET}", f"trace {SECRET}")
    raw = pipe.raw()
    assert SECRET.encode() not in raw
    assert raw.count(b"[secret]") == 4


def test_a_secret_at_the_cut_of_a_long_text_is_taken_out_first(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe()
    pipe.log.text("info", "tidegate", "x" * (16 * 1024 - 5) + SECRET + "y" * 100_000)
    raw = pipe.raw()
    assert b"sk_t" not in raw
    assert len(raw) < 17_000


def test_nothing_that_a_line_holds_can_end_it(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe(headers=("x-a",))
    evil = "a\r\nb\x00\x1b\u2028\u2029\udcff"
    pipe.log.emit(make_ended(error=evil, sent=[(b"X-A", b"\r\n\xff\xe2\x80\xa8")]))
    pipe.log.emit(ConfigRead("refused", (evil,)))
    pipe.log.text("error", "tidegate", evil, evil)
    raw = pipe.raw()
    assert len(raw.decode().splitlines()) == 3
    first = orjson.loads(raw.splitlines()[0])
    assert first["error"] == "a\r\nb\x00\x1b\u2028\u2029\\udcff"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(error=st.text(), target=st.binary(), value=st.binary(), method=st.text())
def test_whatever_a_call_holds_is_one_line_of_json(
    make_pipe: Callable[..., Pipe], error: str, target: bytes, value: bytes, method: str
) -> None:
    pipe = make_pipe(headers=("x-a",), query=("a",))
    pipe.log.emit(make_ended(error=error, target=target, method=method, sent=[(b"X-A", value)]))
    [line] = pipe.raw().decode().splitlines()
    assert orjson.loads(line)["event"] == "call"


def test_the_provider_id_header_is_configurable_while_running(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe()
    pipe.log.configure(pipe.settings, {"stripe": Profile(request_id="request-id")})
    pipe.log.emit(make_ended(received=[(b"Request-Id", b"req_example")]))
    assert pipe.lines()[0]["provider_request_id"] == "req_example"


def test_the_console_is_for_people_and_uncoloured_in_a_pipe(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe(format="console")
    pipe.log.emit(make_ended())
    assert pipe.raw() == b"00:00:01.500 info    stripe GET /v1/charges 200 provider 500.0ms req-1\n"


def test_a_closed_stdout_costs_lines_and_nothing_else(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe()
    os.close(pipe.source)
    pipe.source = os.open(os.devnull, os.O_RDONLY)
    for _ in range(3):
        pipe.log.emit(make_ended())
    assert pipe.log.close()
    assert pipe.log.dropped == 3


@pytest.fixture
def installed(make_pipe: Callable[..., Pipe]) -> Iterator[Pipe]:
    pipe = make_pipe()
    restore = install_logging(pipe.log)
    yield pipe
    restore()


def test_the_standard_logging_goes_through_the_same_pipe(installed: Pipe) -> None:
    logging.getLogger("asyncio").warning("slow %s", SECRET)
    logging.getLogger("asyncio").debug("below the level")
    [line] = installed.lines()
    assert line == {
        "ts": "1970-01-01T00:00:01.500Z",
        "level": "warning",
        "event": "log",
        "logger": "asyncio",
        "message": "slow [secret]",
    }


def test_a_traceback_is_one_line_without_secrets(installed: Pipe) -> None:
    try:
        int(f"key {SECRET} refused")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("failed")
    [line] = installed.lines()
    assert line["level"] == "error"
    assert line["traceback"].startswith("Traceback (most recent call last):")
    assert line["traceback"].endswith("with base 10: 'key [secret] refused'")


def test_a_log_call_with_wrong_arguments_is_still_a_line(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe()
    restore = install_logging(pipe.log)  # here and not in a fixture: pytest's own handlers would raise
    logging.getLogger("x").error("two %s %s", *[1])
    restore()
    assert pipe.lines()[0]["message"] == "two %s %s"


def test_warnings_and_uncaught_exceptions_are_lines_too(installed: Pipe) -> None:
    with warnings.catch_warnings():
        logging.captureWarnings(capture=False)  # catch_warnings has put its own function in place of the captured
        logging.captureWarnings(capture=True)
        warnings.simplefilter("always")
        warnings.warn(f"old {SECRET}", stacklevel=1)
    error = RuntimeError(SECRET)
    sys.excepthook(RuntimeError, error, None)

    def fail() -> None:
        raise error

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    lines = installed.lines()
    assert [line["logger"] for line in lines] == ["py.warnings", "tidegate", "tidegate"]
    assert [SECRET in str(line) for line in lines] == [False] * 3
    assert "RuntimeError: [secret]" in lines[2]["traceback"]


def test_taking_the_logging_back_restores_what_was_there(make_pipe: Callable[..., Pipe]) -> None:
    before = logging.getLogger().handlers[:], sys.excepthook, threading.excepthook, sys.unraisablehook
    install_logging(make_pipe().log)()
    assert (logging.getLogger().handlers[:], sys.excepthook, threading.excepthook, sys.unraisablehook) == before
