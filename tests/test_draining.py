import asyncio
import signal
from typing import Any

import pytest

from proxy.draining import drain
from proxy.settings import Settings
from tests.support.virtual import START, run


class Doors:
    """Listeners that write down what they are told, and when; their callers leave at `empty_at`."""

    def __init__(self, empty_at: float = 0.0, *, shared: bool = False) -> None:
        self.told: list[tuple[str, float]] = []
        self._empty_at = empty_at
        self._shared = shared

    @property
    def connections(self) -> int:
        return int(self._passed() < self._empty_at)

    def begin_to_drain(self) -> None:
        self._note("begin")

    def repel(self) -> bool:
        self._note("repel")
        return self._shared

    def stop_accepting(self) -> None:
        self._note("stop")

    def close_idle(self) -> None:
        if self.told[-1][0] != "idle":
            self._note("idle")

    def _note(self, what: str) -> None:
        self.told.append((what, round(self._passed(), 1)))

    @staticmethod
    def _passed() -> float:
        return asyncio.get_running_loop().time() - START


def drained(doors: Doors, *signals: tuple[float, signal.Signals], **settings: Any) -> float:
    """Drain, with these signals after so many seconds. Returns: how long it took."""

    async def scenario() -> float:
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[signal.Signals]()
        for after_s, number in signals:
            loop.call_later(after_s, queue.put_nowait, number)
        await drain(doors, queue, Settings.model_validate(settings))
        return round(loop.time() - START, 1)

    return run(scenario())


def test_without_callers_it_is_over_at_once() -> None:
    doors = Doors()
    assert drained(doors) == 0
    assert doors.told == [("begin", 0.0), ("repel", 0.0), ("stop", 0.0)]


def test_sockets_close_after_drain_delay_and_idle_connections_a_second_after_the_beginning() -> None:
    doors = Doors(empty_at=5)
    assert drained(doors, drain_delay="300ms") == 5
    assert doors.told == [("begin", 0.0), ("repel", 0.3), ("stop", 0.3), ("idle", 1.0)]


def test_idle_connections_have_had_their_second_when_the_delay_was_longer() -> None:
    doors = Doors(empty_at=5)
    assert drained(doors, drain_delay="2s") == 5
    assert doors.told[-2:] == [("stop", 2.0), ("idle", 2.0)]


def test_on_a_shared_port_what_is_in_the_queue_is_accepted_before_the_socket_closes() -> None:
    doors = Doors(shared=True)
    assert drained(doors) == 0.1
    assert doors.told == [("begin", 0.0), ("repel", 0.0), ("stop", 0.1)]


def test_callers_who_do_not_leave_are_waited_for_until_drain_timeout() -> None:
    assert drained(Doors(empty_at=100), drain_delay="1s", drain_timeout="7s") == 8


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_and_a_reload_does_not(again: signal.Signals) -> None:
    assert drained(Doors(empty_at=100), (1.0, signal.SIGHUP), (3.0, again)) == 3
    assert drained(Doors(empty_at=100), (1.0, signal.SIGHUP), (3.0, again), drain_delay="1h") == 3
