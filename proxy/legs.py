"""One leg: the stack of one upstream, a provider's own or that of one of its accounts, with its connections."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from proxy.addresses import BaseUrl
from proxy.core.call import Handler, Policy
from proxy.core.events import Event
from proxy.core.profile import Profile
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRef, SecretSlot
from proxy.edge.secrets import Secrets
from proxy.edge.upstream.dial import Origin
from proxy.edge.upstream.engine import Engine
from proxy.edge.upstream.tls import Tls
from proxy.endpoints import Endpoints
from proxy.policies.credential import Credential
from proxy.sansio.classify import Classifier
from proxy.settings import Account, Leg
from proxy.stack import PER_UPSTREAM, build, keep_overrides, take_over

now: Final = time.monotonic
"""The loop's own clock (CLOCK_MONOTONIC), read afresh: uvloop's `time()` stands still for a whole pass and
counts whole milliseconds, too coarse to tell what tidegate itself costs."""


@dataclass(frozen=True, slots=True)
class Around:
    """What all legs share. builtin: where the built-in provider was started."""

    secrets: Secrets
    emit: Callable[[Event], None]
    builtin: Callable[[], BaseUrl]


@dataclass(frozen=True, slots=True)
class LiveLeg:
    """One leg at work. essence: all that it was built from, so that a reload keeps it when nothing changed."""

    essence: tuple[Any, ...]
    base_url: BaseUrl
    runtime: Runtime
    handler: Handler
    layers: list[Policy]
    engine: Engine
    endpoints: Endpoints

    def snapshot(self, at: float) -> dict[str, Any]:
        """Tell the live state of every layer, outside in, then of the connections and the token endpoint."""
        state: dict[str, Any] = {layer.section: layer.snapshot(at) for layer in self.layers}
        state["upstream"] = self.engine.snapshot()
        if endpoints := self.endpoints.snapshots(at):
            state["endpoint"] = endpoints
        return state

    def adopt(self, old: "LiveLeg") -> None:
        """Go on with what the old layers knew about the provider; another address is another provider."""
        if self.base_url == old.base_url:
            take_over(self.layers, old.layers)
            self.endpoints.adopt(old.endpoints)
        keep_overrides(self.layers, old.layers)  # an operator means the provider, wherever it lies

    def missing_secrets(self) -> list[str]:
        """Return the references whose secret has never been read, each with the reason."""
        slots = [slot for layer in self.layers if isinstance(layer, Credential) for slot in layer.slots()]
        return [*(f"{slot.ref}: {slot.problem}" for slot in slots if slot.secret is None), *self.engine.missing]

    def close(self) -> None:
        """Close free connections now, busy ones after their exchange."""
        self.engine.close()
        self.endpoints.close()


def essence(config: Leg, profile: Profile) -> tuple[Any, ...]:
    """Return all that makes a leg what it is; two legs of the same essence are the same."""
    return (profile, *(getattr(config, name) for name in Account.model_fields))


def build_leg(name: str, account: str, config: Leg, profile: Profile, around: Around) -> LiveLeg:
    """Build the leg of a provider, or of one of its accounts ("" for the provider's own)."""
    url = around.builtin() if config.base_url.scheme == "builtin" else config.base_url
    origin = Origin(url.scheme, url.host, url.port, url.prefix.encode(), config.allow_private)
    tls = partial(_tls, name, account, config, around)
    engine = Engine(origin, config.pool, Classifier(profile), now, tls())
    endpoints = Endpoints(config, tls)
    secrets = around.secrets
    slots: dict[SecretRef, SecretSlot] = {}
    runtime = Runtime(
        provider=name,
        profile=profile,
        now=now,
        wall=time.time,
        random=random.random,
        emit=around.emit,
        secret=lambda ref: slots.setdefault(ref, secrets.slot(ref, name, account)),
        account=account,
        authority=origin.authority,
        base_path=origin.base_path,
        protect=lambda text: secrets.protect(text, f"{name}/{account}"),
        reread=secrets.reread,
        generations=lambda: tuple((ref, slot.generation) for ref, slot in slots.items()),
        endpoint=lambda url, profile: endpoints.open(url, profile, runtime),
    )
    handler, layers = build(config.section, runtime, engine, PER_UPSTREAM)
    return LiveLeg(essence(config, profile), config.base_url, runtime, handler, layers, engine, endpoints)


def _tls(name: str, account: str, config: Leg, around: Around) -> Tls | None:
    if config.tls is None:
        return None
    return Tls(config.tls, (name, account), lambda ref: around.secrets.slot(ref, name, account), around.emit)
