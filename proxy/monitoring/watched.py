"""What can go wrong with the configured providers: which of them have a breaker, limits, tokens, a certificate."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from proxy.credentials import references
from proxy.monitoring.budget_alerts import pages
from proxy.monitoring.promql import one_of
from proxy.settings import Leg, Provider, Settings

PROVIDER: Final = "{{ $labels.provider }}"
LEG: Final = PROVIDER + "{{ with $labels.account }} (account {{ . }}){{ end }}"
"""How the texts of alerts name a provider, or the leg of one."""


class Watched:
    """The configured providers, asked for those to which an alert can apply; each answer is a matcher, "" for none.

    has_actions: whether operators can override anything.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._providers = settings.providers
        self.has_actions = settings.admin.token is not None

    def every(self) -> str:
        """Return all of them."""
        return _matcher(self._providers)

    def budgeted(self) -> str:
        """Return those whose error budget pages when calls fail."""
        return _matcher(filter(self._is_budgeted, self._providers))

    def unbudgeted(self) -> str:
        """Return the others."""
        return _matcher(name for name in self._providers if not self._is_budgeted(name))

    def credentialled(self) -> str:
        """Return those with a credential or certificate, the lack of which refuses calls."""
        return _matcher(str(where[1]) for where, _ in self._settings.secret_refs() if where[0] == "providers")

    def having(self, section: str, key: str = "", *, endpoints: bool = False) -> str:
        """Return those with a policy that is not off, and with `key` of it set.

        endpoints: with their token endpoints, which have breaker, retry and timeout of their own.
        """
        found = {name: one for name, one in self._providers.items() if _has(one, section, key)}
        if endpoints:
            more = [name for name, one in self._providers.items() if any(map(fetches_tokens, _legs(one)))]
            return _matcher([*found, *(f"{name}/.+" for name in more)])
        return _matcher(found)

    def of_legs(self, holds: Callable[[Leg], bool]) -> str:
        """Return those of whose legs one is such."""
        return _matcher(name for name, one in self._providers.items() if any(map(holds, _legs(one))))

    def rereading(self) -> str:
        """Return those with a secret or certificate that is read again while tidegate runs."""
        refs = self._settings.secret_refs()
        return _matcher(str(where[1]) for where, ref in refs if where[0] == "providers" and ref.source != "env")

    def _is_budgeted(self, name: str) -> bool:
        slo = self._settings.slo_of(name)
        return slo is not None and pages(slo)

    def patience(self) -> dict[float, str]:
        """Return those that wait for a limit of their own, by the longest wait in seconds that they allow."""
        found: dict[float, list[str]] = {}
        for name, one in self._providers.items():
            limits = [limit for leg in _legs(one) if (limit := leg.section("rate_limit")) and limit.limits]
            longest_s = max((limit.max_wait for limit in limits), default=0.0)
            if longest_s:
                found.setdefault(longest_s, []).append(name)
        return {longest_s: _matcher(names) for longest_s, names in sorted(found.items())}


def fetches_tokens(leg: Leg) -> bool:
    """Say whether a leg fetches access tokens, and so calls an endpoint for them."""
    credential = leg.section("credential")
    if not credential:
        return False
    parts = credential.of.values() if credential.scheme == "all" else (credential,)
    return any(part.scheme == "oauth2" for part in parts)


def replaces_secrets(leg: Leg) -> bool:
    """Say whether two secrets are live in a leg, of which one replaces the other."""
    credential = leg.section("credential")
    return bool(credential) and any(len(refs) > 1 for _, refs in references(credential))


def shows_certificate(leg: Leg) -> bool:
    """Say whether a leg has a client certificate."""
    return leg.tls is not None and leg.tls.client_certificate is not None


def _legs(provider: Provider) -> list[Leg]:
    return [leg for _, leg in provider.legs()]


def _has(provider: Provider, section: str, key: str) -> bool:
    configs: list[Any] = [leg.section(section) for leg in (provider, *_legs(provider)) if hasattr(leg, section)]
    return any(config and (not key or getattr(config, key)) for config in configs)


def _matcher(names: Iterable[str]) -> str:
    found = set(names)
    return one_of("provider", found) if found else ""
