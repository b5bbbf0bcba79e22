"""Which of the two text formats of the metrics a scraper gets."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

Format = Literal["openmetrics", "plain"]

_VERSIONS: Final = {"application/openmetrics-text": "1.0.0", "text/plain": "0.0.4"}
_PLAIN: Final = ("text/plain", "text/*", "*/*")  # from the most specific to the least (RFC 9110 section 12.5.1)


class _Range(NamedTuple):
    """One media range of an Accept field that a format of ours could satisfy."""

    kind: str
    weight: float


def chosen(accept: str) -> Format:
    """Decide the format by the weights of an Accept field (RFC 9110 section 12.5.1), and by its versions.

    OpenMetrics 1.0 goes to who names it and does not prefer the other; the plain text format, 0.0.4, to everybody
    else, also to who accepts neither: a scraper can do more with it than with an error.
    """
    ranges = list(_ranges(accept))
    wanted = max((one.weight for one in ranges if one.kind == "application/openmetrics-text"), default=0.0)
    plain = [max((one.weight for one in ranges if one.kind == kind), default=None) for kind in _PLAIN]
    other = next((weight for weight in plain if weight is not None), 0.0)
    return "openmetrics" if wanted and wanted >= other else "plain"


def _ranges(accept: str) -> Iterator[_Range]:
    for text in accept.split(","):
        kind, *rest = (part.strip().lower() for part in text.split(";"))
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        version = parameters.get("version", "").strip('"')
        if not version or version == _VERSIONS.get(kind):
            yield _Range(kind, _weight(parameters.get("q", "1")))


def _weight(text: str) -> float:
    """Read a weight; what is none counts as refusal."""
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
