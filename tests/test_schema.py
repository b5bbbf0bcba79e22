"""config/schema.json is what the models say, in the words of the file."""

import json
from pathlib import Path
from typing import Any

from proxy.schema import render, schema
from proxy.stack import PER_CALL, PER_UPSTREAM

FILE = Path(__file__).parent.parent / "config" / "schema.json"


def provider() -> Any:
    return schema()["$defs"]["Provider"]


def test_the_committed_schema_is_current() -> None:
    assert FILE.read_text() == render(), "run: make generated"


def test_every_section_is_there_and_unknown_keys_are_not() -> None:
    assert {policy.section for policy in PER_CALL + PER_UPSTREAM} <= set(provider()["properties"])
    assert provider()["additionalProperties"] is False
    assert schema()["additionalProperties"] is False


def test_a_section_may_be_off_as_editors_read_it() -> None:
    assert [False, "off"] in [branch.get("enum") for branch in provider()["properties"]["retry"]["anyOf"]]


def test_nothing_is_required_that_a_preset_may_supply() -> None:
    assert "required" not in provider()
    assert all("required" not in schema()["$defs"][name] for name in ("Bearer", "Basic", "HeaderField", "QueryKey"))


def test_a_provider_may_be_its_name_alone() -> None:
    assert {"type": "null"} in schema()["properties"]["providers"]["additionalProperties"]["anyOf"]


def test_an_account_is_written_as_its_name_and_what_differs() -> None:
    assert "required" not in schema()["$defs"]["Account"]
    assert {"type": "null"} in provider()["properties"]["accounts"]["additionalProperties"]["anyOf"]


def test_durations_and_references_are_text_with_a_shape() -> None:
    definitions = schema()["$defs"]
    assert definitions["Deadline"]["properties"]["total"]["type"] == "string"
    one, several = definitions["Bearer"]["properties"]["token"]["anyOf"]
    assert "env:" in one["pattern"]
    assert (several["items"]["pattern"], several["maxItems"]) == (one["pattern"], 2)


def test_all_that_is_referred_to_is_there() -> None:
    text = json.dumps(schema())
    names = {part.partition('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert names <= set(schema()["$defs"])
    assert not any("__" in name for name in schema()["$defs"])
