"""Latency percentiles over time, read off the histograms now and then, so that no call pays for them."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from proxy.edge.observe.tally import Tally

TICK_S: Final = 10.0
"""The width of one point."""

_MINUTE: Final = 6
"""So many marks are a minute."""

MOST_POINTS: Final = 90

Point = tuple[float, int, int, float | None, float | None, float | None]
"""Unix time, calls, failed ones, p50, p95 and p99 in seconds; None without calls."""

_SHARES: Final = (0.5, 0.95, 0.99)


class _Mark(NamedTuple):
    """What had been counted at one instant (monotonic seconds)."""

    at: float
    counts: Sequence[int]
    failed: int


class _Kept:
    """One provider's marks of the last minute and points of the last quarter of an hour."""

    def __init__(self, tally: Tally, now: float) -> None:
        self.tally = tally
        self.points: deque[Point] = deque(maxlen=MOST_POINTS)
        self.begin(now)

    def begin(self, now: float) -> None:
        """Count from here on: what was counted with other bounds can't be compared."""
        self.bounds, self.histograms = self.tally.bounds, self.tally.durations_s
        self.marks = deque([_mark(self.tally, now)], maxlen=_MINUTE)


class Latencies:
    """Tells each provider's latencies of the last minute, and a quarter of an hour of points of 10 s.

    tallies: by provider. now: monotonic seconds. wall: unix seconds.
    """

    def __init__(
        self, tallies: Callable[[], Mapping[str, Tally]], now: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self._tallies = tallies
        self._now = now
        self._wall = wall
        self._due_at = now() + TICK_S
        self._kept: dict[str, _Kept] = {}
        self._follow()

    def tick(self) -> None:
        """Close the present point once it is 10 s wide; call it every second."""
        now = self._now()
        self._follow()  # each second, so that a provider that is new, or has other bounds, soon counts
        if now < self._due_at:
            return
        self._due_at = now + TICK_S
        ts = self._wall()
        for kept in self._kept.values():
            mark, last = _mark(kept.tally, now), kept.marks[-1]
            counts = _increase(last, mark)
            p50, p95, p99 = percentiles(kept.bounds, counts)
            kept.points.append((ts, sum(counts), mark.failed - last.failed, p50, p95, p99))
            kept.marks.append(mark)

    def of(self, provider: str) -> Mapping[str, object]:
        """Tell `p50_s`, `p95_s`, `p99_s`, calls per second as `rate` and the share `failed` of the last minute.

        All but the rate are None without calls; whole calls count, with our waits. `failed` is the share that
        failed as the alerts count it. `series`: at most 90 points, oldest first.
        """
        self._follow()
        kept = self._kept.get(provider)
        if kept is None:
            return {}
        first, last = kept.marks[0], _mark(kept.tally, self._now())
        counts = _increase(first, last)
        calls, failed = sum(counts), last.failed - first.failed
        p50, p95, p99 = percentiles(kept.bounds, counts)
        return {
            "p50_s": p50,
            "p95_s": p95,
            "p99_s": p99,
            "rate": calls / (last.at - first.at) if last.at > first.at else 0.0,
            "failed": failed / calls if calls else None,
            "series": list(kept.points),
        }

    def _follow(self) -> None:
        """Take the tallies of now; one that is new, or whose histograms began anew, counts from here on."""
        now, before = self._now(), self._kept
        self._kept = {}
        for name, tally in self._tallies().items():
            kept = before.get(name)
            if kept is None or kept.tally is not tally:
                kept = _Kept(tally, now)
            elif kept.histograms is not tally.durations_s:  # the bounds may have been changed, and changed back
                kept.begin(now)
            self._kept[name] = kept


def percentiles(bounds: Sequence[float], counts: Sequence[int]) -> tuple[float | None, float | None, float | None]:
    """Return p50, p95 and p99 in seconds, interpolated within their buckets as Prometheus does it.

    In the last bucket, which has no end, it is the last bound. None without observations.
    """
    total = sum(counts)
    if not total:
        return None, None, None
    p50, p95, p99 = (_quantile(bounds, counts, share * total) for share in _SHARES)
    return p50, p95, p99


def _quantile(bounds: Sequence[float], counts: Sequence[int], rank: float) -> float:
    below, start = 0, 0.0
    for bound, count in zip(bounds, counts, strict=False):  # the last count has no bound
        if count and below + count >= rank:
            return start + (bound - start) * (rank - below) / count
        below, start = below + count, bound
    return start


def _mark(tally: Tally, now: float) -> _Mark:
    return _Mark(now, tally.durations().counts, tally.failed())


def _increase(first: _Mark, last: _Mark) -> list[int]:
    return [after - before for before, after in zip(first.counts, last.counts, strict=True)]
