"""Sees to it that no secret goes where it was not meant to: by an address written above it, or a token endpoint."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proxy.contradictions import misdirected
from proxy.edge.documents import KeyPath
from proxy.locating import Locating
from proxy.problems import Finding

_REFERENCE = ("env:", "file:", "exec:")


def strays(locating: Locating, levels: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]) -> Iterator[Finding]:
    """Find the first secret of an entry that its base_url, or a token_url, would lead to a stranger.

    A secret may go to the hosts that its own level or one beneath knows, and to their domains. levels: the entry as
    written, then those beneath it. entry: all of them laid over one another and located.
    """
    secrets = _secrets(levels, entry.get("credential"))
    key = ("host",) if locating.by_host else ("base_url",)
    yield from _from_above(secrets, levels, (key, locating.level, entry.get("base_url")), locating)
    for path, url in _texts((), entry.get("credential")):
        if path[-1] == "token_url":
            at = ("credential", *path), _level(levels, path), url
            yield from _from_above(secrets, levels, at, locating)


def _from_above(
    secrets: Mapping[KeyPath, int],
    levels: Sequence[Mapping[str, Any]],
    address: tuple[KeyPath, int, Any],
    locating: Locating,
) -> Iterator[Finding]:
    where, level, url = address
    for path, owner in secrets.items():
        if owner > level and misdirected(url, locating.known_from(owner)):
            whose = "preset" if owner == len(levels) - 1 else "provider"
            key = ".".join(map(str, ("credential", *path)))
            text = f"another host than the {whose}'s, which would get the {whose}'s secret; write {key} beside it, "
            yield where, text + "or credential: off"
            return


def _secrets(levels: Sequence[Mapping[str, Any]], credential: Any) -> dict[KeyPath, int]:
    """Return the level at which each reference of a credential was written."""
    paths = (path for path, text in _texts((), credential) if text.startswith(_REFERENCE))
    return {path: _level(levels, path) for path in paths}


def _level(levels: Sequence[Mapping[str, Any]], path: KeyPath) -> int:
    """Return the topmost level that has this key of the credential: what lies beneath it does not count."""
    for at, level in enumerate(levels):
        node: Any = level.get("credential")
        for key in path:
            node = node.get(key) if isinstance(node, Mapping) else None
        if node is not None:
            return at
    return len(levels)


def _texts(where: KeyPath, node: Any) -> Iterator[tuple[KeyPath, str]]:
    """Yield every text in a credential with its key; one of two live references has the key of the list."""
    if isinstance(node, str) and where:
        yield where, node
    elif isinstance(node, dict):
        for key, inner in node.items():
            yield from _texts((*where, key), inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _texts(where, inner)
