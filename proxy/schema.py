"""Writes the JSON Schema of the configuration file, by which editors complete and check it."""

import json
from typing import Any, Final

from proxy.config import settings_schema

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file as people write it.

    It asks for less than the models: what a preset supplies need not be written. Messages with file and line,
    and everything between keys, are for `tidegate check`.
    """
    result = _with_short_names(settings_schema())
    definitions = result["$defs"]
    for node in _nodes(result):
        node.pop("default", None)  # defaults are kept parsed, in seconds and bytes, not as the file spells them
        node.pop("title", None)
        if "discriminator" in node:
            # Beneath a preset a credential may be written without its scheme, so that more than one may match.
            del node["discriminator"]
            node["anyOf"] = node.pop("oneOf")
    for name, node in definitions.items():
        if name in {"Provider", "Account"} or "scheme" in node.get("properties", {}):
            node.pop("required", None)
    for entries in (result["properties"]["providers"], definitions["Provider"]["properties"]["accounts"]):
        entries["additionalProperties"] = {"anyOf": [entries["additionalProperties"], {"type": "null"}]}
    return {"$schema": DIALECT, "title": "tidegate", **result}


def render() -> str:
    """Return the schema as the text of `config/schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _with_short_names(source: dict[str, Any]) -> dict[str, Any]:
    """Copy a schema; `proxy__policies__retry__Retry__Config` becomes `Retry` in it."""
    text = json.dumps(source)
    for name in source["$defs"]:
        if name.endswith("__Config"):
            text = text.replace(f'{name}"', f'{name.split("__")[-2]}"')
    return dict(json.loads(text))


def _nodes(node: Any) -> list[dict[str, Any]]:
    """Return the schemas in a schema; the mapping below `properties` is not one, its keys are the file's."""
    found: list[dict[str, Any]] = []
    if isinstance(node, dict):
        found.append(node)
        for key, value in node.items():
            inner = list(value.values()) if key in {"properties", "$defs"} else [value]
            found += [leaf for child in inner for leaf in _nodes(child)]
    elif isinstance(node, list):
        found += [leaf for child in node for leaf in _nodes(child)]
    return found
