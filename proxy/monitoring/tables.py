"""Tables as Grafana 10 and later read them: a row for each set of labels, a column for each query."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

from proxy.monitoring.panels import NEUTRAL, Json, Panel, Query, Steps, link, thresholds


@dataclass(frozen=True, slots=True)
class Column:
    """What is asked, under which heading, and what its values look like."""

    heading: str
    expr: str
    unit: str = "short"
    steps: Steps = NEUTRAL
    decimals: int | None = None

    def override(self) -> Json:
        """Return what differs for this column."""
        looks: dict[str, Any] = {"unit": self.unit}
        if self.decimals is not None:
            looks["decimals"] = self.decimals
        if self.steps != NEUTRAL:
            looks["thresholds"] = thresholds(self.steps)
            looks["custom.cellOptions"] = {"type": "color-background", "mode": "basic"}
        return _override(self.heading, looks)


@dataclass(frozen=True, kw_only=True)
class Table(Panel):
    """A table. keys: the labels that tell rows apart, with their headings. worst: the heading to sort by.

    leads: where a click on a key leads, by its heading.
    """

    kind = "table"
    shape = "table"

    keys: Mapping[str, str]
    columns: tuple[Column, ...]
    worst: str
    descending: bool = True
    leads: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "queries", tuple(Query(column.expr) for column in self.columns))

    def options(self) -> Json:
        """Return the order of the rows."""
        return {
            "showHeader": True,
            "cellHeight": "sm",
            "sortBy": [{"displayName": self.worst, "desc": self.descending}],
        }

    def custom(self) -> Json:
        """Return how cells look."""
        return {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}

    def overrides(self) -> list[Json]:
        """Return what differs for each column."""
        keys = [_override(heading, {"links": [link("Show this alone", url)]}) for heading, url in self.leads.items()]
        return keys + [column.override() for column in self.columns]

    def transformations(self) -> list[Json]:
        """Join the answers by their labels, and give the columns their headings and order."""
        # Grafana tells the values of several queries apart by the query's letter.
        values = [f"Value #{ref}" for ref in ascii_uppercase] if len(self.columns) > 1 else ["Value"]
        headings = {**self.keys, **dict(zip(values, (column.heading for column in self.columns), strict=False))}
        organize = {
            "excludeByName": {"Time": True},
            "indexByName": {name: place for place, name in enumerate(headings)},
            "renameByName": headings,
        }
        return [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]


def _override(heading: str, looks: Mapping[str, object]) -> Json:
    properties = [{"id": name, "value": value} for name, value in looks.items()]
    return {"matcher": {"id": "byName", "options": heading}, "properties": properties}
