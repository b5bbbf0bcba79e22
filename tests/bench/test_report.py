"""The arithmetic of the table."""

import pytest

from tests.bench.report import Bar, Figure, Verdict, as_json, build_row, judge, median_ratio, number, table

SPEED = Figure("speed", "throughput", "req/s", "Envoy", Bar(">=", 0.75, "ratio"), Bar(">=", 1.1, "ratio"))
STREAMS = Figure("sse", "SSE", "KiB", "Envoy", Bar("<=", 40), Bar("<=", 1, "ratio"))


def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    # The medians are 20 and 20; within each round ours was 2, 0.5 and 0.8 of theirs.
    assert median_ratio([20, 10, 40], [10, 20, 50]) == 0.8


def test_a_round_that_one_side_missed_counts_for_nothing() -> None:
    assert median_ratio([10, None, 30], [20, 20, None]) == 0.5


def test_a_peer_that_measured_zero_gives_no_ratio() -> None:
    assert median_ratio([10], [0]) is None


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [(0.74, "below"), (0.75, "first bar"), (1.09, "first bar"), (1.1, "goal"), (None, "not measured")],
)
def test_a_ratio_is_judged_by_both_of_its_bars(ratio: float | None, verdict: Verdict) -> None:
    assert judge(SPEED, 20_000, ratio) == verdict


@pytest.mark.parametrize(
    ("each", "ratio", "verdict"),
    [(39, 0.9, "goal"), (39, 1.2, "first bar"), (41, 0.9, "below"), (39, None, "first bar")],
)
def test_a_goal_is_reached_only_with_the_first_bar(each: float, ratio: float | None, verdict: Verdict) -> None:
    assert judge(STREAMS, each, ratio) == verdict


def test_a_figure_with_a_goal_alone_is_judged_by_the_goal() -> None:
    figure = Figure("down", "body", "MiB/s", "Envoy", None, Bar(">=", 0.8, "ratio"))
    assert [judge(figure, 1, ratio) for ratio in (0.8, 0.79)] == ["goal", "below"]


def test_a_figure_with_a_first_bar_alone_never_reaches_more() -> None:
    figure = Figure("growth", "growth", "MiB", None, Bar("<=", 5))
    assert [judge(figure, value, None) for value in (5, 5.1)] == ["first bar", "below"]


def test_a_row_holds_the_median_of_every_peer_and_ours_against_the_named_one() -> None:
    row = build_row(SPEED, {"tidegate": [10, 30, 20], "Envoy": [20, 20, 20], "nginx": [50, None, 70]})
    assert row.medians == {"tidegate": 20, "Envoy": 20, "nginx": 60}
    assert (row.ratio, row.verdict) == (1.0, "first bar")


def test_a_peer_that_is_not_installed_is_named_in_its_column_with_the_way_to_get_it() -> None:
    row = build_row(SPEED, {"tidegate": [20_000.0]})
    text = table([row], ["tidegate", "Envoy"], {"Envoy": "sh tests/bench/install.sh"})
    cells = [cell.strip() for cell in text.splitlines()[2].strip("|").split("|")]
    assert cells == [
        "throughput, req/s", "20,000", "not installed", "- (/ Envoy)", ">= 0.75", ">= 1.1", "not measured",
    ]  # fmt: skip
    assert text.splitlines()[-1] == "Envoy is not installed: sh tests/bench/install.sh"


def test_every_line_of_the_table_is_as_wide_as_its_head() -> None:
    rows = [build_row(SPEED, {"tidegate": [1.0]}), build_row(STREAMS, {"tidegate": [12_345.6]})]
    assert len({len(line) for line in table(rows, ["tidegate"], {}).splitlines()}) == 1


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.04712, "0.0471"), (63.92, "63.9"), (20273.4, "20,273"), (-2.5, "-2.5")]
)
def test_a_number_is_written_with_the_digits_that_matter(value: float | None, text: str) -> None:
    assert number(value) == text


def test_the_json_keeps_every_sample() -> None:
    samples: dict[str, list[float | None]] = {"tidegate": [1.0, None], "Envoy": [2.0, 2.0]}
    (entry,) = as_json([build_row(SPEED, samples)], {"speed": samples})
    assert entry["samples"] == samples
    assert (entry["ratio"], entry["first_bar"], entry["verdict"]) == (0.5, ">= 0.75", "below")
