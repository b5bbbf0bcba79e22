"""The configured providers, live: each with its stack, its connections and its place in the listener's table."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from proxy.core.call import Policy
from proxy.core.events import Event
from proxy.core.runtime import Runtime
from proxy.edge.listener.routes import Route
from proxy.edge.secrets import Secrets
from proxy.edge.upstream.dial import Origin
from proxy.edge.upstream.engine import Engine
from proxy.policies.credential import Credential
from proxy.sansio.classify import Classifier
from proxy.settings import BaseUrl, Provider
from proxy.stack import build

now: Final = time.monotonic
"""The loop's own clock (CLOCK_MONOTONIC), read afresh: uvloop's `time()` stands still for a whole pass and
counts whole milliseconds, too coarse to tell what tidegate itself costs."""


@dataclass(frozen=True, slots=True)
class Live:
    """One provider at work. config: what it was built from, so that a reload keeps it when nothing changed."""

    config: Provider
    route: Route
    layers: list[Policy]
    engine: Engine

    def snapshot(self, at: float) -> dict[str, dict[str, object]]:
        """Tell the live state of every layer, outside in, then of the connections."""
        state = {layer.section: layer.snapshot(at) for layer in self.layers}
        state["upstream"] = self.engine.snapshot()
        return state

    def adopt(self, old: "Live") -> None:
        """Go on with what the old layers knew about the provider; another address is another provider."""
        if self.config.base_url != old.config.base_url:
            return
        before = {layer.section: layer for layer in old.layers}
        for layer in self.layers:
            if layer.section in before:
                layer.adopt(before[layer.section])

    def missing_secrets(self) -> list[str]:
        """Return the references whose secret has never been read, each with the reason."""
        slots = [slot for layer in self.layers if isinstance(layer, Credential) for slot in layer.slots()]
        return [f"{slot.ref}: {slot.problem}" for slot in slots if slot.secret is None]


class Providers:
    """All live providers; `update` swaps them in one step."""

    def __init__(self, secrets: Secrets, emit: Callable[[Event], None], builtin: Callable[[], BaseUrl]) -> None:
        self._secrets = secrets
        self._emit = emit
        self._builtin = builtin
        self._live: dict[str, Live] = {}
        self.routes: Mapping[str, Route] = {}

    def update(self, configured: Mapping[str, Provider]) -> None:
        """Take the configured providers. One that did not change keeps its breaker, limiter and connections; one
        that did goes on with what its layers knew, and calls under way in it end where they began.
        """
        live = {name: self._kept(name, config) or self._build(name, config) for name, config in configured.items()}
        gone = [old for name, old in self._live.items() if live.get(name) is not old]
        for name, one in live.items():
            if (before := self._live.get(name)) is not None and before is not one:
                one.adopt(before)
        self._live = live
        self.routes = {name: one.route for name, one in live.items()}
        for old in gone:
            old.engine.close()

    def _kept(self, name: str, config: Provider) -> Live | None:
        old = self._live.get(name)
        return old if old is not None and old.config == config else None

    def _build(self, name: str, config: Provider) -> Live:
        url = self._builtin() if config.base_url.scheme == "builtin" else config.base_url
        origin = Origin(url.scheme, url.host, url.port, url.prefix.encode(), config.allow_private)
        engine = Engine(origin, config.pool, Classifier(config.profile), now)
        runtime = Runtime(
            provider=name,
            profile=config.profile,
            now=now,
            wall=time.time,
            random=random.random,
            emit=self._emit,
            secret=lambda ref: self._secrets.slot(ref, name),
        )
        handler, layers = build(config.section, runtime, engine)
        request_id = config.profile.request_id
        route = Route(
            name,
            handler,
            config.profile,
            config.trace == "restart",
            None if request_id is None else request_id.encode(),
        )
        return Live(config, route, layers, engine)

    def snapshots(self, at: float) -> dict[str, dict[str, dict[str, object]]]:
        """Tell the live state of every policy of every provider."""
        return {name: one.snapshot(at) for name, one in self._live.items()}

    def missing_secrets(self) -> list[str]:
        """Return one line per secret that has never been read."""
        return [f"{name}: {problem}" for name, one in self._live.items() for problem in one.missing_secrets()]

    def request_ids(self) -> dict[str, str]:
        """Return, per provider, the header that holds its own id of a call."""
        known = {name: one.config.profile.request_id for name, one in self._live.items()}
        return {name: header for name, header in known.items() if header is not None}

    def close(self) -> None:
        """Close every free connection."""
        for one in self._live.values():
            one.engine.close()
