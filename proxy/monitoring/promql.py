"""How selectors of Prometheus are written, and which calls are owed and good: for rules and dashboard alike."""

import json
import re
from collections.abc import Iterable
from typing import Final

from proxy.edge.observe.reasons import FAILURES
from proxy.sansio.classify import REFUSED_5XX

_PLAIN: Final = re.compile(r"[a-z0-9_-]*")


class Series:
    """Writes selectors. job: the scrape job that they are narrowed to, "" for every job."""

    def __init__(self, job: str = "") -> None:
        self.job = job
        self._always = (equals("job", job),) if job else ()

    def __call__(self, metric: str, *matchers: str) -> str:
        """Return a selector, such as `tidegate_in_flight{provider="stripe"}`."""
        inside = ",".join((*matchers, *self._always))
        return f"{metric}{{{inside}}}" if inside else metric


def equals(label: str, value: str) -> str:
    """Return a matcher for one value."""
    return (
        f"{label}={json.dumps(value, ensure_ascii=False)}"  # strings are quoted as in Go, and these are alike in both
    )


def one_of(label: str, values: Iterable[str]) -> str:
    """Return a matcher for any of the values, in alphabetical order; they may be patterns (RE2)."""
    ordered = sorted(values)
    if len(ordered) == 1 and _PLAIN.fullmatch(ordered[0]):
        return equals(label, ordered[0])
    return equals(label, "|".join(ordered)).replace("=", "=~", 1)


OWED: Final = (one_of("reason", {"", *FAILURES}), f'code!~"{"|".join(("4..", *map(str, REFUSED_5XX)))}"')
"""Of `tidegate_requests_total`, what provider and network owed, as far as status and reason tell: neither our refusals
nor what the provider refused as the caller's mistake.
"""

GOOD: Final = ('reason=""', 'code!~"[45].."')
"""Of these, the ones that came to a good end."""
