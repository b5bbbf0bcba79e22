"""The configured providers, live: each with its legs, and its place in the listener's table."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proxy.addresses import BaseUrl
from proxy.core.call import Policy
from proxy.core.events import Event
from proxy.core.profile import Profile
from proxy.edge.listener.rewrite import Rewriter
from proxy.edge.listener.routes import Route, stop_line
from proxy.edge.secrets import Secrets
from proxy.legs import Around, LiveLeg, build_leg, essence, now
from proxy.policies.credential import Credential
from proxy.sansio.hosts import Served
from proxy.settings import Provider
from proxy.stack import PER_CALL, build, joint, keep_overrides, take_over

__all__ = ["Live", "Providers", "now"]


@dataclass(frozen=True, slots=True)
class Live:
    """One provider at work.

    config: what it was built from, so that a reload keeps it when nothing changed. layers: those above the legs.
    legs: by account, "" for the provider's own.
    """

    config: Provider
    route: Route
    layers: list[Policy]
    legs: dict[str, LiveLeg]

    def snapshot(self, at: float) -> dict[str, Any]:
        """Tell the live state of every layer, outside in, then of the connections, then of the accounts."""
        state: dict[str, Any] = {layer.section: layer.snapshot(at) for layer in self.layers}
        accounts = {account: leg.snapshot(at) for account, leg in self.legs.items()}
        state |= accounts.pop("", {})
        return {**state, "accounts": accounts} if accounts else state

    def by_account(self) -> dict[str, dict[str, Policy]]:
        """Return every layer by account and section; those of whole calls count as the provider's own."""
        layers = {account: leg.layers for account, leg in self.legs.items()}
        layers[""] = [*self.layers, *layers.get("", [])]
        return {account: {one.section: one for one in own} for account, own in layers.items()}

    def actions(self) -> dict[str, dict[str, list[str]]]:
        """Tell what an operator may do, by account and section."""
        return {
            account: {section: list(layer.actions) for section, layer in own.items() if layer.actions}
            for account, own in self.by_account().items()
        }

    def missing_secrets(self) -> Iterator[str]:
        """Yield the references whose secret has never been read, each with the reason."""
        for account, leg in self.legs.items():
            for problem in leg.missing_secrets():
                yield f"account {account}: {problem}" if account else problem


class Providers:
    """All live providers; `update` swaps them in one step. served: the listeners' addresses, which they tell."""

    def __init__(self, secrets: Secrets, emit: Callable[[Event], None], builtin: Callable[[], BaseUrl]) -> None:
        self._around = Around(secrets, emit, builtin)
        self._live: dict[str, Live] = {}
        self.routes: Mapping[str, Route] = {}
        self.served = Served()

    def update(self, configured: Mapping[str, Provider]) -> None:
        """Take the configured providers. What did not change keeps its breaker, limiter and connections, a provider
        or one account of it; what did goes on with what its layers knew, and calls under way in it end where they
        began.
        """
        live = {name: self._kept(name, config) or self._build(name, config) for name, config in configured.items()}
        kept = {id(leg) for one in live.values() for leg in one.legs.values()}
        gone = [leg for old in self._live.values() for leg in old.legs.values() if id(leg) not in kept]
        self._live = live
        self.routes = {name: one.route for name, one in live.items()}
        for leg in gone:
            leg.close()

    def _kept(self, name: str, config: Provider) -> Live | None:
        old = self._live.get(name)
        return old if old is not None and old.config == config else None

    def _build(self, name: str, config: Provider) -> Live:
        before = self._live.get(name)
        known = before.legs if before is not None else {}
        legs = {path[-1] if path else "": leg for path, leg in config.legs()}
        live = {account: known.get(account) for account in legs}
        for account, leg in legs.items():
            old = live[account]
            if old is None or old.essence != essence(leg, config.profile):
                fresh = build_leg(name, account, leg, config.profile, self._around)
                if old is not None:
                    fresh.adopt(old)
                live[account] = fresh
        return self._joined(name, config, {account: leg for account, leg in live.items() if leg is not None})

    def _joined(self, name: str, config: Provider, legs: dict[str, LiveLeg]) -> Live:
        """Put the layers of whole calls over the legs."""
        first = next(iter(legs.values()))
        send = (
            joint({account or None: leg.handler for account, leg in legs.items()}) if config.accounts else first.handler
        )
        handler, layers = build(config.section, first.runtime, send, PER_CALL)
        before = self._live.get(name)
        if before is not None:
            if before.config.base_url == config.base_url:
                take_over(layers, before.layers)
            keep_overrides(layers, before.layers)
        profile = config.profile
        request_id = None if profile.request_id is None else profile.request_id.encode()
        rewriter = Rewriter(
            profile.urls,
            {account: leg.engine.origin for account, leg in legs.items()},
            _conceal(legs),
            lambda: self.served,
            leads=config.rewrite_urls,
        )
        restart = config.trace == "restart"
        accounts = tuple(config.accounts), config.needs_account
        route = Route(name, handler, profile, restart, request_id, stop_line(profile), rewriter, *accounts)
        return Live(config, route, layers, legs)

    @property
    def names(self) -> list[str]:
        """Every name under which events are told: the providers', and those of their token endpoints."""
        endpoints = {
            f"{name}/{key}"
            for name, one in self._live.items()
            for leg in one.legs.values()
            for key in leg.endpoints.keys
        }
        return [*self._live, *sorted(endpoints)]

    @property
    def users(self) -> set[tuple[str, str]]:
        """Every provider and account that has a leg, the account "" for the provider's own."""
        return {(name, account) for name, one in self._live.items() for account in one.legs}

    def snapshots(self, at: float) -> dict[str, dict[str, Any]]:
        """Tell the live state of every policy of every provider."""
        return {name: one.snapshot(at) for name, one in self._live.items()}

    def layers(self, name: str) -> dict[str, dict[str, Policy]]:
        """Return the layers of a provider by account ("" for its own) and section; empty for one that is not there."""
        return self._live[name].by_account() if name in self._live else {}

    def actions(self) -> dict[str, dict[str, dict[str, list[str]]]]:
        """Tell what an operator may do, by provider, account ("" for none) and section."""
        return {name: one.actions() for name, one in self._live.items()}

    def missing_secrets(self) -> list[str]:
        """Return one line per secret that has never been read."""
        return [f"{name}: {problem}" for name, one in self._live.items() for problem in one.missing_secrets()]

    def profiles(self) -> dict[str, Profile]:
        """Return what is known of each provider."""
        return {name: one.config.profile for name, one in self._live.items()}

    def close(self) -> None:
        """Close every free connection."""
        for one in self._live.values():
            for leg in one.legs.values():
                leg.close()


def _conceal(legs: Mapping[str, LiveLeg]) -> Callable[[bytes], bytes]:
    """Return what takes the credentials of all legs out of a URL."""
    layers = [layer for leg in legs.values() for layer in leg.layers]
    schemes = [scheme for layer in layers if isinstance(layer, Credential) for scheme in layer.schemes]

    def conceal(url: bytes) -> bytes:
        for scheme in schemes:
            url = scheme.conceal(url)
        return url

    return conceal
