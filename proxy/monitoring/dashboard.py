"""The Grafana dashboard for exactly the providers that are configured."""

import json
from collections.abc import Iterator
from typing import Final

from proxy.monitoring.budgets import budgets
from proxy.monitoring.fleet import credentials, processes
from proxy.monitoring.machinery import overhead, policies, retries
from proxy.monitoring.panels import DATASOURCE, Grid, Json, Panel, Row, link
from proxy.monitoring.queries import highest, state, whole
from proxy.monitoring.signals import UID, golden, overview
from proxy.settings import Settings

_SCHEMA: Final = 39
"""Of Grafana 11.0; later ones bring it up to theirs by themselves, and 10 reads it."""

_WIDTH: Final = 24
_IDS: Final = 100
"""Panels' ids begin anew with each row, so that a link to one still holds when another row has grown."""

_ALL: Final[Json] = {"selected": True, "text": ["All"], "value": ["$__all"]}


def render(settings: Settings, runbooks: str | None = None) -> str:
    """Write the dashboard as JSON, the same each time.

    runbooks: the URL of their folder, to link to; None for no links.
    """
    dashboard = {
        "uid": UID,
        "title": "tidegate",
        "description": "Third-party APIs behind tidegate. `tidegate dashboard` makes it; anew when providers change.",
        "tags": ["tidegate"],
        "schemaVersion": _SCHEMA,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "links": [link("Runbooks", f"{runbooks}/README.md")] if runbooks else [],
        "templating": {"list": list(_variables(settings))},
        "annotations": {"list": list(_annotations())},
        "panels": list(_panels(_rows(settings), runbooks)),
    }
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


def _rows(settings: Settings) -> Iterator[tuple[int, Row]]:
    """Yield the rows with their numbers, which do not change when one of them is left out."""
    yield 1, overview()
    yield 2, golden()
    yield from ((3, row) for row in budgets(settings))
    yield from enumerate((policies(), retries(), overhead(), credentials(), processes()), 4)


def _panels(rows: Iterator[tuple[int, Row]], runbooks: str | None) -> Iterator[Json]:
    y = 0
    for number, row in rows:
        first = number * _IDS
        inside = [
            panel.render(first + 1 + place, grid, runbooks)
            for place, (panel, grid) in enumerate(_placed(row.panels, y + 1))
        ]
        yield {
            "id": first,
            "type": "row",
            "title": row.title,
            "collapsed": row.collapsed,
            "gridPos": {"x": 0, "y": y, "w": _WIDTH, "h": 1},
            "panels": inside if row.collapsed else [],
        }
        y += 1
        if not row.collapsed:
            yield from inside
            y = max(grid["y"] + grid["h"] for _, grid in _placed(row.panels, y))


def _placed(panels: tuple[Panel, ...], y: int) -> Iterator[tuple[Panel, Grid]]:
    """Yield each panel with its place: from left to right, then in a new line."""
    x = height = 0
    for panel in panels:
        if x + panel.width > _WIDTH:
            x, y, height = 0, y + height, 0
        yield panel, {"x": x, "y": y, "w": panel.width, "h": panel.height}
        x, height = x + panel.width, max(height, panel.height)


def _variables(settings: Settings) -> Iterator[Json]:
    yield {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "refresh": 1}
    for name, label, query in (
        ("job", "Job", "label_values(tidegate_build_info, job)"),
        ("instance", "Sidecar", 'label_values(tidegate_build_info{job=~"$job"}, instance)'),
    ):
        chosen = {"type": "query", "datasource": DATASOURCE, "query": query, "refresh": 2, "sort": 1}
        yield {**chosen, "name": name, "label": label, "multi": True, "includeAll": True, "current": _ALL}
    names = sorted(settings.providers)
    options = [_ALL, *({"selected": False, "text": name, "value": name} for name in names)]
    yield {
        "type": "custom",
        "name": "provider",
        "label": "Provider",
        "query": ",".join(names),
        "options": options,
        "multi": True,
        "includeAll": True,
        "current": _ALL,
    }


def _annotations() -> Iterator[Json]:
    opened = highest(state("breaker_state", 'state="open"'), "provider, account") + " == 1"
    loaded = f"changes({whole('config_last_reload_timestamp_seconds')}[1m]) > 0"
    refused = f"{whole('config_last_reload_successful')} == 0"
    for name, colour, expr, text in (
        ("Circuit open", "red", opened, "{{provider}} {{account}}"),
        ("Configuration read", "blue", loaded, "{{instance}}"),
        ("Configuration refused", "orange", refused, "{{instance}}"),
    ):
        yield {
            "name": name,
            "datasource": DATASOURCE,
            "enable": True,
            "hide": False,
            "iconColor": colour,
            "expr": expr,
            "step": "15s",
            "titleFormat": name,
            "textFormat": text,
        }
