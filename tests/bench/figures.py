"""The figures: what is measured, what is to be reached, and how each is taken."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

from tests.bench import costs, load
from tests.bench.bulk import CHECKED_BYTES
from tests.bench.ground import EVENTS, Ground, Proxy
from tests.bench.peers import Peer
from tests.bench.processes import BenchError, watched
from tests.bench.report import Bar, Figure

MIB: Final = 1024**2
DIRECT: Final = "direct"
"""The upstream without a proxy: the ceiling of throughput, and the floor of latency."""

_NONE_LOST: Final = Bar("<=", 0)
_FLAT_BODY: Final = Bar("<=", 8)

FIGURES: Final[dict[str, tuple[Figure, ...]]] = {
    "throughput": (
        Figure("throughput", "throughput", "req/s", "Envoy", Bar(">=", 0.75, "ratio"), Bar(">=", 1.1, "ratio")),
        Figure("throughput", "throughput", "req/s", "plain aiohttp", Bar(">=", 2, "ratio"), Bar(">=", 4, "ratio")),
    ),
    "paced": (
        Figure("cpu", "CPU per request at 1000 req/s", "µs", "Envoy", Bar("<=", 1.5, "ratio"), Bar("<=", 1, "ratio")),
        Figure("p50", "added latency p50 at 1000 req/s", "µs", "Envoy", Bar("<=", 1.5, "ratio"), Bar("<=", 1, "ratio")),
        Figure("p99", "added latency p99 at 1000 req/s", "µs", "Envoy", Bar("<=", 2, "ratio"), Bar("<=", 1, "ratio")),
    ),
    **costs.FIGURES,
    "memory": (
        Figure("rss", "RSS idle", "MiB", None, Bar("<=", 60), Bar("<=", 45)),
        Figure("growth", "RSS growth, idle to after the soak", "MiB", None, Bar("<=", 5)),
        # Flat: a page here and there is no growth.
        Figure("leak", "RSS growth during the soak", "MiB", None, None, Bar("<=", 1)),
    ),
    "start": (Figure("start", "start to first answer", "s", None, Bar("<=", 0.6), Bar("<=", 0.3)),),
    "bulk": (
        Figure("down", "large body down", "MiB/s", "Envoy", None, Bar(">=", 0.8, "ratio")),
        Figure("down_growth", "large body down: RSS growth", "MiB", None, _FLAT_BODY, _FLAT_BODY),
        Figure("up", "large body up", "MiB/s", "Envoy", None, Bar(">=", 0.8, "ratio")),
        Figure("up_growth", "large body up: RSS growth", "MiB", None, _FLAT_BODY, _FLAT_BODY),
    ),
    "sse": (
        Figure("sse", "open SSE streams: RSS each", "KiB", "Envoy", Bar("<=", 40), Bar("<=", 1, "ratio")),
        Figure("sse_lost", "SSE events lost or out of order", "", None, _NONE_LOST, _NONE_LOST),
    ),
}
"""The rows, by the group that takes them."""


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    seconds: of one load. soak: requests, None for a million where that takes less than 90 s, else 300,000.
    """

    rounds: int = 5
    seconds: float = 4.0
    rate: int = 1000
    soak: int | None = None
    body_bytes: int = 1024 * MIB
    streams: int = 5000


@dataclass
class Bench:
    """Takes the figures; a peer that fails loses its cell and leaves a note, the others go on."""

    ground: Ground
    effort: Effort
    say: Callable[[str], None]
    samples: dict[str, dict[str, list[float | None]]] = field(default_factory=lambda: defaultdict(dict))
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    def take(self, group: str) -> None:
        """Take one group of figures."""
        self.taken.append(group)
        with self.noting(group):
            GROUPS[group](self)

    def add(self, key: str, peer: str, value: float | None) -> None:
        self.samples[key].setdefault(peer, []).append(value)

    @contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """Turn the failure of one measurement into a note."""
        try:
            yield
        except (BenchError, OSError) as error:
            self.failures.append(f"{what}: {error}")
            self.say(f"  {what}: FAILED: {error}")

    def each_started(self, stack: ExitStack) -> list[Proxy]:
        """Start all peers at once, for figures that are taken in turns; an idle one costs next to nothing."""
        proxies = []
        for peer in self.ground.peers:
            with self.noting(f"{peer.name}, start"):
                proxies.append(stack.enter_context(self.ground.running(peer)))
        return proxies

    def warm_up(self, proxies: list[Proxy]) -> None:
        for proxy in proxies:
            with self.noting(f"{proxy.peer.name}, warm-up"):
                load.throughput(proxy.json_url, 1)

    def throughput(self) -> None:
        """All connections busy, in turns: A B C, A B C."""
        with ExitStack() as stack:
            proxies = self.each_started(stack)
            urls = {DIRECT: self.ground.direct_url, **{proxy.peer.name: proxy.json_url for proxy in proxies}}
            self.check_logs(proxies)
            self.warm_up(proxies)
            for turn in range(self.effort.rounds):
                for name, url in urls.items():
                    self.throughput_once(name, url, turn)

    def throughput_once(self, name: str, url: str, turn: int) -> None:
        rate = None
        with self.noting(f"{name}, throughput"):
            rate = load.throughput(url, self.effort.seconds)
            self.say(f"  round {turn + 1}: {name} {rate:,.0f} req/s")
        self.add("throughput", name, rate)

    def check_logs(self, proxies: list[Proxy]) -> None:
        """Count log lines against calls, in processes that have just started: who writes none is quicker."""
        logging = [proxy for proxy in proxies if proxy.peer.log(proxy.place)]
        count = round(min(20_000, 5_000 * self.effort.seconds))
        for proxy in logging:
            with self.noting(f"{proxy.peer.name}, log"):
                load.soak(proxy.json_url, count)
        time.sleep(10.5)  # Envoy writes every ten seconds
        for proxy in logging:
            # Besides the load there were the three calls that checked its answers.
            self.notes.append(f"{proxy.peer.name} wrote {proxy.log_lines():,} log lines for {count + 3:,} calls")

    def paced(self) -> None:
        """A thousand requests a second: processor time of each, and latency above the upstream's own."""
        rate, seconds = self.effort.rate, self.effort.seconds
        with ExitStack() as stack:
            proxies = self.each_started(stack)
            self.warm_up(proxies)
            for turn in range(self.effort.rounds):
                direct = None
                with self.noting("upstream, paced"):
                    direct = load.paced(self.ground.direct_url, rate, seconds)
                for proxy in proxies:
                    self.paced_once(proxy, direct, turn)

    def paced_once(self, proxy: Proxy, direct: load.Paced | None, turn: int) -> None:
        name = proxy.peer.name
        cpu = p50 = p99 = None
        with self.noting(f"{name}, paced"):
            before = proxy.child.cpu_s()
            seen = load.paced(proxy.json_url, self.effort.rate, self.effort.seconds)
            cpu = (proxy.child.cpu_s() - before) / seen.requests * 1e6
            if direct is not None:
                p50, p99 = seen.p50_us - direct.p50_us, seen.p99_us - direct.p99_us
                self.say(f"  round {turn + 1}: {name} {cpu:.0f} µs CPU, p50 +{p50:.0f} µs, p99 +{p99:.0f} µs")
        self.add("cpu", name, cpu)
        self.add("p50", name, p50)
        self.add("p99", name, p99)

    def memory(self) -> None:
        """Resident memory of a fresh process after a few calls, and after very many."""
        for peer in self.ground.peers:
            with self.noting(f"{peer.name}, memory"), self.ground.running(peer) as proxy:
                time.sleep(1)
                idle = proxy.child.rss_bytes() / MIB
                self.add("rss", peer.name, idle)
                # The first busy seconds fill pools and buffers, which is growth but no leak.
                rate = load.throughput(proxy.json_url, 2)
                warm = proxy.child.rss_bytes() / MIB
                count = self.soak_count(peer, rate)
                load.soak(proxy.json_url, count)
                after = proxy.child.rss_bytes() / MIB
                self.add("growth", peer.name, after - idle)
                self.add("leak", peer.name, after - warm)
                text = f"{peer.name}: RSS {idle:.1f} MiB idle, {warm:.1f} after 2 s, {after:.1f} after {count:,} calls"
                self.notes.append(text)
                self.say(f"  {text}")

    def soak_count(self, peer: Peer, rate: float) -> int:
        """Choose the length of a soak; peers that no bar names get a short one."""
        if self.effort.soak or not peer.stream:
            return self.effort.soak or 100_000
        return 1_000_000 if rate * 90 > 1_000_000 else 300_000

    def start(self) -> None:
        """From the start of the process to the first answer out of the upstream."""
        for peer in self.ground.peers:
            with self.noting(f"{peer.name}, start"), self.ground.running(peer):
                pass  # the first start reads the program from disk and compiles Python
        for _ in range(self.effort.rounds):
            for peer in self.ground.peers:
                with self.noting(f"{peer.name}, start"), self.ground.running(peer) as proxy:
                    self.add("start", peer.name, proxy.started_in_s)
        for name, values in self.samples["start"].items():
            self.say(f"  {name}: {min(value or 0 for value in values):.3f} s at best")

    def bulk(self) -> None:
        """One large body each way; those that do not stream are left out."""
        size = self.effort.body_bytes
        self.notes.append(f"large body: {size / MIB:,.0f} MiB, {max(1, self.effort.rounds // 2)} rounds")
        for turn in range(max(1, self.effort.rounds // 2)):
            for peer in self.streaming_peers():
                with self.noting(f"{peer.name}, large body"), self.ground.running(peer) as proxy:
                    self.bulk_once(proxy, "down", "fetch", turn)
                    self.bulk_once(proxy, "up", "upload", turn)

    def streaming_peers(self) -> list[Peer]:
        return [peer for peer in self.ground.peers if peer.stream]

    def bulk_once(self, proxy: Proxy, key: str, action: str, turn: int) -> None:
        name = proxy.peer.name
        # A small body comes first: its content is checked, and its buffers are no growth.
        load.run(load.module("bulk", action, proxy.stream_url("/body"), str(CHECKED_BYTES)), 60)
        rate, growth = self.transfer(proxy, action, self.effort.body_bytes)
        self.add(key, name, rate)
        self.add(f"{key}_growth", name, growth)
        self.say(f"  round {turn + 1}: {name} {key} {rate:,.0f} MiB/s, {growth:+.1f} MiB")

    def transfer(self, proxy: Proxy, action: str, size: int) -> tuple[float, float]:
        """Move one body; returns MiB/s and the growth of the memory at its highest, in MiB."""
        before = proxy.child.rss_bytes()
        command = load.module("bulk", action, proxy.stream_url("/body"), str(size))
        output, peak = watched(command, proxy.child, 60 + size / (20 * MIB))
        return size / MIB / float(output), (peak - before) / MIB

    def sse(self) -> None:
        """Thousands of open streams: memory of each, and every event in its place."""
        for peer in self.streaming_peers():
            with self.noting(f"{peer.name}, SSE"), self.ground.running(peer, self.ground.events_port) as proxy:
                self.sse_once(proxy)

    def sse_once(self, proxy: Proxy) -> None:
        name, streams = proxy.peer.name, self.effort.streams
        load.throughput(proxy.json_url, 1)
        before = proxy.child.rss_bytes()
        command = load.module("events", "listen", proxy.stream_url("/events"), str(streams), str(EVENTS))
        output, peak = watched(command, proxy.child, 120)
        seen = json.loads(output)
        if seen["open_together"] != streams:
            raise BenchError(f"only {seen['open_together']} of {streams} streams were open together")
        each = (peak - before) / 1024 / streams
        lost = seen["lost"] + seen["out_of_order"] + seen["cut_short"]
        self.add("sse", name, each)
        self.add("sse_lost", name, lost)
        self.notes.append(f"{name} SSE: {streams:,} streams open together, {EVENTS} events each")
        self.say(f"  {name}: {each:.1f} KiB a stream, {lost} events lost or out of order")


GROUPS: Final[dict[str, Callable[[Bench], None]]] = {
    "throughput": Bench.throughput,
    "paced": Bench.paced,
    **costs.GROUPS,
    "memory": Bench.memory,
    "start": Bench.start,
    "bulk": Bench.bulk,
    "sse": Bench.sse,
}
"""What `--only` takes; in the order in which they run."""
