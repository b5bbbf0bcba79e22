"""A thread that writes, so that a slow or closed stdout, or a slow disk, never holds up the loop."""

import os
import select
import threading
from collections.abc import Callable
from typing import Final

_LIMIT_BYTES: Final = 4 * 1024 * 1024

Write = Callable[[bytes], int]
"""Writes whole lines, on the thread; returns how many of them were lost. Must not raise."""


class Writer:
    """Decides what is still written: everything, while less than `limit_bytes` wait; the rest is counted.

    linger_s: how long the thread lets lines gather, so that each piece is a large one.
    dropped: lines that were refused or could not be written.
    """

    def __init__(self, write: Write, limit_bytes: int = _LIMIT_BYTES, *, linger_s: float = 0.0) -> None:
        self.dropped = 0
        self._write = write
        self._limit = limit_bytes
        self._linger_s = linger_s
        self._waiting: list[bytes] = []
        self._unwritten = 0  # bytes that wait or are being written
        self._closed = False
        self._changed = threading.Condition()
        # A daemon, because a thread that hangs in write() must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="tidegate-writer", daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        """Hand over whole lines; never waits. Safe from any thread."""
        with self._changed:
            if self._closed or self._unwritten + len(data) > self._limit:
                self.dropped += data.count(b"\n")
                return
            self._waiting.append(data)
            self._unwritten += len(data)
            if len(self._waiting) == 1:  # else the thread knows, or is about to look
                self._changed.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Take nothing more and wait for what is on its way; False when it is not out after `timeout_s`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                if self._linger_s:
                    self._changed.wait_for(lambda: self._closed, self._linger_s)
                data = b"".join(self._waiting)
                self._waiting.clear()
            lost = self._write(data)
            with self._changed:
                self._unwritten -= len(data)
                self.dropped += lost


def to_descriptor(fd: int) -> Write:
    """Return what writes to an open file or pipe; lines are lost when the other end is gone or the disk full."""

    def write(data: bytes) -> int:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(fd, rest) :]
            except BlockingIOError:  # stdout shared with a program that made it non-blocking
                ready = select.poll()
                ready.register(fd, select.POLLOUT)
                ready.poll(1000)
            except OSError:
                return bytes(rest).count(b"\n")
        return 0

    return write
