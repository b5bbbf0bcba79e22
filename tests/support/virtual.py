"""A loop on which hours pass in no time and always in the same order."""

import asyncio
import selectors
from collections.abc import Awaitable
from typing import Any, TypeVar

Result = TypeVar("Result")

START = 1000.0
"""What a fresh loop's clock shows, in seconds; not zero, so that a forgotten instant is noticed."""


class _JumpingSelector(selectors.SelectSelector):
    """Moves the clock on by as long as the loop would have slept."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if timeout is None and not ready:
            raise AssertionError("the test waits for something that never happens")
        # A pass always takes time, or else a loop that waits until "later than now" would spin for ever.
        self.now += 1e-9 if ready else max(timeout or 0.0, 1e-9)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when nothing is ready, and never stands still.

    problems: what the loop would have logged, such as an error in a callback.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        self.problems: list[dict[str, Any]] = []
        super().__init__(self._jumping)
        self.set_exception_handler(lambda _, context: self.problems.append(context))

    def time(self) -> float:
        """Return the virtual monotonic time in seconds."""
        return self._jumping.now


def run(coro: Awaitable[Result]) -> Result:
    """Run a coroutine on a fresh VirtualLoop and return its result.

    Raises: AssertionError when it leaves tasks behind, when a callback failed, or when it waits for
    something that can't happen any more; and whatever the coroutine raises.
    """
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        result = loop.run_until_complete(coro)
        left = sorted(str(task.get_coro()) for task in asyncio.all_tasks(loop))
        assert not left, f"tasks left behind: {left}"
        loop.run_until_complete(loop.shutdown_asyncgens())
        assert not loop.problems, f"the loop complained: {loop.problems}"
        return result
    finally:
        _clean_up(loop)
        asyncio.set_event_loop(None)
        loop.close()


def _clean_up(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
