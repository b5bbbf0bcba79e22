"""Tells what a provider's stack is made of and where each value came from, and what becomes of one request."""

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

from proxy.config import Loaded, Provider
from proxy.core.call import IDEMPOTENT
from proxy.core.profile import Profile
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.core.units import format_duration
from proxy.credentials import SCHEMES
from proxy.edge.documents import KeyPath
from proxy.sansio.paths import has_dot_segment
from proxy.stack import PER_CALL, PER_UPSTREAM

Row = tuple[str, str, str]
"""Key, value, where it came from."""

_SEND_KEYS: Final = ("base_url", "listen", "allow_private", "allow_cleartext", "trace", "pool")


def explain(loaded: Loaded, name: str) -> str:
    """Return the stack of a provider from top to bottom: every effective value and its origin.

    Secrets appear as their references.
    """
    provider = loaded.settings.providers[name]
    rows: list[Row] = []
    for policy in PER_CALL + PER_UPSTREAM:
        rows += _section(loaded, ("providers", name, policy.section), provider.section(policy.section))
    rows.append(("send", "", ""))
    for key in _SEND_KEYS:
        rows += _rows(loaded, ("providers", name, key), getattr(provider, key), f"  {key}")
    lines = [f"{name}: {title}" if (title := provider.profile.title) else name, *_addresses(loaded, name), ""]
    return "\n".join(lines + _table(rows))


def explain_call(loaded: Loaded, name: str, method: str, path: str) -> str:
    """Return what would happen to a request with this method and path (and query) of the provider.

    Raises: ValueError when the two can't be a request.
    """
    provider = loaded.settings.providers[name]
    if not method.isalpha() or not method.isascii():
        raise ValueError("the method must be a word such as POST")
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path or "#" in path:
        raise ValueError("the path must begin with / and be as on the wire: percent-encoded, without blanks")
    method = method.upper()
    if has_dot_segment(path) and not provider.profile.dot_segments:
        return f"{method} {path}\n  refused with 400: this provider's paths may not hold dot segments"
    rows = [
        ("goes to", _url(provider, path)),
        ("deadline", _deadline(provider)),
        ("limits", _limits(provider)),
        ("sent again", _repeat(provider, method)),
        ("timeouts", _timeouts(provider)),
        ("injected", _injected(provider)),
    ]
    return "\n".join([f"{method} {path}", *(f"  {key:<12}{value}" for key, value in rows)])


def injected_names(config: Any, profile: Profile) -> list[str]:
    """Return where a credential goes: `header NAME` or `query NAME`. No secret is read for it."""

    def slot_of(ref: SecretRef) -> SecretSlot:
        slot = SecretSlot(ref)
        slot.put(Secret("placeholder"))
        return slot

    # The scheme itself is asked, so that this can't tell anything else than what it does.
    target, headers = SCHEMES[config.scheme](config, slot_of, profile).apply(b"/", [])
    pairs = target.decode().partition("?")[2].split("&")
    return [f"header {key.decode()}" for key, _ in headers] + [f"query {p.partition('=')[0]}" for p in pairs if p]


def _section(loaded: Loaded, path: KeyPath, config: Any) -> list[Row]:
    name = str(path[-1])
    if config is False:
        return [(name, "off", loaded.origin(path))]
    return [(name, "", ""), *_rows(loaded, path, config, "")]


def _rows(loaded: Loaded, path: KeyPath, value: Any, label: str) -> Iterator[Row]:
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    if isinstance(plain, dict):
        for key, inner in plain.items():
            yield from _rows(loaded, (*path, key), inner, f"{label}.{key}" if label else f"  {key}")
    else:
        yield label, _shown(plain), loaded.origin(path)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


def _table(rows: list[Row]) -> list[str]:
    wide = [max(len(row[column]) for row in rows) + 2 for column in (0, 1)]
    return [f"{key:<{wide[0]}}{value:<{wide[1]}}{origin}".rstrip() for key, value, origin in rows]


def _addresses(loaded: Loaded, name: str) -> list[str]:
    listen, own = loaded.settings.egress.listen, loaded.settings.providers[name].listen
    if listen.path:
        ways = [f"{listen} with the path /{name}"]
    else:
        ways = [f"http://{listen}/{name}", f"http://{name}.localhost:{listen.port}"]
    ways += [] if own is None else [str(own) if own.path else f"http://{own}"]
    return ["reached at " + ", ".join(ways)]


def _url(provider: Provider, path: str) -> str:
    if provider.base_url.scheme == "builtin":
        return f"the built-in mock provider, {path}"
    return f"{provider.base_url}{path}"


def _deadline(provider: Provider) -> str:
    config = provider.section("deadline")
    return f"{format_duration(config.total)} for the whole call" if config else "none"


def _timeouts(provider: Provider) -> str:
    config = provider.section("timeout")
    if not config:
        return "none"
    connect, attempt, idle = map(format_duration, (config.connect, config.attempt, config.body_idle))
    return f"connect {connect}, answer {attempt} per attempt, {idle} between two pieces of a body"


def _limits(provider: Provider) -> str:
    config = provider.section("rate_limit")
    if not config:
        return "none"
    if not config.limits:
        return "none configured; the provider's own pauses count"
    wait = f"waits {format_duration(config.max_wait)} at most"
    how = "only counted (mode: report)" if config.mode == "report" else wait
    return f"{', '.join(map(str, config.limits))}; every attempt counts; {how}"


def _repeat(provider: Provider, method: str) -> str:
    config, key = provider.section("retry"), provider.profile.idempotency
    if not config or config.attempts == 1:
        return "never: retry is off" if not config else "never: retry.attempts is 1"
    most = f"{config.attempts} attempts at most"
    if method in IDEMPOTENT:
        return f"yes, {most}: {method} is idempotent"
    if key.header and method in key.methods:
        return f"with the header {key.header}, {most}; without it only while no byte of it was sent"
    return f"only while no byte of it was sent, {most}: {method} may act twice, and no header prevents that here"


def _injected(provider: Provider) -> str:
    config = provider.section("credential")
    if not config:
        return "nothing; the caller's own credential goes through"
    refs = ", ".join(str(value) for _, value in config if isinstance(value, SecretRef))
    return f"{', '.join(injected_names(config, provider.profile))} from {refs}; the caller's own is removed"
