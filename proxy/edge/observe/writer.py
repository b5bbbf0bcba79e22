"""The one thread that writes log bytes, so that a slow or closed stdout never holds up the loop."""

import os
import select
import threading
from typing import Final

_LIMIT_BYTES: Final = 4 * 1024 * 1024


class Writer:
    """Decides what is still written: everything, while less than `limit_bytes` wait; the rest is counted.

    dropped: lines that were refused or could not be written.
    """

    def __init__(self, fd: int, limit_bytes: int = _LIMIT_BYTES) -> None:
        self.dropped = 0
        self._fd = fd
        self._limit = limit_bytes
        self._waiting: list[bytes] = []
        self._unwritten = 0  # bytes that wait or are being written
        self._closed = False
        self._changed = threading.Condition()
        # A daemon, because a thread that hangs in write() must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="tidegate-log", daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        """Hand over whole lines; never waits. Safe from any thread."""
        with self._changed:
            if self._closed or self._unwritten + len(data) > self._limit:
                self.dropped += data.count(b"\n")
                return
            self._waiting.append(data)
            self._unwritten += len(data)
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
                data = b"".join(self._waiting)
                self._waiting.clear()
            lost = self._write(data)
            with self._changed:
                self._unwritten -= len(data)
                self.dropped += lost

    def _write(self, data: bytes) -> int:
        """Write all of it; returns the number of lines lost because the other end is gone or the disk full."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # stdout shared with a program that made it non-blocking
                ready = select.poll()
                ready.register(self._fd, select.POLLOUT)
                ready.poll(1000)
            except OSError:
                return bytes(rest).count(b"\n")
        return 0
