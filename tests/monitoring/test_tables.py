from typing import Any

from proxy.monitoring.panels import ALARM
from proxy.monitoring.tables import Column, Table


def table(*columns: Column, **more: Any) -> Any:
    made = Table(title="", text="", keys={"provider": "Provider"}, columns=columns, worst="Calls", **more)
    return made.render(1, {"x": 0, "y": 0, "w": 8, "h": 8}, None)


CALLS = Column("Calls", "sum(calls)", "reqps", decimals=1)
ERRORS = Column("Errors", "sum(errors)", steps=ALARM)


def test_each_column_is_a_query_for_the_present_in_the_shape_of_a_table() -> None:
    told = table(CALLS, ERRORS)
    assert [(one["refId"], one["expr"], one["format"], one["instant"]) for one in told["targets"]] == [
        ("A", "sum(calls)", "table", True), ("B", "sum(errors)", "table", True),
    ]  # fmt: skip


def test_rows_are_joined_by_their_labels_and_columns_get_headings_in_order() -> None:
    merge, organize = table(CALLS, ERRORS)["transformations"]
    assert merge["id"] == "merge"
    assert organize["options"] == {
        "excludeByName": {"Time": True},
        "indexByName": {"provider": 0, "Value #A": 1, "Value #B": 2},
        "renameByName": {"provider": "Provider", "Value #A": "Calls", "Value #B": "Errors"},
    }


def test_the_values_of_a_single_query_have_no_letter() -> None:
    organize = table(CALLS)["transformations"][1]
    assert organize["options"]["renameByName"] == {"provider": "Provider", "Value": "Calls"}


def test_a_column_has_its_unit_and_its_ground_the_colour_of_its_threshold() -> None:
    calls, errors = table(CALLS, ERRORS)["fieldConfig"]["overrides"]
    assert calls["properties"] == [{"id": "unit", "value": "reqps"}, {"id": "decimals", "value": 1}]
    assert [one["id"] for one in errors["properties"]] == ["unit", "thresholds", "custom.cellOptions"]
    assert errors["matcher"] == {"id": "byName", "options": "Errors"}


def test_the_worst_row_comes_first() -> None:
    assert table(CALLS)["options"]["sortBy"] == [{"displayName": "Calls", "desc": True}]
    assert table(CALLS, descending=False)["options"]["sortBy"] == [{"displayName": "Calls", "desc": False}]


def test_a_click_on_a_key_leads_where_it_should() -> None:
    first = table(CALLS, leads={"Provider": "/d/x?var-provider=${__value.text}"})["fieldConfig"]["overrides"][0]
    assert first["matcher"]["options"] == "Provider"
    assert first["properties"][0]["value"][0]["url"] == "/d/x?var-provider=${__value.text}"
