"""What is kept of calls and changes to look at, and what of many successes is written."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from proxy.core.events import BreakerChanged, ConfigRead, RequestRefused, RetryDenied, RetryScheduled, WouldRefuse
from tests.support.ended import make_ended
from tests.support.pipe import Pipe, Sampling, Settings


def seen(pipe: Pipe) -> tuple[list[Any], list[Any]]:
    """Return the calls and the changes that were kept."""
    kept = (pipe.recent.calls.since(0, 1000), pipe.recent.changes.since(0, 1000))
    return [orjson.loads(line)["status"] for line in kept[0]], [orjson.loads(line)["event"] for line in kept[1]]


@pytest.mark.parametrize(("form", "level"), [("json", "debug"), ("json", "error"), ("console", "error")])
def test_recent_calls_and_changes_are_kept_as_json_whatever_is_written(
    make_pipe: Callable[..., Pipe], form: str, level: str
) -> None:
    pipe = make_pipe(format=form, level=level)
    for event in (make_ended(200), ConfigRead("loaded"), make_ended(503)):
        pipe.log.emit(event)
    assert seen(pipe) == ([200, 503], ["config_read"])
    pipe.log.flush()
    assert b"".join(pipe.batches).count(b"\n") == (3 if level == "debug" else 0)


def test_what_comes_with_every_call_pushes_no_change_of_state_out(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe(level="debug")
    rare = BreakerChanged("stripe", "closed", "open", "failures", 5.0)
    often = RetryScheduled("stripe", "503", 2, 0.1), RetryDenied("stripe", "budget"), RequestRefused("bad_request", 400)
    for event in (rare, *often, WouldRefuse("stripe", "breaker", "circuit_open")):
        pipe.log.emit(event)
    assert seen(pipe) == ([], ["breaker_changed"])
    assert pipe.raw().count(b"\n") == 5


def test_without_places_for_them_no_calls_are_kept(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe(level="error")
    pipe.recent.resize(0)
    pipe.log.configure(pipe.settings, {})
    pipe.log.emit(make_ended(200))
    assert pipe.recent.calls.total == 0


def test_of_many_successes_the_first_of_a_second_and_then_every_so_many_are_written(
    make_pipe: Callable[..., Pipe],
) -> None:
    pipe = make_pipe(sample=Sampling(first=2, every=4))
    for _ in range(10):
        pipe.log.emit(make_ended(200))
    assert [line.get("sampled") for line in pipe.lines()] == [None, None, 4, 4]
    assert pipe.log.sampled == 6
    assert pipe.recent.calls.total == 10


def test_warnings_errors_and_changes_are_never_sampled(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe(sample=Sampling(first=0, every=1000))
    for _ in range(3):
        for event in (
            make_ended(200),
            make_ended(500),
            make_ended(200, error="connection_dropped"),
            ConfigRead("loaded"),
        ):
            pipe.log.emit(event)
    assert [line["level"] for line in pipe.lines()] == ["warning", "error", "info"] * 3
    assert pipe.log.sampled == 3


def test_sampling_begins_and_ends_with_the_configuration(make_pipe: Callable[..., Pipe]) -> None:
    pipe = make_pipe()
    pipe.log.configure(Settings(sample=Sampling(first=0, every=1000)), {})
    pipe.log.emit(make_ended(200))
    pipe.log.configure(Settings(), {})
    pipe.log.emit(make_ended(201))
    assert [line["status"] for line in pipe.lines()] == [201]
