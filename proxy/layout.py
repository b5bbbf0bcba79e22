"""Lays out pages for a terminal: headed sections of labelled text, wrapped at 100 columns."""

import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

WIDTH: Final = 100

Row = tuple[str, str]
"""A label and its text; a row without text is left out."""


def section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield an empty line, the title and the lines beneath it; nothing when there are no lines."""
    body = list(lines)
    if body:
        yield from ("", title, *body)


def labelled(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the rows with their texts in one column, each wrapped there; a label is written once for all its rows."""
    kept = [(label, text) for label, text in rows if text]
    column = 2 + max((len(label) for label, _ in kept), default=0) + 2
    before = ""
    for label, text in kept:
        yield from _wrapped(text, f"  {'' if label == before else label:<{column - 2}}", " " * column)
        before = label


def bullets(texts: Iterable[str]) -> Iterator[str]:
    """Yield each text as a point of a list."""
    for text in texts:
        yield from _wrapped(text, "  - ", "    ")


def verbatim(text: str, indent: int = 4) -> Iterator[str]:
    """Yield what people copy: as it is, however long."""
    return (" " * indent + line for line in text.splitlines())


def table(rows: Iterable[tuple[str, ...]], widest: Iterable[int]) -> Iterator[str]:
    """Yield the rows in columns, each cell cut at its column's widest."""
    most = tuple(widest)
    cut = [tuple(_cut(cell, wide) for cell, wide in zip(row, most, strict=True)) for row in rows]
    widths = [max(map(len, column)) + 2 for column in zip(*cut, strict=True)]
    for row in cut:
        yield "".join(f"{cell:<{wide}}" for cell, wide in zip(row, widths, strict=True)).rstrip()


def _wrapped(text: str, first: str, others: str) -> Iterator[str]:
    # A URL, a pattern or a name stays in one piece: it is there to be copied.
    lines = textwrap.wrap(text, WIDTH - len(others), break_long_words=False, break_on_hyphens=False)
    yield from (f"{others if at else first}{line}" for at, line in enumerate(lines))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
