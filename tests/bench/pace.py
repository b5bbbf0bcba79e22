"""A paced load: requests at a given rate over kept connections, and how long each took.

Run as a process of its own, pinned beside the upstream: `python -m tests.bench.pace URL RATE SECONDS`. It writes one
line of JSON. The requests come as those of independent callers do (a Poisson process), at the same instants in every
run. wrk cannot pace, and h2load hands out its requests in bunches of ten milliseconds, which measures a queue and
flatters whoever serves a bunch in one wake-up. Blocking sockets and select, because an event loop's timers are whole
milliseconds.
"""

import json
import random
import select
import socket
import sys
import time
from collections import deque
from urllib.parse import urlsplit

CONNECTIONS = 32
PATIENCE_S = 5.0
CALLER = "Bearer placeholder-of-the-caller"
"""The credential that the load sends, as a service without secrets would."""


class Pace:
    """Sends each request when it is due, on the connection that has been idle longest."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.request = (
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"User-Agent: bench\r\nAccept: */*\r\nAuthorization: {CALLER}\r\n\r\n"
        ).encode()
        address = (str(parts.hostname), int(parts.port or 80))
        self.idle = deque(socket.create_connection(address, 5) for _ in range(CONNECTIONS))
        self.sent_at: dict[socket.socket, float] = {}
        self.latencies_s: list[float] = []
        for connection in self.idle:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, rate: float, seconds: float) -> float:
        """Send for so long, wait for the last answer; returns the rate achieved."""
        started = stalled_until = time.perf_counter()
        due = deque(started + instant for instant in instants(rate, seconds))
        while due or self.sent_at:
            now = time.perf_counter()
            if due and self.idle and now >= due[0]:
                # A request that had to wait for a connection counts from when it was due: a stall of the proxy
                # must not hide the requests that it held up. This loader's own lateness is not the proxy's.
                self.send(due[0] if due[0] < stalled_until else now)
                due.popleft()
            elif due and self.idle:
                self.receive(due[0] - now)
            else:
                # Past the end, or with no connection left: only an answer is waited for.
                self.receive(PATIENCE_S)
                stalled_until = time.perf_counter()
        return len(self.latencies_s) / (time.perf_counter() - started)

    def send(self, counted_from: float) -> None:
        connection = self.idle.popleft()
        connection.sendall(self.request)
        self.sent_at[connection] = counted_from

    def receive(self, timeout_s: float) -> None:
        """Take the answers that arrive within the time; every one must be a complete 200."""
        ready = select.select(list(self.sent_at), (), (), timeout_s)[0]
        if not ready and timeout_s == PATIENCE_S:
            raise TimeoutError(f"no answer in {PATIENCE_S:.0f} seconds")
        for connection in ready:
            read_answer(connection)
            self.latencies_s.append(time.perf_counter() - self.sent_at.pop(connection))
            self.idle.append(connection)


def instants(rate: float, seconds: float) -> list[float]:
    """Return when requests are due, in seconds from the start: exactly rate * seconds of them, at random."""
    dice = random.Random(1)
    return sorted(dice.uniform(0, seconds) for _ in range(round(rate * seconds)))


def read_answer(connection: socket.socket) -> bytes:
    """Read one answer with a Content-Length and return its body.

    Raises: ValueError when it is not 200, ConnectionError when it is cut short.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        data += _receive(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise ValueError(f"not a 200: {data[:300]!r}")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += _receive(connection)
    return body


def _receive(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise ConnectionError("closed in the middle of an answer")
    return piece


def main() -> None:
    pace = Pace(sys.argv[1])
    rate = pace.run(float(sys.argv[2]), float(sys.argv[3]))
    # JSON numbers in microseconds keep the line short.
    latencies_us = [round(seconds * 1e6, 1) for seconds in pace.latencies_s]
    sys.stdout.write(json.dumps({"rate": rate, "latencies_us": latencies_us}) + "\n")


if __name__ == "__main__":
    main()
