"""From what was counted to what Prometheus reads, at the moment of a scrape."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from proxy.edge.observe.tally import Counts, Histogram, Tally

Snapshots = Mapping[str, Mapping[str, Mapping[str, object]]]
"""By provider and section, as the policies' `snapshot(now)` tell it."""

_STATES: Final = ("closed", "open", "half_open")


class Families(Collector):
    """Decides the name, help and labels of every metric of tidegate's own.

    tallies: by provider. totals: what belongs to no provider, as name, help, label and counts.
    singles: counters (`_total`) and gauges without labels, as name, help and how to read the value.
    """

    def __init__(
        self,
        tallies: Callable[[], Mapping[str, Tally]],
        snapshots: Callable[[], Snapshots],
        totals: Iterable[tuple[str, str, str, Counts]],
        singles: Iterable[tuple[str, str, Callable[[], int]]],
    ) -> None:
        self._tallies = tallies
        self._snapshots = snapshots
        self._totals = tuple(totals)
        self._singles = tuple(singles)

    def describe(self) -> Iterable[Metric]:
        """Say nothing, so that registering does not ask the policies for their state."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family, with the values of now."""
        tallies = self._tallies()
        yield from _counters(tallies)
        yield from _labelled(tallies)
        yield from _histograms(tallies)
        yield from _gauges(self._snapshots())
        for name, text, label, counts in self._totals:
            family = CounterMetricFamily(name, text, labels=[label])
            for value, count in counts.values.items():
                family.add_metric([value], count)
            yield family
        for name, text, read in self._singles:
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield kind(name, text, value=read())


def _counters(tallies: Mapping[str, Tally]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "tidegate_requests_total",
        "Calls that are over, by what answered them: provider, sidecar or network.",
        labels=["provider", "method", "code", "source", "reason"],
    )
    sent = CounterMetricFamily("tidegate_request_bytes_total", "Body bytes sent to providers.", labels=["provider"])
    received = CounterMetricFamily(
        "tidegate_response_bytes_total", "Body bytes received from providers.", labels=["provider"]
    )
    pauses = CounterMetricFamily(
        "tidegate_pauses_total", "Times a provider asked for a pause or was given one.", labels=["provider"]
    )
    for provider, tally in tallies.items():
        for (method, code, source, reason), count in tally.requests.items():
            requests.add_metric([provider, method, str(code), source, reason], count)
        sent.add_metric([provider], tally.request_bytes)
        received.add_metric([provider], tally.response_bytes)
        pauses.add_metric([provider], tally.pauses)
    yield from (requests, sent, received, pauses)


def _labelled(tallies: Mapping[str, Tally]) -> Iterator[Metric]:
    read: tuple[tuple[str, str, str, Callable[[Tally], Counts]], ...] = (
        ("tidegate_retries_total", "cause", "Further attempts, by what made them necessary.", lambda t: t.retries),
        (
            "tidegate_retries_denied_total",
            "why",
            "Attempts that would have helped and were not made.",
            lambda t: t.retries_denied,
        ),
        (
            "tidegate_breaker_transitions_total",
            "state",
            "Changes of the breaker into a state.",
            lambda t: t.transitions,
        ),
        (
            "tidegate_would_refuse_total",
            "section",
            "Calls that a policy in report mode would have refused.",
            lambda t: t.would_refuse,
        ),
        ("tidegate_credential_reloads_total", "result", "Times a changed secret was read again.", lambda t: t.reloads),
    )
    for name, label, text, counts_of in read:
        family = CounterMetricFamily(name, text, labels=["provider", label])
        for provider, tally in tallies.items():
            for value, count in counts_of(tally).values.items():
                family.add_metric([provider, value], count)
        yield family


def _histograms(tallies: Mapping[str, Tally]) -> Iterator[Metric]:
    calls = HistogramMetricFamily(
        "tidegate_request_duration_seconds", "Whole calls, waiting and retries included.", labels=["provider", "method"]
    )
    phases = HistogramMetricFamily(
        "tidegate_upstream_duration_seconds",
        "Phases of the last attempt; dns, connect and tls only where a connection was made.",
        labels=["provider", "phase"],
    )
    overhead = HistogramMetricFamily(
        "tidegate_overhead_seconds", "Time that was tidegate's own: no waiting and no provider.", labels=["provider"]
    )
    waits = HistogramMetricFamily(
        "tidegate_limiter_wait_seconds", "Time that calls waited for a token or a pause.", labels=["provider"]
    )
    for provider, tally in tallies.items():
        for method, histogram in tally.durations_s.items():
            _fill(calls, [provider, method], histogram)
        for phase, histogram in tally.phases_s.items():
            _fill(phases, [provider, phase], histogram)
        _fill(overhead, [provider], tally.overhead_s)
        _fill(waits, [provider], tally.limiter_wait_s)
    yield from (calls, phases, overhead, waits)


def _fill(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    buckets: list[tuple[str, float]] = []
    count = 0
    for bound, found in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
        count += found
        buckets.append((bound, count))
    family.add_metric(labels, buckets, histogram.total)


def _gauges(snapshots: Snapshots) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "tidegate_breaker_state", "1 for the state that the breaker is in.", labels=["provider", "state"]
    )
    tokens = GaugeMetricFamily(
        "tidegate_limiter_tokens", "Calls that may go out at once, by limit.", labels=["provider", "limit"]
    )
    budget = GaugeMetricFamily("tidegate_retry_budget_tokens", "What retries may still cost.", labels=["provider"])
    in_flight = GaugeMetricFamily("tidegate_in_flight", "Calls that hold a permit.", labels=["provider"])
    queue = GaugeMetricFamily("tidegate_queue_depth", "Calls that wait for a permit or a token.", labels=["provider"])
    expiry = GaugeMetricFamily(
        "tidegate_credential_expiry_timestamp_seconds", "When the credential in use ends.", labels=["provider"]
    )
    for provider, sections in snapshots.items():
        here = [provider]
        if "breaker" in sections:
            for name in _STATES:
                state.add_metric([provider, name], float(sections["breaker"].get("state") == name))
        limiter = sections.get("rate_limit", {})
        limits = limiter.get("limits")
        for limit in limits if isinstance(limits, list | tuple) else ():
            _add(tokens, [provider, str(limit.get("limit"))], limit.get("tokens"))
        bulkhead = sections.get("bulkhead", {})
        _add(budget, here, sections.get("retry", {}).get("budget_tokens"))
        _add(in_flight, here, bulkhead.get("in_flight"))
        waiting = [count for count in (bulkhead.get("queued"), limiter.get("waiting")) if isinstance(count, int)]
        _add(queue, here, sum(waiting) if waiting else None)
        _add(expiry, here, sections.get("credential", {}).get("expires_ts"))
    yield from (state, tokens, budget, in_flight, queue, expiry)


def _add(family: GaugeMetricFamily, labels: list[str], value: object) -> None:
    if isinstance(value, int | float):  # a section that is off, or has nothing to tell, has no series
        family.add_metric(labels, value)
