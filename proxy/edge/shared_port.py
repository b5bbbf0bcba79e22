"""What lets two processes listen on one TCP port for a moment, and the younger one take over without a lost call.

Sockets that share a port by SO_REUSEPORT are a group in the kernel, in the order in which they began to listen.
Connections that wait in the queue of one that is closed are reset, so nothing new may lead there when it closes.
"""

import array
import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterable
from typing import Final, Protocol

# Linux's own numbers (asm-generic/socket.h); Python names neither.
_ATTACH_FILTER: Final = 26
_ATTACH_REUSEPORT_CBPF: Final = 51

# Classic BPF (Linux: networking/filter) in steps of code, jump if true, jump if false, value.
_RETURN: Final = 0x06
_TO_THE_SECOND: Final = ((_RETURN, 0, 0, 1),)
_NO_SYN: Final = (
    (0x30, 0, 0, 13),  # load the flags of the TCP header
    (0x45, 0, 1, 0x02),  # is SYN among them?
    (_RETURN, 0, 0, 0),  # then drop it
    (_RETURN, 0, 0, 0xFFFF),
)


class Descriptor(Protocol):
    """What the loops show of a listening socket."""

    def fileno(self) -> int:
        """Return the file descriptor."""


def attract(sockets: Iterable[Descriptor]) -> None:
    """Lead every new connection to these, each the second to listen on its port, and none to the first.

    Once the first is gone they have the port for themselves. Only Linux can do it; elsewhere the kernel chooses.
    """
    _attach(sockets, _ATTACH_REUSEPORT_CBPF, _TO_THE_SECOND)


def repel(sockets: Iterable[Descriptor]) -> None:
    """Let these hear of no new connection; handshakes that have begun end well, and are to be accepted.

    Who knocks nevertheless is not answered, and knocks again after a second, at whoever listens then.
    """
    _attach(sockets, _ATTACH_FILTER, _NO_SYN)


def _attach(sockets: Iterable[Descriptor], option: int, program: Iterable[tuple[int, int, int, int]]) -> None:
    if sys.platform != "linux":
        return
    code = array.array("B", b"".join(struct.pack("HBBI", *step) for step in program))
    address, size = code.buffer_info()
    pointer = struct.pack("HP", size // 8, address)  # struct sock_fprog
    for one in sockets:
        # uvloop's sockets set nothing. A kernel that refuses takes the guarantee away, not the listener.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(one.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, option, pointer)
