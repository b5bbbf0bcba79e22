"""Panels as Grafana 10 and later read them from a dashboard's JSON."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import ClassVar, Final

Json = dict[str, object]
Grid = dict[str, int]
"""A place on the grid: x, y, w and h, of 24 columns."""
Steps = tuple[tuple[float | None, str], ...]
"""Thresholds: from which value on which colour; the first has None."""

DATASOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}
NEUTRAL: Final[Steps] = ((None, "text"),)
ALARM: Final[Steps] = ((None, "green"), (1, "red"))
"""Of what should be 0."""
WARNING: Final[Steps] = ((None, "green"), (1, "orange"))
"""Of what should be 0, and is nobody's emergency."""

_LAST: Final[Json] = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def link(title: str, url: str) -> Json:
    """Return a link of a dashboard, panel or cell; `url` may hold variables."""
    return {
        "title": title, "type": "link", "icon": "doc", "tooltip": "", "url": url, "tags": [], "asDropdown": False,
        "targetBlank": False, "includeVars": False, "keepTime": False,
    }  # fmt: skip


def thresholds(steps: Steps) -> Json:
    """Return thresholds by value."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression. legend: what its series are called, with labels in double braces."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, kw_only=True)
class Panel(ABC):
    """What is shown in one frame. text: what it means and what to make of it. unit: one of Grafana's.

    runbook: the file that says what to do, without its ending.
    """

    kind: ClassVar[str]
    instant: ClassVar[bool] = True
    coloured: ClassVar[str] = "thresholds"
    shape: ClassVar[str] = "time_series"

    title: str
    text: str
    queries: tuple[Query, ...] = ()
    unit: str = "short"
    width: int = 8
    height: int = 8
    least: float | None = 0
    most: float | None = None
    decimals: int | None = None
    steps: Steps = NEUTRAL
    runbook: str = ""

    @abstractmethod
    def options(self) -> Json:
        """Return the options of this kind of panel."""

    def custom(self) -> Json:
        """Return what this kind of panel adds to a field."""
        return {}

    def mappings(self) -> list[Json]:
        """Return what is shown in place of a value."""
        return []

    def overrides(self) -> list[Json]:
        """Return what differs for single fields."""
        return []

    def transformations(self) -> list[Json]:
        """Return what becomes of the answers before they are shown."""
        return []

    def render(self, number: int, place: Grid, runbooks: str | None) -> Json:
        """Return the panel's JSON. place: on the grid. runbooks: the URL of their folder, None for no links."""
        links = [link("What to do", f"{runbooks}/{self.runbook}.md")] if runbooks and self.runbook else []
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.text,
            "gridPos": place,
            "datasource": DATASOURCE,
            "links": links,
            "targets": list(self._targets()),
            "fieldConfig": {"defaults": self._defaults(), "overrides": self.overrides()},
            "options": self.options(),
            "transformations": self.transformations(),
        }

    def _defaults(self) -> Json:
        bounds = {"min": self.least, "max": self.most, "decimals": self.decimals}
        custom, mappings = self.custom(), self.mappings()
        return {
            "unit": self.unit,
            **{key: value for key, value in bounds.items() if value is not None},
            "color": {"mode": self.coloured},
            "thresholds": thresholds(self.steps),
            **({"mappings": mappings} if mappings else {}),
            **({"custom": custom} if custom else {}),
        }

    def _targets(self) -> Iterator[Json]:
        for ref, query in zip(ascii_uppercase, self.queries, strict=False):
            yield {
                "refId": ref,
                "datasource": DATASOURCE,
                "editorMode": "code",
                "expr": query.expr,
                "legendFormat": query.legend,
                "instant": self.instant,
                "range": not self.instant,
                "format": self.shape,
            }


@dataclass(frozen=True, kw_only=True)
class Graph(Panel):
    """Lines over time. stacked: as areas whose heights add up. colours: by the beginning of a line's name."""

    kind = "timeseries"
    instant = False
    coloured = "palette-classic"

    stacked: bool = False
    logarithmic: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)

    def options(self) -> Json:
        """Return a legend with the highest line first, and a tooltip with all of them."""
        legend = {
            "displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"],
            "sortBy": "Max", "sortDesc": True,
        }  # fmt: skip
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}

    def custom(self) -> Json:
        """Return how lines look; thresholds are dashed ones."""
        return {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 30 if self.stacked else 8,
            "showPoints": "auto",
            "spanNulls": False,
            "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
            "scaleDistribution": {"type": "log", "log": 10} if self.logarithmic else {"type": "linear"},
            "thresholdsStyle": {"mode": "off" if self.steps == NEUTRAL else "dashed"},
        }

    def overrides(self) -> list[Json]:
        """Return the colours."""
        return [
            {
                "matcher": {"id": "byRegexp", "options": f"/^{start}/"},
                "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
            }
            for start, colour in self.colours.items()
        ]


@dataclass(frozen=True, kw_only=True)
class Stat(Panel):
    """Tiles with the present value, one for each series."""

    kind = "stat"

    def options(self) -> Json:
        """Return tiles whose ground has the threshold's colour."""
        return {
            "colorMode": "none" if self.steps == NEUTRAL else "background",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "auto",
            "reduceOptions": _LAST,
        }


@dataclass(frozen=True, kw_only=True)
class Bars(Panel):
    """Bars with the present value, one for each series."""

    kind = "bargauge"

    def options(self) -> Json:
        """Return bars that lie, so that names have room."""
        return {
            "displayMode": "basic",
            "orientation": "horizontal",
            "valueMode": "color",
            "showUnfilled": True,
            "minVizWidth": 8,
            "minVizHeight": 16,
            "reduceOptions": _LAST,
        }


@dataclass(frozen=True, kw_only=True)
class Timeline(Panel):
    """What held when, a lane for each series. states: name and colour by value."""

    kind = "state-timeline"
    instant = False

    states: Mapping[int, tuple[str, str]]

    def options(self) -> Json:
        """Return lanes whose colours alone tell the state."""
        return {
            "showValue": "never",
            "mergeValues": True,
            "alignValue": "left",
            "rowHeight": 0.8,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"},
        }

    def custom(self) -> Json:
        """Return how lanes look."""
        return {"fillOpacity": 80, "lineWidth": 0}

    def mappings(self) -> list[Json]:
        """Return the states' names and colours."""
        texts = {
            str(value): {"text": name, "color": colour, "index": value} for value, (name, colour) in self.states.items()
        }
        return [{"type": "value", "options": texts}]


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading. collapsed: they ask nothing until somebody opens the row."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False
