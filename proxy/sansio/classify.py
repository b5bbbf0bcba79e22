"""The one judge of an answer: what its status, headers and, where a rule asks for it, its body say of the provider."""

import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from proxy.core.call import Headers, field_value
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile, Rule
from proxy.sansio.json_fields import values

MOST_BYTES: Final = 16 * 1024
"""How much of a body is looked at: error bodies are short, and a long one is data."""

_USUAL: Final = Profile().throttled + Profile().unauthorised
REFUSED_5XX: Final = (501, 505)
"""The provider is well; it will never do what was asked."""


class _Answer:
    """What rules look at. document: the body as JSON, None when it is none, or goes on behind its beginning."""

    __slots__ = ("_document", "body", "headers")

    def __init__(self, headers: Headers, body: bytes) -> None:
        self.headers = headers
        self.body = body
        self._document: Any = self  # until it is asked for

    @property
    def document(self) -> Any:
        if self._document is self:
            try:
                self._document = orjson.loads(self.body)
            except orjson.JSONDecodeError:
                self._document = None
        return self._document


_Holds = Callable[[_Answer], bool]


class Classifier:
    """Says which Outcome an answer is, by one provider's profile.

    reads_body: takes a status and says whether the body's beginning is needed to judge it.
    """

    def __init__(self, profile: Profile) -> None:
        self._plain = [_plain_outcome(status) for status in range(600)]
        self._checks: dict[int, list[tuple[_Holds, Outcome, Rule]]] = {}
        reading: set[int] = set()
        # Exhausted first: a quota that is used up often comes as a 429 that one more thing tells apart.
        for outcome, rules in (
            (Outcome.EXHAUSTED, profile.exhausted),
            (Outcome.THROTTLED, profile.throttled),
            (Outcome.UNAUTHORISED, profile.unauthorised),
            (Outcome.REFUSED, profile.refused),
            (Outcome.FAILED, profile.failed),
        ):
            for rule in rules:
                self._checks.setdefault(rule.status, []).append((_compiled(rule), outcome, rule))
                if rule.reads_body:
                    reading.add(rule.status)
        self.reads_body: Callable[[int], bool] = frozenset(reading).__contains__

    def __call__(self, status: int, headers: Headers, body: bytes = b"") -> Outcome:
        """Judge an answer; of the rules for its status the first that holds counts.

        body: its first `MOST_BYTES` without content coding; b"" where it is not at hand.
        Sources: RFC 9110 section 15; RFC 6585 section 4 (429).
        """
        if status in self._checks:
            answer = _Answer(headers, body)
            for holds, outcome, _ in self._checks[status]:
                if holds(answer):
                    return outcome
        return self._plain[status] if 0 <= status < 600 else Outcome.FAILED

    def why(self, status: int, headers: Headers, body: bytes = b"") -> str:
        """Name the rule by which an answer was judged, such as `failed: 200 with ok = false`.

        Parameters as for the verdict. Returns: empty where the status decided as it does for any provider.
        """
        answer = _Answer(headers, body)
        for holds, outcome, rule in self._checks.get(status, ()):
            if holds(answer):
                return "" if rule in _USUAL else f"{outcome.value}: {condition(rule)}"
        return ""


def condition(rule: Rule) -> str:
    """Say for people which answers a rule means, such as `200 with ok = false`."""
    place = f"header {rule.header}" if rule.header else rule.field
    if rule.body is not None:
        return f"{rule.status} with /{rule.body}/ in its body"
    if place is None:
        return str(rule.status)
    if rule.equals is not None:
        return f"{rule.status} with {place} = {rule.equals}"
    return f"{rule.status} with {place}" + (f" like /{rule.matches}/" if rule.matches is not None else "")


def _plain_outcome(status: int) -> Outcome:
    if status < 400:
        return Outcome.OK
    if status < 500 or status in REFUSED_5XX:
        return Outcome.REFUSED
    return Outcome.FAILED


def _compiled(rule: Rule) -> _Holds:
    if rule.header is not None:
        return _header(rule.header.encode(), _value(rule))
    if rule.field is not None:
        return _field(rule.field, _value(rule))
    if rule.body is not None:
        pattern = re.compile(rule.body.encode())
        return lambda answer: pattern.search(answer.body, 0, MOST_BYTES) is not None
    return lambda _: True


def _value(rule: Rule) -> Callable[[bytes], bool]:
    if rule.equals is not None:
        wanted = rule.equals.lower().encode()
        return lambda value: value.strip().lower() == wanted
    if rule.matches is not None:
        pattern = re.compile(rule.matches.encode())
        return lambda value: pattern.search(value) is not None
    return lambda _: True


def _header(name: bytes, fits: Callable[[bytes], bool]) -> _Holds:
    def holds(answer: _Answer) -> bool:
        found = field_value(answer.headers, name)
        return found is not None and fits(found)

    return holds


def _field(path: str, fits: Callable[[bytes], bool]) -> _Holds:
    # Most bodies are no errors, and to look for the key costs a tenth of parsing them. It may be spelt with \u0065.
    last = path.rpartition(".")[2].removesuffix("[]")
    key = orjson.dumps(last) if last else b""

    def holds(answer: _Answer) -> bool:
        if key not in answer.body and b"\\u" not in answer.body:
            return False
        return any(fits(_written(value)) for value in values(answer.document, path))

    return holds


def _written(value: object) -> bytes:
    """Return a value as it stands in JSON, a text without its quotes; nothing for one that is nested without end."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # it writes fewer levels than it reads
        return b""
