"""Calls that run beside the test, and what they may leave behind."""

import asyncio
from collections.abc import Callable

import pytest

from proxy.core.call import Handler, Reply
from tests.support.script import make_call


def start(policy: Handler, deadline_at: float = float("inf"), target: bytes = b"/") -> asyncio.Task[Reply]:
    """Begin a call beside the test."""

    async def send() -> Reply:
        call = make_call(target=target)
        call.deadline_at = deadline_at
        return await policy(call)

    return asyncio.create_task(send())


async def cancel(task: asyncio.Task[Reply]) -> None:
    """Cancel a call and see that the cancellation is passed on."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def recorded_timers(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.TimerHandle]:
    """Return a list into which every timer goes that is set on the running loop from now on."""
    loop = asyncio.get_running_loop()
    call_at = loop.call_at
    timers: list[asyncio.TimerHandle] = []

    def record(when: float, callback: Callable[..., object]) -> asyncio.TimerHandle:
        timers.append(call_at(when, callback))
        return timers[-1]

    monkeypatch.setattr(loop, "call_at", record)
    return timers
