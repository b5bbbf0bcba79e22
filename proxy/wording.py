"""Says in words, for people, what a provider's settings mean: one wording for all pages that show them."""

from collections.abc import Iterable
from typing import Any, Final

from proxy.core.call import IDEMPOTENT, Reply
from proxy.core.profile import Idempotency, Profile, Reset
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRef, SecretRefs, SecretSlot
from proxy.core.units import format_duration
from proxy.credentials import SCHEMES
from proxy.settings import Leg

SAFE_METHODS: Final = tuple(sorted(IDEMPOTENT - {"TRACE"}, key=["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].index))
"""The methods of calls that may always be sent twice, in the order in which people think of them."""

_UNITS: Final = {
    "auto": "seconds or a date",
    "seconds": "seconds",
    "milliseconds": "milliseconds",
    "epoch": "unix seconds",
    "epoch_ms": "unix milliseconds",
    "date": "a date",
    "rfc3339": "a time such as 2027-01-15T08:00:00Z",
    "duration": "a duration such as 6m0s",
}
_OFTEN: Final = 6
"""So many paths are listed; of more only the number is told."""


def deadline_of(provider: Leg) -> str:
    """Say how long a whole call may take."""
    config = provider.section("deadline")
    return f"{format_duration(config.total)} for the whole call" if config else "none"


def timeouts_of(leg: Leg) -> str:
    """Say how long the parts of one attempt may take."""
    config = leg.section("timeout")
    if not config:
        return "none"
    connect, attempt, idle = map(format_duration, (config.connect, config.attempt, config.body_idle))
    return f"connect {connect}, answer {attempt} per attempt, {idle} between two pieces of a body"


def limits_of(leg: Leg) -> str:
    """Say which limits hold calls back, and for how long."""
    config = leg.section("rate_limit")
    if not config:
        return "none"
    if not config.limits:
        return "none configured; the provider's own pauses count"
    wait = f"waits {format_duration(config.max_wait)} at most"
    how = "only counted (mode: report)" if config.mode == "report" else wait
    return f"{', '.join(map(str, config.limits))}; every attempt counts; {how}"


def key_place(key: Idempotency) -> str:
    """Say where the key of a repeated call stands, "" where the provider knows none."""
    if key.header:
        return f"header {key.header}"
    if key.field:
        return f"body field {key.field}"
    return f"query key {key.query}" if key.query else ""


def keyed_calls(key: Idempotency) -> str:
    """Say which calls take a key: those of which it decides whether they are sent again."""
    methods = ", ".join(method for method in key.methods if method not in IDEMPOTENT)
    return f"{methods} to {few(key.paths)}" if key.paths else methods


def few(texts: Iterable[str]) -> str:
    """List some texts, and of many only the number."""
    listed = tuple(texts)
    return ", ".join(listed) if len(listed) <= _OFTEN else f"{len(listed)} paths such as {listed[0]}"


def reset_of(reset: Reset) -> str:
    """Say which header tells a wait, and in which unit."""
    unless = f", when {reset.when_zero} is 0" if reset.when_zero else ""
    return f"{reset.header} ({_UNITS[reset.unit]}{unless})"


def secret_of(refs: SecretRefs) -> str:
    """Name the places of a secret; of two live ones, which is the new one."""
    return f"{refs[0]} (new), {refs[1]} (old)" if len(refs) > 1 else str(refs)


def places_of(config: Any, profile: Profile) -> list[str]:
    """Say where a credential goes: `header NAME`, `query NAME` and the like. No secret is read for it."""
    slot = SecretSlot(SecretRef("env", "PLACEHOLDER"))
    return list(SCHEMES[config.scheme](config, lambda _: slot, _nowhere(profile)).places)


def _nowhere(profile: Profile) -> Runtime:
    """Return surroundings in which a scheme can be made and asked, and in which nothing happens."""

    async def reread() -> None:
        return None

    return Runtime(
        provider="-",
        profile=profile,
        now=lambda: 0.0,
        wall=lambda: 0.0,
        random=lambda: 0.0,
        emit=lambda _: None,
        secret=SecretSlot,
        account="",
        authority=b"",
        base_path=b"",
        protect=lambda _: None,
        reread=reread,
        generations=tuple,
        endpoint=lambda *_: _no_endpoint,
    )


async def _no_endpoint(_: object) -> Reply:
    raise RuntimeError("nothing is sent while settings are shown")
