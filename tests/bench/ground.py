"""The ground that the peers meet on: two cores, two upstreams, and the peers started on demand and checked."""

import http.client
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.load import module
from tests.bench.pace import CALLER
from tests.bench.peers import PEERS, TOKEN, Nginx, Peer, Place
from tests.bench.processes import BenchError, Child, await_port, free_port, running

PAYLOAD = '{"id":"ch_example","object":"charge","status":"succeeded","description":"%s"}' % ("x" * 947)
"""1 KB of JSON; it holds no quote or dollar sign that nginx would read."""

EVENTS = 8
_GIVE_UP_S = 20.0


@dataclass(frozen=True)
class Proxy:
    """A peer that runs, its answers checked."""

    peer: Peer
    place: Place
    child: Child
    started_in_s: float

    @property
    def json_url(self) -> str:
        return self.place.url(self.peer.json + "/json")

    def stream_url(self, path: str) -> str:
        return self.place.url(self.peer.stream + path)

    def log_lines(self) -> int:
        """Count the lines of its access log, 0 when it has none."""
        log = self.peer.log(self.place)
        if log is None or not log.exists():
            return 0
        with log.open("rb") as lines:
            return sum(piece.count(b"\n") for piece in iter(lambda: lines.read(1 << 20), b""))


class Ground:
    """Cores, upstreams and the peers that are installed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        cores = sorted(os.sched_getaffinity(0))
        self.proxy_core, self.load_core = cores[0], cores[-1] if len(cores) > 1 else cores[0]
        self.shared_core = len(cores) < 2
        self.peers = [peer for peer in PEERS if peer.binary()]
        self.missing = {peer.name: peer.install for peer in PEERS if not peer.binary()}
        self.json_port, self.bulk_port, self.events_port = free_port(), free_port(), free_port()
        self.started = 0

    @property
    def direct_url(self) -> str:
        return f"http://127.0.0.1:{self.json_port}/json"

    @contextmanager
    def open(self) -> Iterator["Ground"]:
        """Run the upstreams, and this process and all loads on their core, until the block is left."""
        # Loads inherit the core; proxies are pinned to the other one when they start.
        os.sched_setaffinity(0, {self.load_core})
        with ExitStack() as stack:
            for name, port, command in self._upstreams():
                child = stack.enter_context(running(command, self.load_core, self.directory / f"{name}.output"))
                await_port(port, child)
            if body_of(self.direct_url)[1] != PAYLOAD:
                raise BenchError("the upstream does not answer as it should")
            yield self

    def _upstreams(self) -> Iterator[tuple[str, int, list[str]]]:
        nginx = Nginx().binary()
        if nginx is None:
            raise BenchError("nginx, which plays the upstream, is not installed: apt install nginx")
        place = Place(self.directory, 0, 0, self.json_port, 0)
        config = str(place.write("upstream.conf", payload=PAYLOAD))
        yield "upstream", self.json_port, [nginx, "-e", "stderr", "-p", str(self.directory), "-c", config]
        yield "bulk", self.bulk_port, module("bulk", "serve", str(self.bulk_port))
        yield "events", self.events_port, module("events", "serve", str(self.events_port), str(EVENTS))

    @contextmanager
    def running(self, peer: Peer, stream_port: int = 0) -> Iterator[Proxy]:
        """Start a peer on the proxies' core, check its answers, and end it with the block.

        stream_port: the upstream behind the path of large and long answers.
        Raises: BenchError when it does not start or answers wrongly.
        """
        self.started += 1
        directory = self.directory / f"{peer.name.replace(' ', '-')}-{self.started}"
        place = Place.choose(directory, self.json_port, stream_port or self.bulk_port)
        command = peer.command(place)
        started_at = time.perf_counter()
        with running(command, self.proxy_core, place.output, peer.environment()) as child:
            proxy = Proxy(peer, place, child, _first_answer(peer, place, child) - started_at)
            _check(proxy)
            yield proxy


def body_of(url: str) -> tuple[int, str]:
    """Fetch a URL as a caller with a placeholder credential; returns status and body."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("GET", f"/{path}", headers={"Authorization": CALLER})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def version_of(peer: Peer) -> str:
    """Return the first line that the program says of its version, without the program's path."""
    with suppress(OSError, subprocess.SubprocessError):
        command = [str(peer.binary()), *peer.version()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        lines = (done.stdout + done.stderr).strip().splitlines()
        return lines[0].removeprefix(command[0]).strip() if lines else "unknown"
    return "unknown"


def _first_answer(peer: Peer, place: Place, child: Child) -> float:
    """Wait for the first good answer out of the upstream; returns the instant."""
    seen = "no answer"
    until = time.perf_counter() + _GIVE_UP_S
    while time.perf_counter() < until and child.alive():
        with suppress(OSError, http.client.HTTPException):
            status, body = body_of(place.url(peer.json + "/json"))
            if status == 200:
                return time.perf_counter()
            seen = f"{status} {body[:200]}"
        time.sleep(0.002)
    raise BenchError(f"{peer.name} did not start: {seen}; {child.last_words()}")


def _check(proxy: Proxy) -> None:
    """Make sure that what is timed is right: the body, and the credential that the upstream sees."""
    if body_of(proxy.json_url) != (200, PAYLOAD):
        raise BenchError(f"{proxy.peer.name} alters the answer")
    wanted = f"Bearer {TOKEN}" if proxy.peer.injects else CALLER
    seen = body_of(proxy.place.url(proxy.peer.json + "/whoami"))
    if seen != (200, wanted):
        raise BenchError(f"{proxy.peer.name} sends another credential than it should: {seen}")
