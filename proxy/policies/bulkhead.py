"""Decides how many calls to one provider may be under way, so that a slow one can't hold the whole process."""

import asyncio
from collections import deque
from typing import Final

from pydantic import Field

from proxy.core.call import Call, Handler, Reply
from proxy.core.errors import BulkheadFull
from proxy.core.events import WouldRefuse
from proxy.core.mode import Moded, ModeName
from proxy.core.runtime import Runtime
from proxy.core.units import Duration, Frozen

RETRY_AFTER_S: Final = 1.0
"""Nobody knows when a slow call ends; a second is the least that Retry-After can say."""

TICK_S: Final = 0.001
"""The grain of uvloop's clock and timers: one that fires a moment too soon must not be set again at once."""

_NO_PLACE: Final = "too many calls to this provider are in flight, and the queue behind them is full"
_NO_TIME: Final = "too many calls to this provider are in flight, and none ended while this one could wait"


class _Waiter:
    """A call in the queue. turn: ends with True when it may go, with False when its time is up."""

    __slots__ = ("turn", "until")

    def __init__(self, turn: "asyncio.Future[bool]", until: float) -> None:
        self.turn = turn
        self.until = until


class Bulkhead(Moded):
    """Bounds the calls in flight, those whose answer is still streaming included, and the queue for a place."""

    section = "bulkhead"

    class Config(Frozen):
        """in_flight: calls at once. queue: calls that may wait. max_wait: seconds in the queue. mode: `report`
        never lets a call wait; it counts those that would find no place in the queue either.
        """

        in_flight: int = Field(default=64, ge=1)  # at 200 ms a call, 320 calls a second: one core's worth
        queue: int = Field(default=64, ge=0)
        max_wait: Duration = 0.5
        mode: ModeName = "enforce"

    def __init__(self, inner: Handler, config: Config, runtime: Runtime) -> None:
        self.inner = inner
        self._places = config.in_flight
        self._queue = config.queue
        self._max_wait_s = config.max_wait
        self._now = runtime.now
        self._emit = runtime.emit
        self._would_refuse = WouldRefuse(runtime.provider, self.section, BulkheadFull.reason, runtime.account)
        self._in_flight = 0
        self._waiters: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None
        super().__init__(config.mode)

    async def __call__(self, call: Call) -> Reply:
        """Take a place, pass the call on, and give the place back when the answer has ended.

        Raises: BulkheadFull when the queue is full, or no place came free in time.
        """
        if self._in_flight < self._room:
            self._in_flight += 1
        elif self._enforce:
            await self._wait(call)
        else:
            self._emit(self._would_refuse)
            text = "no place in flight or in the queue; let through, because mode is report"
            call.record.note(self._now(), self.section, text)
            return await self.inner(call)
        streaming = False
        try:
            reply = await self.inner(call)
            if reply.stream is not None:
                reply.stream.on_end(self._release)
                streaming = True
            return reply
        finally:
            if not streaming:
                self._release()

    def snapshot(self, now: float) -> dict[str, object]:  # noqa: ARG002  # the count needs no clock
        """Tell how many calls are in flight and how many wait, and the mode."""
        return {"in_flight": self._in_flight, "queued": len(self._waiters), **self.mode()}

    def take_mode(self, *, enforce: bool) -> None:
        """Let calls wait, or none."""
        super().take_mode(enforce=enforce)
        # In report mode the queue's places count as room, because nobody waits in them.
        self._room = self._places if enforce else self._places + self._queue
        self._move_up()

    async def _wait(self, call: Call) -> None:
        now = self._now()
        until = min(now + self._max_wait_s, call.deadline_at)
        if len(self._waiters) >= self._queue:
            raise BulkheadFull(_NO_PLACE, retry_after_s=RETRY_AFTER_S)
        waiter = _Waiter(asyncio.get_running_loop().create_future(), until)
        self._waiters.append(waiter)
        self._watch(until)
        try:
            if not await waiter.turn:
                raise BulkheadFull(_NO_TIME, retry_after_s=RETRY_AFTER_S)
            at = self._now()
            call.record.note(at, self.section, f"waited {at - now:.3f} s for one of {self._room} places in flight")
        except asyncio.CancelledError:
            if not waiter.turn.cancelled() and waiter.turn.result():
                self._release()  # the place was handed over, but the call was cancelled before it ran
            raise
        finally:
            if waiter in self._waiters:  # only who was cancelled while it waited
                self._waiters.remove(waiter)
            if not self._waiters:
                self._stop_watching()
            call.record.queue_s += self._now() - now

    def _release(self, error: Exception | None = None) -> None:  # noqa: ARG002  # a place is free however it ended
        self._in_flight -= 1
        self._move_up()

    def _move_up(self) -> None:
        while self._waiters and self._in_flight < self._room:
            waiter = self._waiters.popleft()
            if not waiter.turn.done():
                self._in_flight += 1
                waiter.turn.set_result(True)

    def _watch(self, until: float) -> None:
        """Have the one timer fire at `until` at the latest."""
        if self._timer is None or until < self._timer.when():
            self._stop_watching()
            self._timer = asyncio.get_running_loop().call_at(until, self._expire)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        """Refuse those whose time is up. Not only the head: a later call may have a nearer deadline."""
        self._timer = None
        soon = self._now() + TICK_S
        for waiter in tuple(self._waiters):
            if waiter.until > soon:
                self._watch(waiter.until)
            elif not waiter.turn.done():
                self._waiters.remove(waiter)
                waiter.turn.set_result(False)
