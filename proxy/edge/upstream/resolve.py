"""Looks a provider's name up so that a slow one delays nobody else.

uvloop's `getaddrinfo` runs on four threads that the process shares, two of them for lookups: two names that hang
would hold up every provider.
"""

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

KEEP_S: Final = 5.0  # a burst of new connections asks once, and a changed address is still found soon
_NEVER: Final = float("inf")

AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
_Found = list[AddrInfo] | Exception


class Resolver:
    """The addresses of one origin.

    A literal address needs no lookup. Of a name one lookup is under way at a time, in a daemon thread of its own;
    what it finds is kept for `KEEP_S`, a failure is not kept.
    """

    def __init__(self, host: str, port: int, now: Callable[[], float]) -> None:
        self._host = host
        self._port = port
        self._now = now
        self._known = _literal(host, port)
        self._known_until = _NEVER if self._known else 0.0
        self._lookup: asyncio.Future[_Found] | None = None

    async def resolve(self) -> list[AddrInfo]:
        """Return the addresses; a waiter that is cancelled leaves the lookup to the others.

        Raises: OSError when the name could not be resolved.
        """
        if self._now() < self._known_until:
            return self._known
        if self._lookup is None:
            self._lookup = self._begin()
        found = await asyncio.shield(self._lookup)
        if isinstance(found, Exception):
            raise found
        return found

    def _begin(self) -> asyncio.Future[_Found]:
        loop = asyncio.get_running_loop()
        lookup: asyncio.Future[_Found] = loop.create_future()

        def work() -> None:
            found = _look_up(self._host, self._port)
            with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
                loop.call_soon_threadsafe(self._end, lookup, found)

        threading.Thread(target=work, name=f"resolve {self._host}", daemon=True).start()
        return lookup

    def _end(self, lookup: asyncio.Future[_Found], found: _Found) -> None:
        self._lookup = None
        if not isinstance(found, Exception):
            self._known, self._known_until = found, self._now() + KEEP_S
        lookup.set_result(found)


def _literal(host: str, port: int) -> list[AddrInfo]:
    try:
        ipaddress.ip_address(host)
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except (ValueError, OSError):  # a name, or an address with an interface that this machine has not
        return []


def _look_up(host: str, port: int) -> _Found:
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except Exception as error:  # noqa: BLE001  # whatever it is, those who wait must hear of it
        return error
