"""Finds what is wrong between keys. It reads the plain values, so that it works beside other problems."""

import os.path
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from proxy.addresses import BaseUrl, parse_base_url
from proxy.core.profile import SecretPattern
from proxy.core.units import Listen, is_loopback, parse_listen
from proxy.edge.documents import KeyPath
from proxy.problems import Finding

_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})
_ROOT: Final = re.compile(r"[A-Za-z]+://[^/?#]*")
_DEFAULTS: Final[Mapping[str | int, str]] = {"egress": "127.0.0.1:4780", "admin": "127.0.0.1:4781"}

# Under these suffixes a name may be had by anybody; so many labels before one of them tell whose host it is.
_SHARED: Final[Mapping[str, int]] = {
    "co.jp": 1, "co.nz": 1, "co.uk": 1, "co.za": 1, "com.au": 1, "com.br": 1,
    "algolia.net": 1, "algolianet.com": 1, "amazonaws.com": 3, "azure.com": 2, "azurewebsites.net": 1,
    "cloudfront.net": 1, "elastic.cloud": 3, "herokuapp.com": 1, "myshopify.com": 1, "run.app": 2,
    "snowflakecomputing.com": 3, "upstash.io": 1, "windows.net": 3, "workers.dev": 2,
}  # fmt: skip


def contradictions(tree: dict[str, Any], patterns: Callable[[], Iterable[SecretPattern]]) -> Iterator[Finding]:
    """Find listeners that collide or reach too far, addresses that show a secret or send it in the clear, commands
    that are not allowed, files that are shared, and providers that can't be served.

    tree: the file with the presets beneath. patterns: gives the shapes of secrets that no address may hold.
    """
    yield from _of_listeners(tree)
    yield from _of_kept_tokens(tree)
    yield from _of_collector(tree)
    commands = _get(tree, ("secrets", "exec")) is True
    for name, entry in _providers(tree).items():
        unsupported = _get(entry, ("profile", "unsupported"))
        if unsupported and isinstance(unsupported, str):
            yield ("providers", name), unsupported
        for where, leg in _legs(("providers", name), entry):
            yield from _of_addresses(where, leg, patterns)
            if not commands:
                yield from _of_commands((*where, "credential"), _get(leg, ("credential",)))
                yield from _of_commands((*where, "tls"), _get(leg, ("tls",)))


def _of_addresses(where: KeyPath, leg: Any, patterns: Callable[[], Iterable[SecretPattern]]) -> Iterator[Finding]:
    clear = "sends secrets in the clear; write https://, or allow_cleartext: true"
    open_wire = _get(leg, ("allow_cleartext",)) is True
    url = _url(_get(leg, ("base_url",)))
    if url is not None:  # else it is said elsewhere
        if url.prefix and _holds_secret(url, patterns()):
            text = "holds what looks like a secret, and addresses are shown and logged; write it without"
            yield (*where, "base_url"), text
        if _is_clear(url) and not open_wire:
            yield (*where, "base_url"), clear
    for path, text in _texts((*where, "credential"), _get(leg, ("credential",))):
        if path[-1] != "token_url" or "://" not in text:
            continue  # else said elsewhere
        try:
            if _is_clear(parse_base_url(_root(text))) and not open_wire:
                yield path, clear
        except ValueError as error:
            yield path, str(error)


def _of_commands(where: KeyPath, section: Any) -> Iterator[Finding]:
    for path, text in _texts(where, section):
        if text.startswith("exec:/"):
            yield path, "runs a command, which is off; write secrets: {exec: true} at the top of the file to allow that"


def _of_collector(tree: dict[str, Any]) -> Iterator[Finding]:
    section = tree.get("tracing")
    url = _url(_root(_get(section, ("endpoint",))))
    if url is not None and _is_clear(url) and _get(section, ("allow_cleartext",)) is not True:
        text = "tells others on the way what calls are made; write https://, a collector on this machine, or "
        yield ("tracing", "endpoint"), text + "allow_cleartext: true"


def _of_kept_tokens(tree: dict[str, Any]) -> Iterator[Finding]:
    """Find refresh tokens that share a file: each would overwrite the other, and then send one that is used up."""
    legs = (leg for name, entry in _providers(tree).items() for leg in _legs(("providers", name), entry))
    texts = (found for where, leg in legs for found in _texts((*where, "credential"), _get(leg, ("credential",))))
    taken: dict[str, KeyPath] = {}
    for path, text in texts:
        other = taken.setdefault(os.path.normpath(text), path) if path[-1] == "persist" else path
        if other is not path:
            yield path, f"the same file as {'.'.join(map(str, other))}; give each its own"


def misdirected(base_url: Any, usual: Iterable[str]) -> bool:
    """Say whether an address, whatever its path and query, is another one than those for which a secret is meant.

    usual: URLs that may have it. Hosts of one domain, such as a provider's regions, may have the same secret; where
    anybody may have a name in the domain, only those of one tenant.
    """
    own, meant = _url(_root(base_url)), [url for text in usual if (url := _url(_root(text))) is not None]
    if own is None or not meant:
        return False  # said elsewhere
    return own.scheme == "builtin" or not any(_domain(own.host) == _domain(url.host) for url in meant)


def _of_listeners(tree: dict[str, Any]) -> Iterator[Finding]:
    taken: list[tuple[KeyPath, Listen]] = []
    remote = _get(tree, ("egress", "allow_remote")) is True
    for path, listen in _listeners(tree):
        if not listen.is_local and not remote and path[0] != "admin":
            yield path, "other machines can reach this address; write 127.0.0.1, or egress.allow_remote: true"
        for other, before in taken:
            if _collide(listen, before):
                yield path, f"the same address as {'.'.join(map(str, other))}; give each its own"
        taken.append((path, listen))


def _listeners(tree: dict[str, Any]) -> Iterator[tuple[KeyPath, Listen]]:
    own = (("providers", name, "listen") for name in _providers(tree))
    for path in [("egress", "listen"), ("admin", "listen"), *own]:
        text = _get(tree, path) or _DEFAULTS.get(path[0])
        try:
            yield path, parse_listen(text)
        except ValueError:
            continue  # absent, or said elsewhere


def _collide(one: Listen, other: Listen) -> bool:
    if one.path or other.path:
        return one.path == other.path
    same_host = one.host == other.host or not _ANY_ADDRESS.isdisjoint((one.host, other.host))
    return same_host and one.port == other.port != 0


def _holds_secret(url: BaseUrl, patterns: Iterable[SecretPattern]) -> bool:
    text = f"{url.host}{url.prefix}".encode()
    # A host's name alone is none, and a shape begins a word here: `task-` is no `sk-`.
    return any(
        match.end() > len(url.host) and not text[max(match.start() - 1, 0) : match.start()].isalnum()
        for pattern in patterns
        for match in pattern.compiled().finditer(text)
    )


def _is_clear(url: BaseUrl) -> bool:
    return url.scheme == "http" and not is_loopback(url.host)


def _legs(where: KeyPath, entry: Any) -> Iterator[tuple[KeyPath, Any]]:
    yield where, entry
    accounts = _get(entry, ("accounts",))
    for name, account in accounts.items() if isinstance(accounts, dict) else ():
        yield (*where, "accounts", name), account


def _texts(where: KeyPath, node: Any) -> Iterator[tuple[KeyPath, str]]:
    """Yield every text in a section, with its path."""
    if isinstance(node, str):
        yield where, node
    elif isinstance(node, dict | list):
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _texts((*where, key), inner)


def _domain(host: str) -> list[str]:
    labels = host.removesuffix(".").split(".")
    if labels[-1].isdigit():
        return labels  # an IPv4 address: what ends alike is no neighbour
    return labels[-2 - _SHARED.get(".".join(labels[-2:]), 0) :]


def _root(text: Any) -> Any:
    """Return a URL without its path and query."""
    match = _ROOT.match(text) if isinstance(text, str) else None
    return text if match is None else match[0]


def _url(text: Any) -> BaseUrl | None:
    try:
        return parse_base_url(text)
    except ValueError:
        return None


def _providers(tree: dict[str, Any]) -> dict[str, Any]:
    entries = tree.get("providers")
    return entries if isinstance(entries, dict) else {}


def _get(node: Any, path: KeyPath) -> Any:
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node
