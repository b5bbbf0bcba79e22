"""From what was counted to what Prometheus reads, at the moment of a scrape."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from proxy import __version__
from proxy.edge.observe.gauges import Snapshots, gauges
from proxy.edge.observe.tally import Counts, Histogram, Tally

Single = tuple[str, str, Callable[[], float]]


class Families(Collector):
    """Decides the name, help and labels of every metric of tidegate's own.

    tallies: by provider. totals: what belongs to no provider, as name, help, label and counts;
    several labels stand with spaces between, and so do their values.
    singles: counters (`_total`) and gauges without labels, as name, help and how to read the value.
    """

    singles: list[Single]

    def __init__(
        self,
        tallies: Callable[[], Mapping[str, Tally]],
        snapshots: Callable[[], Snapshots],
        totals: Iterable[tuple[str, str, str, Counts]],
        singles: Iterable[Single],
    ) -> None:
        self._tallies = tallies
        self._snapshots = snapshots
        self._totals = tuple(totals)
        self.singles = list(singles)

    def describe(self) -> Iterable[Metric]:
        """Say nothing, so that registering does not ask the policies for their state."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family, with the values of now."""
        tallies = self._tallies()
        yield InfoMetricFamily("tidegate_build", "The version that runs.", value={"version": __version__})
        yield from _counters(tallies)
        yield from _labelled(tallies)
        yield from _histograms(tallies)
        yield from gauges(self._snapshots())
        for name, text, label, counts in self._totals:
            family = CounterMetricFamily(name, text, labels=label.split(" "))
            for value, count in counts.values.items():
                family.add_metric(value.split(" "), count)
            yield family
        for name, text, read in self.singles:
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
    holds = CounterMetricFamily(
        "tidegate_quota_holds_total", "Times calls were held because a quota is used up.", labels=["provider"]
    )
    for provider, tally in tallies.items():
        for (method, code, source, reason), count in tally.requests.items():
            requests.add_metric([provider, method, str(code), source, reason], count)
        sent.add_metric([provider], tally.request_bytes)
        received.add_metric([provider], tally.response_bytes)
        pauses.add_metric([provider], tally.pauses)
        holds.add_metric([provider], tally.quota_holds)
    yield from (requests, sent, received, pauses, holds)


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
        (
            "tidegate_credential_holds_total",
            "secret",
            "Times a secret was left alone because the provider refused it.",
            lambda t: t.holds,
        ),
        ("tidegate_token_fetches_total", "result", "Access tokens fetched or minted.", lambda t: t.tokens),
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
    buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    count, exemplars = 0, histogram.exemplars or {}
    for place, (bound, found) in enumerate(zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True)):
        count += found
        one = exemplars.get(place)
        if one is None:
            buckets.append((bound, count))
        else:
            buckets.append((bound, count, Exemplar({"trace_id": one.trace_id}, one.value, one.ts)))
    family.add_metric(labels, buckets, histogram.total)
