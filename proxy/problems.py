"""Says in plain words, with file, line and key, what pydantic found wrong."""

import contextlib
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from proxy.core.units import format_duration, format_size, parse_duration, parse_size
from proxy.edge.documents import KeyPath

Finding = tuple[KeyPath, str]
"""Where something is wrong in the configuration, and what."""

# By pydantic's error types; braces are filled from the error's context. None of them holds the input.
_TEXTS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "string_type": "must be text; put it in quotes",
    "string_too_short": "must not be empty",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "tuple_type": "must be a list, such as [a, b]",
    "list_type": "must be a list, such as [a, b]",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "union_tag_not_found": "needs a scheme; write for instance {{scheme: bearer, token: env:NAME}}",
    "union_tag_invalid": "has an unknown scheme; write one of {expected_tags}",
    "finite_number": "must be a finite number",
}
_BOUNDS: Final = frozenset({"gt", "ge", "lt", "le"})


def findings(error: ValidationError, tree: Any, schema: dict[str, Any]) -> list[Finding]:
    """Turn a ValidationError on `tree` into findings, at most one per key.

    schema: JSON Schema of the model, which knows the keys that may stand at a place.
    """
    found: dict[KeyPath, str] = {}
    names: list[Finding] = []
    for details in error.errors(include_url=False, include_input=False):
        path = _path(details, tree)
        if details["loc"][-1] == "[key]":
            names.append((path, _text(details, path, schema)))
        else:
            details["ctx"] = _bounds(details.get("ctx", {}), _value(tree, path))
            found.setdefault(path, _text(details, path, schema))
    # Where a union's one branch complains about a key inside, the others' complaint about the whole says nothing.
    inside = [*found, *(path for path, _ in names)]
    around = {path[:size] for path in inside for size in range(len(path))}
    return names + [(path, text) for path, text in found.items() if path not in around]


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most like `word`, "" when none is."""
    matches = difflib.get_close_matches(word.lower().replace("-", "_"), list(known), 1, 0.6)
    return matches[0] if matches else ""


def known_keys(schema: dict[str, Any], path: KeyPath) -> list[str]:
    """Return the keys that may stand in the mapping at `path`, in alphabetical order."""
    nodes = _expand(schema, schema)
    for part in path:
        nodes = [leaf for node in nodes for child in _children(node, part) for leaf in _expand(child, schema)]
    return sorted({key for node in nodes for key in node.get("properties", ())})


def _path(details: ErrorDetails, tree: Any) -> KeyPath:
    """Drop from pydantic's location what names a branch of a union instead of a key of the file."""
    path: list[int | str] = []
    node = tree
    tag: object = None
    loc = details["loc"]
    for index, part in enumerate(loc):
        is_missing = details["type"] == "missing" and index == len(loc) - 1
        is_there = part != tag and _holds(node, part)
        tag = None
        if is_there or is_missing:
            path.append(part)
        if is_there:
            node = node[part]
            tag = node.get("scheme") if isinstance(node, dict) else None
    return tuple(path)


def _holds(node: Any, part: int | str) -> bool:
    return part in node if isinstance(node, dict) else isinstance(node, list) and part in range(len(node))


def _text(details: ErrorDetails, path: KeyPath, schema: dict[str, Any]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        known = known_keys(schema, path[:-1])
        near = nearest(str(path[-1]), known)
        return f"unknown key; did you mean {near}?" if near else f"unknown key; known here: {', '.join(known)}"
    if kind == "value_error":
        return str(context.get("error", "is not valid")).replace("\n", " ")
    return _TEXTS[kind].format_map(context) if kind in _TEXTS else "is not valid"


def _value(tree: Any, path: KeyPath) -> Any:
    for part in path:
        tree = tree[part] if _holds(tree, part) else None
    return tree


def _bounds(context: dict[str, Any], value: object) -> dict[str, Any]:
    """Write bounds in the value's own unit: what is written as 1s must be at least 1h, not 3600.0."""
    written: Callable[[Any], str] = "{:.12g}".format
    for parse, form in ((parse_duration, format_duration), (parse_size, format_size)):
        with contextlib.suppress(ValueError):
            parse(value)
            written = form
    return {key: written(bound) if key in _BOUNDS else bound for key, bound in context.items()}


def _expand(node: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return _expand(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    branches = node.get("anyOf") or node.get("oneOf") or node.get("allOf")
    return [leaf for branch in branches for leaf in _expand(branch, schema)] if branches else [node]


def _children(node: dict[str, Any], part: str | int) -> Iterator[dict[str, Any]]:
    key = "items" if isinstance(part, int) else "additionalProperties"
    child = node.get("properties", {}).get(part) or node.get(key)
    if isinstance(child, dict):
        yield child
