"""The metrics: events in, plain counters inside, Prometheus text out."""

from collections.abc import Callable, Iterable, Mapping
from typing import assert_never

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.exposition import generate_latest as plain_text
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_text
from prometheus_client.registry import Collector

from proxy.core.events import (
    Acted,
    BreakerChanged,
    CallEnded,
    ConfigRead,
    CredentialHeld,
    DrainStarted,
    Event,
    PauseStarted,
    RequestRefused,
    RetryDenied,
    RetryScheduled,
    SecretRead,
    TokenFetched,
    WouldRefuse,
)
from proxy.edge.observe.families import Families
from proxy.edge.observe.formats import chosen
from proxy.edge.observe.gauges import Snapshots
from proxy.edge.observe.tally import CAUSES, LATENCY_S, OTHER, Counts, Tally, bounds_with
from proxy.sansio.slo import Slo

UNNAMED = "-"
"""The provider of a call that named none, or one that is not configured."""


def _none() -> int:
    return 0


class Metrics:
    """Decides which counter an event belongs to.

    snapshots: the policies' state, read at each scrape. log_dropped: lines lost so far.
    connections: callers connected now.
    """

    def __init__(
        self,
        providers: Iterable[str],
        snapshots: Callable[[], Snapshots],
        *,
        log_dropped: Callable[[], int] = _none,
        connections: Callable[[], int] = _none,
    ) -> None:
        self._refused = Counts()
        self._config_reloads = Counts()
        self._actions = Counts()
        self._unnamed = Tally()
        self._tallies: dict[str, Tally] = {}
        self.configure(providers)
        self._registry = CollectorRegistry()
        for standard in (ProcessCollector, PlatformCollector, GCCollector):
            standard(registry=self._registry)
        self._families = Families(
            lambda: self._tallies,
            snapshots,
            (
                (
                    "tidegate_requests_refused_total",
                    "Requests refused before they were calls.",
                    "reason",
                    self._refused,
                ),
                ("tidegate_config_reloads_total", "Times the configuration was read.", "result", self._config_reloads),
                ("tidegate_admin_actions_total", "What operators did or tried.", "action result", self._actions),
            ),
            (
                ("tidegate_log_dropped_total", "Log lines that were not written.", log_dropped),
                ("tidegate_connections", "Callers connected now.", connections),
            ),
        )
        self._registry.register(self._families)

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """What is counted now, by provider; calls that named none stand under `-`."""
        return self._tallies

    def register(self, collector: Collector) -> None:
        """Tell further families, which are collected at each scrape."""
        self._registry.register(collector)

    def also(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Tell one more counter (`_total`) or gauge without labels, read at each scrape. text: its help."""
        self._families.singles.append((name, text, read))

    def configure(self, providers: Iterable[str], objectives: Mapping[str, Slo] | None = None) -> None:
        """Take these providers from now on; what was counted for those that stay goes on.

        objectives: by provider; their thresholds become bounds of that provider's buckets, and where these change,
        its histograms of whole calls and first_byte begin anew.
        """
        bounds = {provider: bounds_with(slo.bounds_s) for provider, slo in (objectives or {}).items()}
        tallies = {provider: self._tallies.get(provider) or Tally() for provider in providers}
        for provider, tally in tallies.items():
            tally.fit(bounds.get(provider, LATENCY_S))
        self._tallies = {**tallies, UNNAMED: self._unnamed}

    def observe(self, event: Event) -> None:  # noqa: C901, PLR0912 - one flat case for each kind is easiest to read
        """Count an event; cheap, and never raises. Each kind has its case: mypy refuses a missing one."""
        match event:
            case CallEnded():
                self._of(event.provider).ended(event)
            case RetryScheduled():
                self._of(event.provider).retries.add(event.cause if event.cause in CAUSES else OTHER)
            case RetryDenied():
                self._of(event.provider).retries_denied.add(event.why)
            case BreakerChanged():
                self._of(event.provider).transitions.add(event.new)
            case PauseStarted(why="exhausted"):
                self._of(event.provider).quota_holds += 1
            case PauseStarted():
                self._of(event.provider).pauses += 1
            case WouldRefuse():
                self._of(event.provider).would_refuse.add(event.section)
            case SecretRead():
                self._of(event.provider).reloads.add(event.result)
            case CredentialHeld():
                self._of(event.provider).holds.add(event.secret)
            case TokenFetched():
                self._of(event.provider).tokens.add(event.result)
            case ConfigRead():
                self._config_reloads.add(event.result)
            case Acted():
                self._actions.add(f"{event.action} {event.result}")
            case RequestRefused():
                self._refused.add(event.reason)
            case DrainStarted():
                pass  # readiness tells it; the process is gone before a scrape would show a counter
            case _:
                assert_never(event)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Write all metrics in the format that the Accept field asks for.

        Returns: the body and its Content-Type: OpenMetrics 1.0, which alone has exemplars, or the plain text format.
        """
        # Nothing of the field is repeated in the answer, as the library's own choice would do.
        if chosen(accept) == "openmetrics":
            return openmetrics_text(self._registry), OPENMETRICS  # type: ignore[no-untyped-call] # the library's
        return plain_text(self._registry), CONTENT_TYPE_PLAIN_0_0_4

    def _of(self, provider: str) -> Tally:
        return self._tallies.get(provider) or self._unnamed
