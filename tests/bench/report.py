"""What the samples say: medians, ratios, verdicts, and the table. Arithmetic and text only."""

import operator
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Samples = Mapping[str, Sequence[float | None]]
"""Per peer one value a round; None where a round could not be measured."""

Verdict = Literal["goal", "first bar", "below", "not measured"]

OURS: Final = "tidegate"
_COMPARE: Final = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True, slots=True)
class Bar:
    """A threshold on tidegate's own value, or on its ratio to the peer that the figure names."""

    sign: Literal[">=", "<="]
    limit: float
    of: Literal["ratio", "value"] = "value"

    def reached(self, value: float | None, ratio: float | None) -> bool | None:
        """Say whether it is reached; None when what it looks at was not measured."""
        measured = ratio if self.of == "ratio" else value
        return None if measured is None else bool(_COMPARE[self.sign](measured, self.limit))

    def text(self, unit: str) -> str:
        return f"{self.sign} {self.limit:g}{'' if self.of == 'ratio' or not unit else ' ' + unit}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what is measured, against whom, and what is to be reached."""

    key: str
    title: str
    unit: str
    against: str | None = None
    first: Bar | None = None
    goal: Bar | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A figure with its results."""

    figure: Figure
    medians: dict[str, float | None]
    ratio: float | None
    verdict: Verdict


def median(values: Sequence[float | None]) -> float | None:
    """Return the median of what was measured, None when nothing was."""
    measured = [value for value in values if value is not None]
    return statistics.median(measured) if measured else None


def median_ratio(ours: Sequence[float | None], theirs: Sequence[float | None]) -> float | None:
    """Return the median of the rounds' ratios: what disturbs a round disturbs both of its halves.

    A round in which either is missing, or theirs is not above zero, counts for nothing.
    """
    pairs = zip(ours, theirs, strict=False)
    return median([one / other for one, other in pairs if one is not None and other is not None and other > 0])


def judge(figure: Figure, value: float | None, ratio: float | None) -> Verdict:
    """Say how far a figure came. The goal includes the first bar: cheap streams that lose events reached nothing."""
    first = figure.first.reached(value, ratio) if figure.first else None
    goal = figure.goal.reached(value, ratio) if figure.goal else None
    if first is None and goal is None:
        return "not measured"
    if goal and first is not False:
        return "goal"
    return "first bar" if first else "below"


def build_row(figure: Figure, samples: Samples) -> Row:
    """Judge one figure by its samples."""
    medians = {peer: median(values) for peer, values in samples.items()}
    ratio = None
    if figure.against is not None and OURS in samples and figure.against in samples:
        ratio = median_ratio(samples[OURS], samples[figure.against])
    return Row(figure, medians, ratio, judge(figure, medians.get(OURS), ratio))


def number(value: float | None) -> str:
    """Write a value with three significant digits, whole where it is large."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: Sequence[Row], peers: Sequence[str], missing: Mapping[str, str]) -> str:
    """Write the Markdown table, its columns padded so that a terminal shows it well.

    peers: the columns in order. missing: the peers that are not installed, and how to install them.
    """
    head = ["figure", *peers, "ratio", "first bar", "goal", "verdict"]
    cells = [head]
    for row in rows:
        figure = row.figure
        values = ["not installed" if peer in missing else number(row.medians.get(peer)) for peer in peers]
        against = f" (/ {figure.against})" if figure.against else ""
        bars = [bar.text(figure.unit) if bar else "-" for bar in (figure.first, figure.goal)]
        title = f"{figure.title}, {figure.unit}" if figure.unit else figure.title
        cells.append([title, *values, number(row.ratio) + against, *bars, row.verdict])
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = [_line(line, widths) for line in cells]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    lines += [f"\n{peer} is not installed: {how}" for peer, how in missing.items()]
    return "\n".join(lines)


def as_json(rows: Sequence[Row], samples: Mapping[str, Samples]) -> list[dict[str, object]]:
    """Return the rows as JSON values, every sample included."""
    return [
        {
            "figure": row.figure.key,
            "title": row.figure.title,
            "unit": row.figure.unit,
            "against": row.figure.against,
            "medians": row.medians,
            "ratio": row.ratio,
            "first_bar": row.figure.first.text(row.figure.unit) if row.figure.first else None,
            "goal": row.figure.goal.text(row.figure.unit) if row.figure.goal else None,
            "verdict": row.verdict,
            "samples": {peer: list(values) for peer, values in samples.get(row.figure.key, {}).items()},
        }
        for row in rows
    ]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
