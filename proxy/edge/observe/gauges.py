"""From the policies' live state to gauges, at the moment of a scrape."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from prometheus_client.core import Metric

Snapshots = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By provider and section, as the policies' `snapshot(now)` tell it. `accounts` and `endpoint` hold such sections by
account and by name.
"""

MODED: Final = ("bulkhead", "breaker", "rate_limit", "credential")
"""The sections that an operator may hold in a state."""

_STATES: Final = ("closed", "open", "half_open")
_HELP: Final[Mapping[str, str]] = {
    "breaker_state": "1 for the state that the breaker is in.",
    "limiter_tokens": "Calls that may go out at once, by limit.",
    "retry_budget_tokens": "What retries may still cost.",
    "pause_remaining_seconds": "How long calls are still held back because the provider asked for it; 0 for none.",
    "in_flight": "Calls that hold a permit.",
    "queue_depth": "Calls that wait for a permit or a token.",
    "credential_expiry_timestamp_seconds": "When the credential in use ends.",
    "credential_last_used_timestamp_seconds": "When each of two live secrets was last sent; 0 for never.",
    "credential_unreadable": "1 while a secret or certificate can't be read; the last good one stays in use.",
    "credential_held": "1 while a secret is left alone because the provider refuses it.",
    "certificate_expiry_timestamp_seconds": "When the client certificate ends.",
    "operator_override": "1 while an operator holds a policy in that state.",
}


def gauges(snapshots: Snapshots) -> Iterator[Metric]:
    """Yield every gauge of the live state.

    An account's series have the label `account`; a provider's own have none, which to Prometheus is an empty one.
    """
    families = {name: Metric(f"tidegate_{name}", text, "gauge") for name, text in _HELP.items()}
    for labels, sections in _legs(snapshots):
        for name, more, value in _values(sections):
            if isinstance(value, int | float):  # a section that is off, or has nothing to tell, has no series
                families[name].add_sample(f"tidegate_{name}", {**labels, **more}, value)
    yield from families.values()


def _legs(snapshots: Snapshots) -> Iterator[tuple[dict[str, str], Mapping[str, Any]]]:
    """Yield the sections of every leg and endpoint, with the labels that tell them apart."""
    for provider, own in snapshots.items():
        accounts = own.get("accounts", {})
        for account, sections in [("", own), *accounts.items()]:
            more = {"account": account} if account else {}
            yield {"provider": provider, **more}, sections
            for key, endpoint in sections.get("endpoint", {}).items():
                yield {"provider": f"{provider}/{key}", **more}, endpoint


def _values(sections: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str], object]]:
    """Yield gauge, further labels and value."""
    if "breaker" in sections:
        for name in _STATES:
            yield "breaker_state", {"state": name}, float(sections["breaker"].get("state") == name)
    limiter, bulkhead = sections.get("rate_limit", {}), sections.get("bulkhead", {})
    limits = limiter.get("limits")
    for limit in limits if isinstance(limits, list | tuple) else ():
        yield "limiter_tokens", {"limit": str(limit.get("limit"))}, limit.get("tokens")
    yield "pause_remaining_seconds", {}, limiter.get("paused_s")
    yield "retry_budget_tokens", {}, sections.get("retry", {}).get("budget_tokens")
    yield "in_flight", {}, bulkhead.get("in_flight")
    waiting = [count for count in (bulkhead.get("queued"), limiter.get("waiting")) if isinstance(count, int)]
    yield "queue_depth", {}, sum(waiting) if waiting else None
    yield from _of_credential(sections.get("credential", {}))
    yield "credential_unreadable", {}, _unreadable(sections)
    yield "certificate_expiry_timestamp_seconds", {}, sections.get("upstream", {}).get("certificate_expires_ts")
    for section in MODED:
        told = sections.get(section, {})
        for state in (told.get("forced"), told.get("override")):
            yield "operator_override", {"section": section, "state": str(state)}, None if state is None else 1.0


def _of_credential(credential: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str], object]]:
    yield "credential_expiry_timestamp_seconds", {}, credential.get("expires_ts")
    for live in credential.get("live", ()):
        secret = {"secret": str(live.get("secret"))}
        yield "credential_last_used_timestamp_seconds", secret, live.get("last_used_ts")
        yield "credential_held", secret, float(live.get("held_s", 0.0) > 0.0)


def _unreadable(sections: Mapping[str, Any]) -> float | None:
    """Return 1.0 where the secrets or the certificate of a leg have a problem, None where it has neither."""
    problems = [secret.get("problem") for secret in sections.get("credential", {}).get("secrets", ())]
    tls = sections.get("upstream", {}).get("tls_problem")
    problems += [] if tls is None else [tls]
    return float(any(problems)) if problems else None
