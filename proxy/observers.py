"""Everything that hears of events: log, metrics, objectives, recent calls, audit and traces, in one place."""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from proxy.config import Loaded
from proxy.core.errors import ConfigError
from proxy.core.events import Event
from proxy.edge.observe.latencies import Latencies
from proxy.edge.observe.log import Log
from proxy.edge.observe.metrics import Metrics
from proxy.edge.observe.objectives import ObjectiveMeters
from proxy.edge.observe.recent import Recent
from proxy.edge.observe.slo_families import SloFamilies
from proxy.edge.secrets import Secrets
from proxy.providers import Providers, now
from proxy.sansio.redact import Redactor
from proxy.sections import Audit as AuditSection
from proxy.tracing import Tracing

if TYPE_CHECKING:
    from proxy.edge.observe.audit import Audit

Sink = Callable[[Event], None]


class Observers:
    """Hands each event to whoever is configured to hear of it.

    redactor: takes every secret out of what is written. fd: where the log goes. snapshots: the policies' live state.
    connections: callers connected now.
    """

    def __init__(
        self,
        loaded: Loaded,
        redactor: Redactor,
        fd: int,
        snapshots: Callable[[], dict[str, dict[str, Any]]],
        connections: Callable[[], int],
    ) -> None:
        settings = loaded.settings
        self.connections = connections
        self.recent = Recent(settings.admin.recent_calls)
        self.log = Log(redactor.redact, settings.log, wall=time.time, fd=fd, recent=self.recent)
        self.objectives = ObjectiveMeters(now)
        self.metrics = Metrics(
            settings.providers,
            snapshots,
            log_dropped=lambda: self.log.dropped,
            connections=connections,
        )
        self.metrics.register(SloFamilies(self.objectives.readings, self.objectives.excluded))
        self.latencies = Latencies(lambda: self.metrics.tallies, now, time.time)
        self.metrics.also("tidegate_log_sampled_total", "Lines of successes left out.", lambda: self.log.sampled)
        self._tracing = Tracing(redactor.redact)
        self.metrics.also("tidegate_spans_exported_total", "Spans sent.", lambda: self._tracing.exported)
        self.metrics.also("tidegate_spans_dropped_total", "Spans that were lost.", lambda: self._tracing.dropped)
        self._audit = None if settings.audit is None else self._open_audit(loaded, settings.audit, redactor)
        self._always: tuple[Sink, ...] = (self.metrics.observe, self.log.emit)
        self._sinks: tuple[Sink, ...] = self._always
        self._broken: set[Sink] = set()

    def emit(self, event: Event) -> None:
        """Tell everybody; never blocks, never raises: a bug in one costs neither the call nor the others."""
        for sink in self._sinks:
            try:
                sink(event)
            except Exception as error:  # noqa: BLE001 - whatever it is; a try costs nothing while nothing is raised
                self._complain(sink, error)

    def configure(self, loaded: Loaded, providers: Providers, secrets: Secrets) -> None:
        """Take a configuration, once the providers have taken it."""
        settings = loaded.settings
        objectives = {name: slo for name in settings.providers if (slo := settings.slo_of(name)) is not None}
        self.recent.resize(settings.admin.recent_calls)
        self.objectives.configure(objectives)
        self.metrics.configure(providers.names, objectives)
        self.log.configure(settings.log, providers.profiles())
        # Who has nothing to do is not asked: this is done for every call.
        self._broken.clear()
        self._sinks = (*self._always, self.objectives.observe) if objectives else self._always
        self._sinks += self._tracing.configure(settings, providers.profiles(), secrets.slot)
        if self._audit is not None and settings.audit is not None:
            keys = [secrets.slot(ref) for ref in settings.audit.key or ()]
            self._audit.configure(settings.audit, providers.profiles(), keys)
            self._sinks += (self._audit.observe,)

    def tick(self) -> None:
        """Do what is due now and then; call it every second."""
        self.latencies.tick()

    def close(self) -> None:
        """Write what still waits."""
        if self._audit is not None and not self._audit.close():
            text = "the disk, or who holds the lock on the audit log, is too slow; its last records are lost"
            self.log.text("error", "tidegate.audit", text)
        self._tracing.close()
        self.log.close()

    def _complain(self, sink: Sink, error: Exception) -> None:
        if sink not in self._broken:  # once for each until the next reload: what breaks on one call breaks on many
            self._broken.add(sink)
            logging.getLogger("tidegate").error("bug while an event was told; calls go on", exc_info=error)

    def _open_audit(self, loaded: Loaded, section: AuditSection, redactor: Redactor) -> "Audit":
        from proxy.edge.observe.audit import Audit  # noqa: PLC0415 - who keeps none need not load it

        try:
            audit = Audit(section, redactor.redact, time.time)
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            text = f"can't be written there: {why}; write another path"
            raise ConfigError([loaded.problem(("audit", "file"), text)]) from None
        self.metrics.also("tidegate_audit_records_total", "Records in the audit log.", lambda: audit.records)
        self.metrics.also("tidegate_audit_dropped_total", "Audit records that were lost.", lambda: audit.dropped)
        return audit
