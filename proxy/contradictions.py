"""Finds what is wrong between keys. It reads the plain values, so that it works beside other problems."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from proxy.core.profile import SecretPattern
from proxy.core.units import Listen, is_loopback, parse_listen
from proxy.edge.documents import KeyPath
from proxy.problems import Finding
from proxy.settings import BaseUrl, parse_base_url

_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})
_DEFAULTS: Final[Mapping[str | int, str]] = {"egress": "127.0.0.1:4780", "admin": "127.0.0.1:4781"}


def contradictions(tree: dict[str, Any], patterns: Iterable[SecretPattern]) -> Iterator[Finding]:
    """Find listeners that collide or reach too far, and addresses that show a secret or send it in the clear.

    tree: the file with the presets beneath. patterns: the shapes of secrets that no address may hold.
    """
    yield from _of_listeners(tree)
    known = tuple(patterns)
    for name, entry in _providers(tree).items():
        where = ("providers", name, "base_url")
        url = _url(_get(entry, ("base_url",)))
        if url is None:
            continue  # said elsewhere
        if _holds_secret(url, known):
            yield where, "holds what looks like a secret, and addresses are shown and logged; write it without"
        if url.scheme == "http" and not is_loopback(url.host) and _get(entry, ("allow_cleartext",)) is not True:
            yield where, "sends secrets in the clear; write https://, or allow_cleartext: true"


def misdirected(entry: dict[str, Any], preset: dict[str, Any]) -> str:
    """Say what is wrong when an entry would send its preset's own secret to another host; "" when nothing is.

    Hosts of one domain, such as a provider's regions, may have the same secret.
    """
    supplied, own, usual = preset.get("credential"), _url(entry.get("base_url")), _url(preset.get("base_url"))
    written = entry.get("credential")
    if not supplied or written or written is False or own is None or usual is None:
        return ""
    if own.scheme != "builtin" and (own.host == usual.host or _domain(own.host) == _domain(usual.host)):
        return ""
    return "another host than the preset's, which would get the preset's secret; write credential, or credential: off"


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


def _holds_secret(url: BaseUrl, patterns: tuple[SecretPattern, ...]) -> bool:
    text = f"{url.host}{url.prefix}".encode()
    # A host's name alone is none, and a shape begins a word here: `task-` is no `sk-`.
    return any(
        match.end() > len(url.host) and not text[max(match.start() - 1, 0) : match.start()].isalnum()
        for pattern in patterns
        for match in pattern.compiled().finditer(text)
    )


def _domain(host: str) -> list[str]:
    return host.removesuffix(".").split(".")[-2:]


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
