"""Ends the calls of callers that left while their connection was not being read."""

import asyncio
import select
from typing import Final, Protocol

SWEEP_S: Final = 0.5
"""How long a caller may be gone unnoticed."""

_HUNG_UP: Final = select.POLLHUP | getattr(select, "POLLRDHUP", 0)  # RDHUP is Linux; others say HUP for a FIN


class Socket(Protocol):
    """What the loops show of a transport's socket."""

    def fileno(self) -> int:
        """Return the file descriptor."""


class Held(Protocol):
    """A connection from which nothing is read until its call has moved on."""

    @property
    def socket(self) -> Socket | None:
        """The socket, None once it is closed."""

    def abort(self) -> None:
        """End the connection, and the call with it."""


class Sweeper:
    """Looks after connections whose reading is paused, every half second while there are any.

    Without it, a call whose body waits in limiter or backoff would be sent, and paid for, after its caller has left.
    A FIN behind more than the kernel's buffer holds is not seen; such a body is cut when it is read, and its call ends.
    """

    def __init__(self) -> None:
        self._held: set[Held] = set()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, one: Held) -> None:
        """Look after a connection until it is forgotten."""
        self._held.add(one)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def forget(self, one: Held) -> None:
        """Leave a connection alone: it is read again, or closed. Harmless when it was not watched."""
        self._held.discard(one)  # the timer stops itself: a large body pauses and goes on many times a second

    def _sweep(self) -> None:
        self._timer = None
        if not self._held:
            return
        poll = select.poll()
        by_fd = {socket.fileno(): one for one in self._held if (socket := one.socket) is not None}
        for fd in by_fd:
            poll.register(fd, _HUNG_UP)
        for fd, _ in poll.poll(0):
            by_fd[fd].abort()
        self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
