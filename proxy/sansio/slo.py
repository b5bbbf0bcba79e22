"""Service level objectives: what a provider's calls are measured by, and how much of the error budget is left."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from proxy.core.call import METHODS
from proxy.core.profile import parse_template
from proxy.core.units import Duration, Frozen
from proxy.sansio.templates import compile_first

_PERCENT: Final = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,6})?)\s*%")
_MOST_PATHS: Final = 32  # each is a set of series


def parse_percent(text: object) -> float:
    """Read a percentage such as `99.9%`; returns the ratio, above 0 and below 1. Raises: ValueError."""
    match = _PERCENT.fullmatch(text) if isinstance(text, str) else None
    if match is None or not float(match[1]):
        raise ValueError("not a percentage above 0% and below 100%: write one such as 99.9%")
    return round(float(match[1]) / 100, 10)


def format_percent(ratio: float) -> str:
    """Write a ratio as `parse_percent` reads it."""
    return f"{round(ratio * 100, 8):.10g}%"


def _path(text: str) -> str:
    method, space, template = text.rpartition(" ")
    if space and method not in METHODS:
        raise ValueError("write a path template such as /v1/charges/{id}, or POST /v1/charges with one method")
    parse_template(template)
    return text


Percent = Annotated[
    float,
    BeforeValidator(parse_percent),
    PlainSerializer(format_percent, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_PERCENT.pattern}$", "examples": ["99.9%"]}),
]
"""A ratio; written `99.9%`."""


class Latency(Frozen):
    """`percentile` percent of the successful calls begin to be answered within `under`."""

    percentile: float = Field(gt=0, lt=100)
    under: Duration = Field(gt=0)

    @property
    def under_s(self) -> float:
        """`under` in seconds, as a bound of a bucket is written: 9 ms are 0.009, without the error of binary."""
        return round(self.under, 9)

    @property
    def objective(self) -> float:
        """The percentile as a ratio."""
        return round(self.percentile / 100, 10)


class Objectives(Frozen):
    """What is promised of some calls; at least one of the two."""

    availability: Percent | None = None
    latency: Latency | None = None

    @model_validator(mode="after")
    def _something(self) -> Any:
        if self.availability is None and self.latency is None:
            raise ValueError("promises nothing: write availability, latency or both")
        return self


class Slo(Objectives):
    """What is promised of a provider's calls, over `window`.

    paths: the same for some of them, by path template, with a method before it where that matters; a call counts for
    the provider, and for the first template that fits.
    """

    window: Duration = Field(30 * 86400.0, ge=3600.0, le=90 * 86400.0)
    paths: dict[Annotated[str, AfterValidator(_path)], Objectives] = Field({}, max_length=_MOST_PATHS)

    @property
    def bounds_s(self) -> tuple[float, ...]:
        """The latencies that objectives speak of, in seconds: each has to be a bound of a bucket."""
        latencies = [one.latency for one in (self, *self.paths.values())]
        return tuple(sorted({one.under_s for one in latencies if one is not None}))


class FirstPath:
    """Finds the first of `slo.paths` that a call of one method counts for."""

    __slots__ = ("_paths", "_pattern")

    def __init__(self, method: str, paths: Iterable[str]) -> None:
        parts = [(path, *path.rpartition(" ")) for path in paths]
        fitting = [(path, template) for path, wanted, _, template in parts if wanted in ("", method)]
        self._paths = [path for path, _ in fitting]
        self._pattern = compile_first(template for _, template in fitting)

    def of(self, path: bytes) -> str | None:
        """Return the key of `slo.paths` that fits a raw path (without query); None where none does."""
        match = None if self._pattern is None else self._pattern.fullmatch(path)
        return None if match is None or match.lastindex is None else self._paths[match.lastindex - 1]
