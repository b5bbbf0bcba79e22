"""The system's resolver as a test wants it: what names mean, which one hangs, and who asked."""

import socket
import threading
from typing import Any, Final

import pytest

Addresses = list[tuple[Any, ...]]

_true_getaddrinfo: Final = socket.getaddrinfo


class Names:
    """Stands in for `socket.getaddrinfo`; only literal addresses still go there.

    Every name means `addresses`, and none exists while there are none. Names that begin with "sick" are
    answered after `release`. asked: the names that were looked up, in order.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        self._released = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", self._answer)

    def release(self) -> None:
        """Let the sick names be answered."""
        self._released.set()

    def _answer(self, host: str, port: int, *, type: int, flags: int = 0) -> Addresses:  # noqa: A002  # its true name
        if flags & socket.AI_NUMERICHOST:
            return list(_true_getaddrinfo(host, port, type=type, flags=flags))
        self.asked.append(host)
        if host.startswith("sick"):
            self._released.wait(20)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [info for one in self.addresses for info in _true_getaddrinfo(one, port, type=type)]
