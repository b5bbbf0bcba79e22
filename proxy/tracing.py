"""Spans for OpenTelemetry: none until the configuration asks for them, and changed with it."""

import importlib
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from proxy.core.events import CallEnded, Event
from proxy.core.profile import Profile
from proxy.core.secret import SecretRef, SecretSlot
from proxy.problems import Finding
from proxy.settings import Provider, Settings

if TYPE_CHECKING:
    from proxy.edge.observe.collector import Collector


def uninstalled(settings: Settings) -> list[Finding]:
    """Find tracing that is asked for where the packages for it are missing."""
    if settings.tracing is None:
        return []
    try:
        importlib.import_module("proxy.edge.observe.collector")  # OpenTelemetry is loaded only where it is wanted
    except ImportError:
        text = "needs OpenTelemetry, which is not installed; pip install 'tidegate[otel]', or leave tracing out"
        return [(("tracing",), text)]
    return []


class Tracing:
    """Hands sampled calls to the collector. exported, dropped: spans so far, whichever collector they were meant for.

    redact: takes every secret out of what is sent; safe from any thread.
    """

    def __init__(self, redact: Callable[[bytes], bytes]) -> None:
        self.exported = self.dropped = 0
        self._redact = redact
        self._counting = threading.Lock()
        self._collector: Collector | None = None

    def configure(
        self, settings: Settings, profiles: Mapping[str, Profile], slot: Callable[[SecretRef], SecretSlot]
    ) -> tuple[Callable[[Event], None], ...]:
        """Take a configuration. Returns: what hears of events; nothing where there is no tracing."""
        section = settings.tracing
        if section is None:
            self._replace(None)
            return ()
        from proxy.edge.observe.collector import Collector  # noqa: PLC0415 - loaded only where it is wanted
        from proxy.edge.observe.tracing import Spans, Upstream  # noqa: PLC0415 - as above

        headers = {name: [slot(ref) for ref in refs] for name, refs in section.headers.items()}
        collector = self._collector
        if collector is None or collector.url != section.endpoint:
            collector = Collector(section.endpoint, headers, self._redact, self._count)
            self._replace(collector)
        collector.use(headers)
        upstreams = {
            name: Upstream(profiles.get(name, provider.profile), _origins(provider))
            for name, provider in settings.providers.items()
        }
        spans = Spans(section.service, upstreams, time.time, random.getrandbits)

        def observe(event: Event) -> None:
            if type(event) is CallEnded and (trace := event.call.trace) is not None and trace.sampled:
                collector.put(spans.of(event, trace))

        return (observe,)

    def close(self) -> None:
        """Send what waits, for two seconds at most."""
        if self._collector is not None:
            self._collector.close()

    def _replace(self, collector: "Collector | None") -> None:
        old, self._collector = self._collector, collector
        if old is not None:  # it may take its time, and calls go on
            threading.Thread(target=old.close, name="tidegate-spans-end", daemon=True).start()

    def _count(self, exported: int, dropped: int) -> None:
        with self._counting:
            self.exported += exported
            self.dropped += dropped


def _origins(provider: Provider) -> dict[str, tuple[str, int]]:
    legs = {"": provider, **provider.accounts}
    return {account: (leg.base_url.host, leg.base_url.port) for account, leg in legs.items()}
