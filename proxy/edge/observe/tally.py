"""What is counted, as plain attributes: adding one must cost next to nothing, so nothing is resolved by label."""

import time
from bisect import bisect_left
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final, NamedTuple

from proxy.core.call import METHODS
from proxy.core.events import CallEnded
from proxy.core.record import Record
from proxy.edge.observe.reasons import FAILURES, outcomes_by_reason
from proxy.sansio.classify import REFUSED_5XX

OTHER: Final = "other"

LATENCY_S: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
OVERHEAD_S: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05)

# What providers really send besides the registered ones; any other number of theirs becomes `other`.
_VENDORS: Final = frozenset({419, 420, 430, 440, 460, 498, 499, 509, *range(520, 531), 598, 599})
CODES: Final = frozenset({status.value for status in HTTPStatus}) | _VENDORS
SOURCES: Final = frozenset({"provider", "sidecar", "network"})
REASONS: Final = frozenset({"", *outcomes_by_reason()})
CAUSES: Final = frozenset({"connect", "dropped", "timeout", "throttled", "unauthorised", *map(str, CODES)})
# More than all policies have sections, and a bound where a mistake would make series without end.
_MOST_SERIES: Final = 64


def bounds_with(thresholds_s: Iterable[float]) -> tuple[float, ...]:
    """Return the bounds of a provider's latencies: the usual ones, and these, which its objectives speak of."""
    return tuple(sorted({*LATENCY_S, *thresholds_s}))


class Exemplar(NamedTuple):
    """A call that stands for its bucket, by its trace. ts: unix seconds."""

    trace_id: str
    value: float
    ts: float


class Histogram:
    """Observations in buckets whose upper bounds are inclusive. counts: one more than bounds, the last is +Inf.

    exemplars: the latest of each bucket that has one, None while nothing is traced.
    """

    __slots__ = ("bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.exemplars: dict[int, Exemplar] | None = None

    def observe(self, value: float) -> None:
        """Add one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def exemplify(self, value: float, trace_id: str) -> None:
        """Let the trace of an observation stand for its bucket."""
        if self.exemplars is None:
            self.exemplars = {}
        self.exemplars[bisect_left(self.bounds, value)] = Exemplar(trace_id, value, time.time())


class Counts:
    """Counters by the value of one label, at most 64 of them; what comes later is `other`."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    def add(self, label: str) -> None:
        """Count one."""
        if label not in self.values and len(self.values) >= _MOST_SERIES:
            label = OTHER
        self.values[label] = self.values.get(label, 0) + 1


class Tally:
    """Everything that is counted for one provider.

    bounds: of the buckets of whole calls and first_byte. requests: by method, code, source and reason. durations_s:
    of whole calls by method. phases_s: dns, connect, tls, first_byte and body of the last attempt.
    """

    __slots__ = (
        "bounds", "durations_s", "holds", "limiter_wait_s", "overhead_s", "pauses", "phases_s", "quota_holds",
        "reloads", "request_bytes", "requests", "response_bytes", "retries", "retries_denied", "tokens",
        "transitions", "would_refuse",
    )  # fmt: skip

    def __init__(self, bounds: tuple[float, ...] = LATENCY_S) -> None:
        self.bounds = bounds
        self.requests: dict[tuple[str, int | str, str, str], int] = {}
        self.durations_s: dict[str, Histogram] = {}
        self.phases_s = {phase: Histogram(LATENCY_S) for phase in ("dns", "connect", "tls", "first_byte", "body")}
        self.phases_s["first_byte"] = Histogram(bounds)
        self.overhead_s = Histogram(OVERHEAD_S)
        self.limiter_wait_s = Histogram(LATENCY_S)
        self.request_bytes = self.response_bytes = self.pauses = self.quota_holds = 0
        self.retries = Counts()
        self.retries_denied = Counts()
        self.transitions = Counts()
        self.would_refuse = Counts()
        self.reloads = Counts()
        self.holds = Counts()
        self.tokens = Counts()

    def ended(self, event: CallEnded) -> None:
        """Count a call that is over."""
        method, reply, record = event.call.method, event.reply, event.call.record
        # A body that was cut is no answer, whatever its head said.
        key = (method, 0 if reply is None else reply.status, event.source, event.error or event.reason)
        if key in self.requests:  # a key that got in is within the closed lists
            self.requests[key] += 1
        else:
            self._count_bounded(key)
        durations = self.durations_s.get(method) or self._durations_of(method)
        duration_s = event.ended_at - record.started_at
        durations.observe(duration_s)
        trace = event.call.trace
        if trace is not None and trace.sampled:
            durations.exemplify(duration_s, trace.trace_id)
        self.overhead_s.observe(record.overhead_s(event.ended_at))
        self.limiter_wait_s.observe(record.limiter_s)
        self.request_bytes += record.request_bytes
        self.response_bytes += record.response_bytes
        if record.first_byte_s:
            self._answered(record)

    def fit(self, bounds: tuple[float, ...]) -> None:
        """Take these bounds; where they are new, those histograms begin anew: their buckets can't be divided."""
        if bounds != self.bounds:
            self.bounds = bounds
            self.durations_s = {}
            self.phases_s["first_byte"] = Histogram(bounds)

    def durations(self) -> Histogram:
        """Return one histogram of whole calls, all methods together."""
        merged = Histogram(self.bounds)
        for one in self.durations_s.values():
            merged.counts = [sum(pair) for pair in zip(merged.counts, one.counts, strict=True)]
            merged.total += one.total
        return merged

    def failed(self) -> int:
        """Return how many calls failed that were owed an answer, as far as status and reason tell."""
        return sum(
            count
            for (_, code, source, reason), count in self.requests.items()
            if reason in FAILURES or source == "network" or (source == "provider" and _is_failure(code))
        )

    def _answered(self, record: Record) -> None:
        phases = self.phases_s
        phases["first_byte"].observe(record.first_byte_s)
        phases["body"].observe(record.body_s)
        if record.connect_s:  # a pooled connection spent no time on these, and must not look like a fast one
            phases["dns"].observe(record.dns_s)
            phases["connect"].observe(record.connect_s)
            if record.tls_s:
                phases["tls"].observe(record.tls_s)

    def _count_bounded(self, key: tuple[str, int, str, str]) -> None:
        method, code, source, reason = key
        bounded = (
            method if method in METHODS else OTHER,
            code if code in CODES else OTHER,
            source if source in SOURCES else OTHER,
            reason if reason in REASONS else OTHER,
        )
        self.requests[bounded] = self.requests.get(bounded, 0) + 1

    def _durations_of(self, method: str) -> Histogram:
        known = method if method in METHODS else OTHER
        return self.durations_s.setdefault(known, Histogram(self.bounds))


def _is_failure(code: int | str) -> bool:
    return isinstance(code, int) and code >= 500 and code not in REFUSED_5XX
