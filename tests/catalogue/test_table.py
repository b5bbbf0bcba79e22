"""README's table of providers is what the catalogue says."""

import pytest

from proxy.presets import Presets
from tests.catalogue.table import BEGIN, END, HEAD, README, between_marks, markdown_table


def row(name: str) -> list[str]:
    line = next(line for line in markdown_table().splitlines() if line.startswith(f"| [{name}]"))
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_the_table_in_the_readme_is_current() -> None:
    assert between_marks(README.read_text(encoding="utf-8")) == markdown_table(), "run: make generated"


def test_every_real_provider_has_a_row_of_all_columns() -> None:
    head, line, *rows = markdown_table().splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")] == list(HEAD)
    assert len(rows) == len(Presets().names) - 1
    assert {text.count("|") for text in (head, line, *rows)} == {len(HEAD) + 1}


def test_a_row_tells_what_people_choose_by() -> None:
    expected = ["bearer: `header Authorization`", "100/1s (kept), 25/1s", "`header idempotency-key` (made)", "stripe"]
    assert row("stripe")[:5] == ["[stripe](https://docs.stripe.com/api)", *expected]
    assert row("openai")[2:4] == ["told by headers", "-"]
    assert row("apns")[0].endswith(", not yet")
    assert row("sdi")[1] == "TLS certificate"


def test_the_versions_are_those_that_the_tests_ran() -> None:
    for name in set(Presets().names) - {"mock"}:
        tested = Presets().read(name).data["profile"].get("sdk", {}).get("tested", {})
        assert row(name)[5:] == [tested.get("python", "-"), tested.get("node", "-")]


def test_a_readme_without_a_place_for_it_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="substring not found"):
        between_marks(END)
    assert between_marks(f"a\n{BEGIN}b\n{END}c") == "b\n"
