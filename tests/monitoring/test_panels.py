from typing import Any

import pytest

from proxy.monitoring.panels import ALARM, Bars, Graph, Panel, Query, Stat, Timeline

PLACE = {"x": 0, "y": 0, "w": 8, "h": 8}
QUERIES = (Query("up", "{{job}}"), Query("down", "{{job}} down"))


def render(panel: Panel, runbooks: str | None = None) -> Any:
    return panel.render(7, PLACE, runbooks)


def defaults(panel: Panel) -> Any:
    return render(panel)["fieldConfig"]["defaults"]


def test_a_panel_has_its_number_place_title_and_meaning() -> None:
    told = render(Stat(title="Up", text="Who is up.", queries=QUERIES))
    assert (told["id"], told["gridPos"], told["title"], told["description"]) == (7, PLACE, "Up", "Who is up.")


def test_queries_are_lettered_and_go_to_the_chosen_data_source() -> None:
    first, second = render(Stat(title="Up", text="", queries=QUERIES))["targets"]
    assert (first["refId"], first["expr"], first["legendFormat"]) == ("A", "up", "{{job}}")
    assert (second["refId"], second["expr"]) == ("B", "down")
    assert first["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize(
    ("panel", "kind", "spans"),
    [
        (Graph(title="", text="", queries=QUERIES), "timeseries", True),
        (Timeline(title="", text="", queries=QUERIES, states={0: ("shut", "red")}), "state-timeline", True),
        (Stat(title="", text="", queries=QUERIES), "stat", False),
        (Bars(title="", text="", queries=QUERIES), "bargauge", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_shows_a_history_asks_for_one_and_the_rest_for_the_present(panel: Panel, kind: str, spans: bool) -> None:
    told = render(panel)
    assert told["type"] == kind
    assert {(target["range"], target["instant"]) for target in told["targets"]} == {(spans, not spans)}


def test_a_link_to_the_runbook_is_there_where_both_are_known() -> None:
    panel = Stat(title="", text="", queries=QUERIES, runbook="breaker-open")
    (link,) = render(panel, "https://example.com/books")["links"]
    assert link["url"] == "https://example.com/books/breaker-open.md"
    assert render(panel)["links"] == []
    assert render(Stat(title="", text="", queries=QUERIES), "https://example.com/books")["links"] == []


def test_bounds_are_written_only_where_they_are_set() -> None:
    assert {"min": 0, "max": 1, "decimals": 2}.items() <= defaults(
        Stat(title="", text="", queries=QUERIES, most=1, decimals=2)
    ).items()
    assert {"min", "max", "decimals"} & set(defaults(Stat(title="", text="", queries=QUERIES, least=None))) == set()


def test_a_tile_takes_the_colour_of_its_threshold() -> None:
    alarmed = Stat(title="", text="", queries=QUERIES, steps=ALARM)
    assert render(alarmed)["options"]["colorMode"] == "background"
    assert defaults(alarmed)["thresholds"]["steps"] == [
        {"value": None, "color": "green"}, {"value": 1, "color": "red"},
    ]  # fmt: skip
    assert render(Stat(title="", text="", queries=QUERIES))["options"]["colorMode"] == "none"


def test_lines_have_colours_of_their_own_and_thresholds_are_dashed() -> None:
    marked = defaults(Graph(title="", text="", queries=QUERIES, steps=ALARM))
    assert (marked["color"]["mode"], marked["custom"]["thresholdsStyle"]["mode"]) == ("palette-classic", "dashed")
    assert defaults(Graph(title="", text="", queries=QUERIES))["custom"]["thresholdsStyle"]["mode"] == "off"


def test_areas_are_stacked_where_that_is_asked_for() -> None:
    modes = [
        defaults(Graph(title="", text="", queries=QUERIES, stacked=stacked))["custom"]["stacking"]["mode"]
        for stacked in (True, False)
    ]
    assert modes == ["normal", "none"]


def test_lines_are_coloured_by_the_beginning_of_their_name() -> None:
    (override,) = render(Graph(title="", text="", queries=QUERIES, colours={"5": "red"}))["fieldConfig"]["overrides"]
    assert override["matcher"] == {"id": "byRegexp", "options": "/^5/"}
    assert override["properties"][0]["value"]["fixedColor"] == "red"


def test_a_lane_names_its_states() -> None:
    panel = Timeline(title="", text="", queries=QUERIES, states={0: ("closed", "green"), 2: ("open", "red")})
    (mapping,) = defaults(panel)["mappings"]
    assert mapping["options"]["2"] == {"text": "open", "color": "red", "index": 2}
