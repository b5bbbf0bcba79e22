"""Finds what is valid and yet can't be meant, by what the profiles know of their providers."""

import math
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from proxy.config import Loaded
from proxy.core.call import IDEMPOTENT
from proxy.core.profile import Published
from proxy.core.secret import SecretRef, SecretRefs
from proxy.core.units import Rate
from proxy.credentials import AllOf
from proxy.credentials.grant_config import OAuth2Config
from proxy.edge.documents import KeyPath
from proxy.edge.secrets import Secrets
from proxy.presets import Presets
from proxy.problems import Finding
from proxy.settings import Leg, Provider
from proxy.wording import key_place

_SANDBOXES: Final = frozenset({"sandbox", "test"})
_LIVE: Final = frozenset({"live", "prod", "production"})
_WORD: Final = re.compile(r"[a-z]+")
_PAIRS: Final = (("username", "password"), ("access_key", "secret_key"), ("access_key", "session_token"))
"""Keys whose secrets go together, the one that tells who it is first."""

_NAMED: Final = 3  # so many presets are named whose secrets look the same


def contrary_to_profile(loaded: Loaded) -> Iterator[Finding]:
    """Find limits above the published ones, POSTs that are not what they seem, secrets of the other world (sandbox or
    live), accounts that are none, and credentials that will not outlive a rotation.
    """
    for name, provider in loaded.settings.providers.items():
        where = ("providers", name)
        yield from _limits(loaded, where, provider)
        yield from _posts(loaded, where, provider)
        yield from _worlds(loaded, where, provider)
        yield from _accounts(where, provider)
        yield from _credentials(loaded, where, provider)


def misplaced(loaded: Loaded) -> Iterator[Finding]:
    """Find secrets that have the shape of another provider's, and are about to be sent to this one.

    Only where the preset supplies the address: whoever writes another one knows what it takes. No command is run.
    """
    presets = Presets(loaded.own_presets)
    for where, ref in loaded.settings.secret_refs():
        if where[0] != "providers":
            continue
        provider, leg, path = _user(loaded, where)
        if leg.host is None and not _is_presets(loaded, (*path, "base_url")):
            continue
        text = _text(ref)
        if not text or any(shape.compiled().search(text) for shape in provider.profile.secret_patterns):
            continue
        if owners := _owners(text, presets):
            named = " or ".join(owners[:_NAMED])
            yield where, f"{ref} holds what looks like a secret of {named}; put the right one there, or name another"


def _limits(loaded: Loaded, where: KeyPath, provider: Provider) -> Iterator[Finding]:
    told: set[tuple[object, Rate]] = set()  # what accounts have from their provider's entry is told once
    for path, leg in provider.legs():
        config, at = leg.section("rate_limit"), (*where, *path, "rate_limit", "limits")
        for limit in config.limits if config and _is_users(loaded, at) else ():
            widest = _exceeded(limit, provider.profile.published)
            if widest is not None and (loaded.origins[at], limit) not in told:
                told.add((loaded.origins[at], limit))
                text = (
                    f"{limit} is more than the provider publishes ({widest.limit}, {widest.what}); write less, or"
                    " under profile.published the limit that you agreed on"
                )
                yield at, text


def _exceeded(limit: Rate, published: tuple[Published, ...]) -> Published | None:
    """Return the most generous of the published limits when this one is above all that speak of so short a time."""
    comparable = [one for one in published if one.limit.window_s <= limit.window_s]
    widest = max(comparable, key=lambda one: _most(one.limit, limit.window_s), default=None)
    return widest if widest is not None and limit.count > _most(widest.limit, limit.window_s) else None


def _most(rate: Rate, window_s: float) -> int:
    """Return how many calls the rate allows in a window that is as long as its own or longer."""
    return rate.count * math.ceil(window_s / rate.window_s)


def _posts(loaded: Loaded, where: KeyPath, provider: Provider) -> Iterator[Finding]:
    minting, profile = provider.section("idempotency"), provider.profile
    place = key_place(profile.idempotency)
    if not place or not provider.section("retry"):
        return
    if profile.idempotency.mint and not (minting and minting.mint):
        text = (
            f"makes no keys, so a POST without the {place} is never sent again; leave it out: a key that the caller"
            " sends is kept all the same"
        )
        yield (*where, "idempotency", *(("mint",) if minting else ())), text
    at = (*where, "profile", "repeatable")
    known = loaded.origin((*where, "profile", "idempotency")) != "default"
    for number, one in enumerate(profile.repeatable if known and _is_users(loaded, at) else ()):
        if one.path == "/*" and not IDEMPOTENT.issuperset(one.methods):
            text = f"sends every POST again without the {place} that the provider knows; name the paths that only read"
            yield (*at, number, "path"), text


def _worlds(loaded: Loaded, where: KeyPath, provider: Provider) -> Iterator[Finding]:
    """Find what is named for the sandbox and goes to the live host, or the other way round."""
    sandbox = next((name for name in provider.profile.hosts if name in _SANDBOXES), None)
    if sandbox is None:
        return
    named = [((*where, *path), str((*where, *path)[-1])) for path, _ in provider.legs()]
    secrets = [(path, ref) for path, ref in loaded.settings.secret_refs() if path[:2] == where]
    named += [(path, PurePath(ref.name).name) for path, ref in secrets if ref.source != "exec"]
    for at, name in named:
        _, leg, entry = _user(loaded, at)
        if leg.host == sandbox:
            own, other, todo = _SANDBOXES, _LIVE, "leave host out"
        elif _is_presets(loaded, (*entry, "base_url")):
            own, other, todo = _LIVE, _SANDBOXES, f"write host: {sandbox}"
        else:
            continue
        words = set(_WORD.findall(name.lower()))
        if words & other and not words & own:
            yield at, f"{name} does not fit {leg.base_url}, where it is used; {todo}, or call it otherwise"


def _accounts(where: KeyPath, provider: Provider) -> Iterator[Finding]:
    known = {} if provider.needs_account else {_identity(provider): "the provider's own"}
    for name, account in provider.accounts.items():
        other = known.setdefault(_identity(account), name)
        if other is not name:
            text = f"sends the same credential to the same host as {other}; write another credential, or leave it out"
            yield (*where, "accounts", name), text


def _credentials(loaded: Loaded, where: KeyPath, provider: Provider) -> Iterator[Finding]:
    told: set[tuple[object, ...]] = set()  # what accounts have from their provider's entry is told once
    for at, config in _schemes(where, provider):
        for keys, key, text in (*_unpaired(config), *_forgetful(config)):
            written = tuple(loaded.origins.get((*at, one)) for one in keys)
            if written not in told:
                told.add(written)
                yield (*at, key), text


def _schemes(where: KeyPath, provider: Provider) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the settings of every scheme, those inside of `all` by themselves."""
    for path, leg in provider.legs():
        config, at = leg.section("credential"), (*where, *path, "credential")
        parts = config.of.items() if isinstance(config, AllOf.Config) else ()
        yield from [((*at, "of", name), part) for name, part in parts] or [(at, config)]


_Flaw = tuple[tuple[str, ...], str, str]
"""The keys that make it up, the one to look at, and what is wrong."""


def _unpaired(config: Any) -> Iterator[_Flaw]:
    """Find two secrets of which only one has a new and an old value: the other one's only value fits one of them."""
    for keys in _PAIRS:
        refs = [getattr(config, key, None) for key in keys]
        first, second = (len(ref) if isinstance(ref, SecretRefs) else 0 for ref in refs)
        # One user whose password changes is the usual; an AWS key never changes under the same name.
        if first and second and first != second and not (keys[0] == "username" and first == 1):
            two, one = keys if first > second else keys[::-1]
            text = f"names two secrets, and {one}, which goes with it, one; write a list of two there too, new and old"
            yield keys, two, text


def _forgetful(config: Any) -> Iterator[_Flaw]:
    if isinstance(config, OAuth2Config) and config.grant == "refresh_token" and config.persist is None:
        text = (
            "may be replaced by the endpoint whenever it is used, and a restart or reload would send the used one;"
            " write persist: /absolute/path, a file of its own that keeps the latest"
        )
        yield ("refresh_token", "persist"), "refresh_token", text


def _identity(leg: Leg) -> tuple[str, ...]:
    return repr(leg.section("credential")), str(leg.base_url), repr(leg.tls)  # both hold references only


def _user(loaded: Loaded, where: KeyPath) -> tuple[Provider, Leg, KeyPath]:
    """Return whose key this is: the provider, the leg, and the path of the leg's entry."""
    provider = loaded.settings.providers[str(where[1])]
    if where[2:3] == ("accounts",):
        return provider, provider.accounts[str(where[3])], where[:4]
    return provider, provider, where[:2]


def _text(ref: SecretRef) -> bytes:
    """Return a secret, b"" when it can't be read; a document, and what a command gives, is none of our business."""
    told: list[str] = []
    if ref.source != "exec" and not ref.document:
        Secrets(told.append).slot(ref)
    return told[0].encode() if told else b""


def _owners(text: bytes, presets: Presets) -> list[str]:
    return [
        name for name in presets.names if any(shape.compiled().fullmatch(text) for shape in presets.patterns_of(name))
    ]


def _is_presets(loaded: Loaded, path: KeyPath) -> bool:
    return loaded.origin(path).startswith("preset ")


def _is_users(loaded: Loaded, path: KeyPath) -> bool:
    return loaded.origin(path).startswith("config ")
