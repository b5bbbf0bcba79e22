"""What Grafana does with a dashboard's JSON, as far as its own types for Python and its documentation tell."""

import enum
import json
import re
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.cog.runtime import panelcfg_config
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, prometheus, units
from grafana_foundation_sdk.models import dashboard as models

register_default_plugins()

_UNITS: Final = {value for value in vars(units).values() if isinstance(value, str)}
OF_PROMETHEUS: Final = frozenset({"step", "titleFormat", "textFormat"})
"""What the Prometheus data source adds to an annotation's query, of which Grafana's own types know nothing."""


def mistakes(told: Mapping[str, Any]) -> list[str]:
    """Return what Grafana's types do not know of a dashboard, or know as something else."""
    plain: dict[str, Any] = json.loads(json.dumps(told))
    for annotation in plain["annotations"]["list"]:
        for key in OF_PROMETHEUS:
            annotation.pop(key, None)
    known = models.Dashboard.from_json(plain)
    found = [*_lost(plain, _written(known), "dashboard"), *_mistyped(known, models.Dashboard, "dashboard")]
    return found + [mistake for panel in panels(plain) for mistake in _unknown(panel, panel["title"])]


def _unknown(panel: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield what the models take as it is: the panel's type, its unit, and what a table adds to a field."""
    defaults = panel["fieldConfig"]["defaults"]
    if panelcfg_config(panel["type"]) is None:
        yield f"{where}: type is {panel['type']!r}, and no panel"
    if defaults["unit"] not in _UNITS:
        yield f"{where}: unit is {defaults['unit']!r}, and no unit"
    if panel["type"] == "table":
        yield from _mistyped(defaults["custom"], common.TableFieldOptions, where)


def _written(known: Any) -> Any:
    return json.loads(json.dumps(known, cls=JSONEncoder))


def _lost(told: Any, back: Any, where: str) -> Iterator[str]:
    """Yield what does not come back: an unknown key is dropped, and what is known comes back unchanged."""
    if isinstance(told, dict) and isinstance(back, dict):
        for key, value in told.items():
            if key in back:
                yield from _lost(value, back[key], f"{where}.{key}")
            elif value is not None:  # a threshold's first value is null, and left out
                yield f"{where}.{key} is unknown"
    elif isinstance(told, list) and isinstance(back, list) and len(told) == len(back):
        for place, (one, other) in enumerate(zip(told, back, strict=True)):
            yield from _lost(one, other, f"{where}[{place}]")
    elif told != back:
        yield f"{where} is {told!r}, and was taken for {back!r}"


def _mistyped(value: Any, hint: Any, where: str) -> Iterator[str]:
    """Yield what has another type than the model says; the models' own reading does not look."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(value, dict) and hasattr(hint, "from_json"):  # what the reading of its surroundings left as it was
        told, value = value, hint.from_json(value)
        yield from _lost(told, _written(value), where)
    if origin in (list, dict) and isinstance(value, origin):
        inside = value.items() if origin is dict else enumerate(value)
        for key, one in inside:
            yield from _mistyped(one, arguments[-1], f"{where}[{key}]")
    elif origin in (typing.Union, types.UnionType):
        found = [list(_mistyped(value, one, where)) for one in arguments]
        if all(found):
            yield from max(found, key=lambda texts: len(texts[0].partition(" is ")[0]))  # what fits furthest
    elif value not in arguments if origin is typing.Literal else not _is_a(value, hint):
        yield f"{where} is {value!r}, and no {hint}"
    elif hasattr(value, "to_json"):
        yield from _members(value, where)


def _members(value: Any, where: str) -> Iterator[str]:
    for name, hint in typing.get_type_hints(type(value)).items():
        yield from _mistyped(getattr(value, name), hint, f"{where}.{name}")


def _is_a(value: Any, hint: Any) -> bool:
    if hint in (Any, object):
        return True
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return value in {member.value for member in hint}
    if hint is float:
        return type(value) in (int, float)
    if hint is Dataquery:  # of another kind it would have stayed a mapping
        return isinstance(value, prometheus.Dataquery)
    return type(value) is hint or (hint is str and isinstance(value, str))


def interpolate(expr: str, variables: Mapping[str, list[str]], rate_interval: str) -> str:
    """Put the variables in as Grafana does for Prometheus: one value escaped, several as (one|other), escaped."""

    def value(match: re.Match[str]) -> str:
        escaped = [re.escape(one).replace("\\", "\\\\") for one in variables[match[1]]]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"

    return re.sub(r"\$(\w+)", value, expr.replace("$__rate_interval", rate_interval))


def panels(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every panel, those of collapsed rows too, without the rows."""
    for panel in told["panels"]:
        yield from panel["panels"] if panel["type"] == "row" else (panel,)
