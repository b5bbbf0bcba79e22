"""Tells what a provider's stack is made of and where each value came from, and what becomes of one request."""

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

from proxy.config import Loaded, Provider
from proxy.core.call import IDEMPOTENT, NO_BODY, Call, Policy
from proxy.core.record import Record
from proxy.credentials import references
from proxy.edge.documents import KeyPath
from proxy.promises import promise_rows, promises_of_call
from proxy.sansio.idempotency import IdempotencyKeys
from proxy.sansio.masking import PathMask
from proxy.sansio.paths import has_dot_segment
from proxy.sansio.templates import compile_any, path_of
from proxy.settings import Leg, Settings
from proxy.stack import PER_CALL, PER_UPSTREAM
from proxy.wording import deadline_of, few, key_place, keyed_calls, limits_of, places_of, secret_of, timeouts_of

Row = tuple[str, str, str]
"""Key, value, where it came from."""

_OF_A_LEG: Final = ("base_url", "allow_private", "allow_cleartext", "pool", "tls")
_WIDEST: Final = 48
_SEND_KEYS: Final = ("base_url", "listen", "allow_private", "allow_cleartext", "trace", "rewrite_urls", "pool", "tls")


def explain(loaded: Loaded, name: str) -> str:
    """Return the stack of a provider from top to bottom: every effective value and its origin, then its accounts.

    Secrets appear as their references.
    """
    provider = loaded.settings.providers[name]
    lines = [f"{name}: {title}" if (title := provider.profile.title) else name, *_addresses(loaded, name), ""]
    return "\n".join(lines + _table(stack_rows(loaded, name)))


def stack_rows(loaded: Loaded, name: str) -> list[Row]:
    """Return the same as rows; what belongs to a section is indented by two blanks."""
    provider, where = loaded.settings.providers[name], ("providers", name)
    rows: list[Row] = []
    for policy in PER_CALL + PER_UPSTREAM:
        rows += _section(loaded, (*where, policy.section), provider.section(policy.section))
        rows += _meaning(loaded, name, policy)
    rows.append(("send", "", ""))
    for key in _SEND_KEYS:
        rows += _rows(loaded, (*where, key), getattr(provider, key), f"  {key}")
    if hosts := provider.profile.hosts:
        rows.append(("  hosts", few(f"{host}: {url}" for host, url in hosts.items()), ""))
    rows += promise_rows(loaded, name)
    for account, leg in provider.accounts.items():
        rows += _account(loaded, name, account, leg)
    return rows


def explain_call(loaded: Loaded, name: str, method: str, path: str, account: str | None = None) -> str:
    """Return what would happen to a request with this method and path (and query) of the provider.

    account: as in `Tidegate-Account`. Raises: ValueError when the request can't be one, or has no such account.
    """
    provider = loaded.settings.providers[name]
    if not method.isalpha() or not method.isascii():
        raise ValueError("the method must be a word such as POST")
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path or "#" in path:
        raise ValueError("the path must begin with / and be as on the wire: percent-encoded, without blanks")
    leg = _leg(provider, account)
    call = Call(name, method.upper(), path.encode(), [], NO_BODY, Record(0.0))
    title = f"{call.method} {path}"
    profile = provider.profile
    if has_dot_segment(path) and not profile.dot_segments:
        return f"{title}\n  refused with 400: this provider's paths may not hold dot segments"
    if account is None and provider.needs_account:
        return f"{title}\n  refused with 400: it must name an account in Tidegate-Account, {_known(provider)}"
    token = compile_any((profile.token_path,) if profile.token_path else ())
    if token is not None and token.fullmatch(path_of(call.target)) and leg.section("credential"):
        return f"{title}\n  answered by tidegate with a placeholder: it fetches the real token itself"
    rows = [
        ("goes to", _url(leg, path)),
        ("account", _account_of(provider, account)),
        ("deadline", deadline_of(provider)),
        ("limits", limits_of(leg)),
        ("sent again", _repeat(provider, leg, call)),
        ("timeouts", timeouts_of(leg)),
        ("injected", _injected(provider, leg)),
        ("promised", promises_of_call(loaded.settings.slo_of(name), call.method, path_of(call.target))),
        ("logged as", PathMask(profile, frozenset(loaded.settings.log.query))(call.target)),
    ]
    return "\n".join([title, *(f"  {key:<12}{value}" for key, value in rows if value)])


def _leg(provider: Provider, account: str | None) -> Leg:
    if account is None:
        return provider
    if account not in provider.accounts:
        raise ValueError(f"no such account; this provider has {_known(provider) if provider.accounts else 'none'}")
    return provider.accounts[account]


def _known(provider: Provider) -> str:
    return f"one of {', '.join(provider.accounts)}"


def _account_of(provider: Provider, account: str | None) -> str:
    if account is not None:
        return account
    return f"the provider's own; Tidegate-Account chooses {_known(provider)}" if provider.accounts else ""


def _section(loaded: Loaded, path: KeyPath, config: Any) -> list[Row]:
    name = str(path[-1])
    if config is False:
        return [(name, "off", loaded.origin(path))]
    live = {} if name != "credential" else {key: secret_of(refs) for key, refs in references(config)}
    rows = _rows(loaded, path, config, "")
    return [(name, "", ""), *((label, live.get(_key_of(label), value), origin) for label, value, origin in rows)]


def _key_of(label: str) -> KeyPath:
    return tuple(label.strip().split("."))


def _meaning(loaded: Loaded, name: str, policy: type[Policy]) -> Iterator[Row]:
    """Yield what the settings of a section come to, together with what the profile says."""
    provider = loaded.settings.providers[name]
    config, profile, where = provider.section(policy.section), provider.profile, ("providers", name)
    if policy.section == "credential" and config:
        yield "  goes to", few(places_of(config, profile)), loaded.origin((*where, "credential"))
    if policy.section == "idempotency" and key_place(profile.idempotency):
        made = "made where missing" if _mints(provider) else "only the caller's"
        text = f"{key_place(profile.idempotency)} of {keyed_calls(profile.idempotency)}; {made}"
        yield "  key", text, loaded.origin((*where, "profile", "idempotency"))
    if policy.section == "retry" and config and profile.repeatable:
        text = few(f"{'/'.join(one.methods)} {one.path}" for one in profile.repeatable)
        yield "  only reads", text, loaded.origin((*where, "profile", "repeatable"))


def _mints(provider: Provider) -> bool:
    config = provider.section("idempotency")
    return bool(config and config.mint and provider.profile.idempotency.mint)


def _account(loaded: Loaded, name: str, account: str, leg: Leg) -> Iterator[Row]:
    """Yield what makes an account different from the provider's entry."""
    provider = loaded.settings.providers[name]
    where, own = ("providers", name, "accounts", account), ("providers", name)
    yield f"account {account}", "", ""
    for key in _OF_A_LEG:
        before = dict(_pairs(_rows(loaded, (*own, key), getattr(provider, key), f"  {key}")))
        rows = _rows(loaded, (*where, key), getattr(leg, key), f"  {key}")
        yield from (row for row in rows if before.get(row[0]) != row[1])
    for policy in PER_UPSTREAM:
        section = policy.section
        before = dict(_pairs(_section(loaded, (*own, section), provider.section(section))))
        for label, value, origin in _section(loaded, (*where, section), leg.section(section)):
            if before.get(label) != value and value:
                yield f"  {section}.{label.strip()}" if label != section else f"  {section}", value, origin


def _pairs(rows: Any) -> Iterator[tuple[str, str]]:
    return ((label, value) for label, value, _ in rows)


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
    # A long value pushes its own origin aside, not everybody's.
    wide = [max(len(row[column]) for row in rows if len(row[column]) <= _WIDEST) + 2 for column in (0, 1)]
    return [f"{key:<{wide[0]}}{value:<{wide[1] - 2}}  {origin}".rstrip() for key, value, origin in rows]


def ways_to(settings: Settings, name: str) -> list[str]:
    """Return every address by which callers reach a provider: path, host, and a port of its own."""
    listen, own = settings.egress.listen, settings.providers[name].listen
    if listen.path:
        ways = [f"{listen} with the path /{name}"]
    else:
        ways = [f"http://{listen}/{name}", f"http://{name}.localhost:{listen.port}"]
    return ways if own is None else [*ways, str(own) if own.path else f"http://{own}"]


def _addresses(loaded: Loaded, name: str) -> list[str]:
    provider, ways = loaded.settings.providers[name], ways_to(loaded.settings, name)
    accounts = [f"with Tidegate-Account, {_known(provider)}"] if provider.needs_account else []
    return ["reached at " + ", ".join(ways), *accounts]


def _url(leg: Leg, path: str) -> str:
    if leg.base_url.scheme == "builtin":
        return f"the built-in mock provider, {path}"
    return f"{leg.base_url}{path}"


def _repeat(provider: Provider, leg: Leg, call: Call) -> str:
    config, keys, method = leg.section("retry"), IdempotencyKeys(provider.profile), call.method
    if not config or config.attempts == 1:
        return "never: retry is off" if not config else "never: retry.attempts is 1"
    most = f"{config.attempts} attempts at most"
    if method in IDEMPOTENT:
        return f"yes, {most}: {method} is idempotent"
    if keys.reads_only(call):
        return f"yes, {most}: this one only reads"
    if not keys.takes_key(call):
        return f"only while no byte of it was sent, {most}: {method} may act twice, and no key prevents that here"
    place = key_place(provider.profile.idempotency)
    if keys.has_key(call):
        return f"yes, {most}: its {place} tells a second one"
    if _mints(provider):
        where = " of a JSON body" if provider.profile.idempotency.field else ""
        return f"yes, {most}: the {place}{where} tells a second one, and is put in where the caller sent none"
    return f"with the {place}, {most}; without it only while no byte of it was sent"


def _injected(provider: Provider, leg: Leg) -> str:
    config = leg.section("credential")
    if not config:
        return "nothing; the caller's own credential goes through"
    refs = ", ".join(dict.fromkeys(secret_of(refs) for _, refs in references(config)))
    return f"{few(places_of(config, provider.profile))} from {refs}; the caller's own is removed"
