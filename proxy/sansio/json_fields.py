"""Finds and changes single values in a JSON text (RFC 8259), and keeps every other byte of it."""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import orjson

Steps = tuple[str | None, ...]
"""The way to a place: a key, or None for every element of an array."""

Tree = dict[str | None, "Tree"]
"""Several ways at once; the key "", which no path can name, marks the end of one."""

Found = tuple[int, int, object]
"""Where a value stands in the text (start and end in characters) and what it is; numbers are floats."""

_HERE: Final = ""
_PLAIN: Final = re.compile(r"[ !#-\[\]-~]*")  # neither quote nor backslash: JSON has one way to write it but \u00
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_OBJECT: Final = re.compile(rb"[ \t\n\r]*\{[ \t\n\r]*")
_read: Final = json.JSONDecoder(parse_int=float).raw_decode  # an int of a million digits would take minutes


@lru_cache(maxsize=1024)
def steps_of(path: str) -> Steps:
    """Read a FieldPath: `error.code`, `links[].href`, `[].properties.token`."""
    steps: list[str | None] = []
    for part in path.split("."):
        key = part.removesuffix("[]")
        steps += [key] if key else []
        steps += [None] if key != part else []
    return tuple(steps)


@lru_cache(maxsize=256)
def _tree_of(paths: tuple[str, ...]) -> Tree:
    tree: Tree = {}
    for path in paths:
        node = tree
        for step in steps_of(path):
            node = node.setdefault(step, {})
        node[_HERE] = {}
    return tree


def values(document: Any, path: str) -> list[Any]:
    """Return the values at a place of a parsed document, in their order."""
    found = [document]
    for step in steps_of(path):
        if step is None:
            found = [element for each in found if isinstance(each, list) for element in each]
        else:
            found = [each[step] for each in found if isinstance(each, dict) and step in each]
    return found


def find(data: bytes, paths: tuple[str, ...]) -> list[object] | None:
    """Return the values at these places of a JSON text, of keys that occur twice both; None when it is no JSON."""
    sure = _all_values(data, paths)
    if sure is not None:
        return sure
    found = _find(data, paths)
    return None if found is None else [value for _, _, value in found[1]]


def replace(data: bytes, paths: tuple[str, ...], new: Callable[[object], str | None]) -> bytes | None:
    """Return the text with the values at these places replaced, of keys that occur twice both.

    new: takes a value and returns the text that shall stand there, None to leave it, the same for the same value; for
    a place within another one the outer counts.
    Returns: the same object when nothing changed, None when it is no JSON.
    """
    edited = _replace_alike(data, paths, new)
    if edited is not None:
        return edited
    found = _find(data, paths)
    if found is None:
        return None
    text, places = found
    pieces = []
    done = 0
    for start, end, value in places:
        written = new(value)
        if written is not None:
            pieces += [text[done:start], json.dumps(written)]
            done = end
    return "".join((*pieces, text[done:])).encode() if pieces else data


def _replace_alike(data: bytes, paths: tuple[str, ...], new: Callable[[object], str | None]) -> bytes | None:
    """Do what `replace` does where all values are one and the same plain text, as a placeholder is.

    Returns: None when that can't be told.
    """
    found = _all_values(data, paths)
    if not found:
        return None if found is None else data
    old = found[0]
    if not isinstance(old, str) or not _PLAIN.fullmatch(old) or any(value != old for value in found):
        return None
    quoted = b'"%b"' % old.encode()
    if data.count(quoted) != len(found):  # the same text stands elsewhere too
        return None
    written = new(old)
    return data if written is None else data.replace(quoted, json.dumps(written).encode())


def _all_values(data: bytes, paths: tuple[str, ...]) -> list[object] | None:
    """Find the values with a parser that is many times as fast, and keeps the last one of keys that occur twice.

    Keys that can be spelt in one way only are counted: when the text has as many as there are values, none is there
    twice. Returns: None when that can't be told.
    """
    keys = {steps_of(path)[-1] or "" for path in paths}
    if b"\\u00" in data or b"\\/" in data or not all(key and _PLAIN.fullmatch(key) for key in keys):
        return None
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None  # it may yet be nearly JSON, such as with NaN in it
    found = [value for path in paths for value in values(document, path)]
    return found if len(found) == sum(data.count(b'"%b"' % key.encode()) for key in keys) else None


def insert_first(data: bytes, key: str, value: str) -> bytes | None:
    """Return a JSON object's text with one more member before all others; None when it is no object.

    No more than its beginning is looked at.
    """
    match = _OBJECT.match(data)
    if match is None:
        return None
    at = data.index(b"{") + 1
    comma = "" if data[match.end() : match.end() + 1] == b"}" else ","
    return data[:at] + f"{json.dumps(key)}:{json.dumps(value)}{comma}".encode() + data[at:]


def _find(data: bytes, paths: tuple[str, ...]) -> tuple[str, list[Found]] | None:
    try:
        text = data.decode()
        found: list[Found] = []
        end = _walk(text, _skip_space(text, 0), _tree_of(paths), found)
    except (ValueError, RecursionError):  # RecursionError: nested deeper than any API wants it
        return None
    return (text, found) if _skip_space(text, end) == len(text) else None


def _skip_space(text: str, at: int) -> int:
    # At most places there is none, and a search costs more than a look.
    return _SPACE.match(text, at).end() if text[at : at + 1] in " \t\n\r" else at  # type: ignore[union-attr]  # matches ""


def _walk(text: str, at: int, tree: Tree, found: list[Found]) -> int:
    """Collect what the tree names in the value that begins here. Returns: its end. Raises: ValueError."""
    first = text[at : at + 1]
    if _HERE not in tree:
        if first == "[" and None in tree:
            return _walk_array(text, at, tree[None], found)
        if first == "{" and tree.keys() != {None}:
            return _walk_object(text, at, tree, found)
    value, end = _read(text, at)
    if _HERE in tree:
        found.append((at, end, value))
    return end


def _walk_array(text: str, at: int, tree: Tree, found: list[Found]) -> int:
    at = _skip_space(text, at + 1)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        at = _skip_space(text, _walk(text, at, tree, found))
        if text[at : at + 1] == "]":
            return at + 1
        at = _past(text, at, ",")


def _walk_object(text: str, at: int, tree: Tree, found: list[Found]) -> int:
    at = _skip_space(text, at + 1)
    if text[at : at + 1] == "}":
        return at + 1
    while True:
        if text[at : at + 1] != '"':
            raise ValueError("a key must stand here")
        key, at = _read(text, at)
        at = _past(text, _skip_space(text, at), ":")
        inner = tree.get(key)
        at = _walk(text, at, inner, found) if inner else _read(text, at)[1]
        at = _skip_space(text, at)
        if text[at : at + 1] == "}":
            return at + 1
        at = _past(text, at, ",")


def _past(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise ValueError(f"{sign} must stand here")
    return _skip_space(text, at + 1)
