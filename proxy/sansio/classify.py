"""The one judge of an answer: what its status and headers say about the provider."""

from typing import Final

from proxy.core.call import Headers, field_value
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile, Rule

_Check = tuple[bytes | None, bytes | None, Outcome]

_REFUSED_5XX: Final = (501, 505)  # the provider is well; it will never do what was asked


class Classifier:
    """Says which Outcome an answer is, by one provider's profile."""

    def __init__(self, profile: Profile) -> None:
        self._plain = [_plain_outcome(status) for status in range(600)]
        self._checks: dict[int, list[_Check]] = {}
        # Exhausted first: a quota that is used up often comes as a 429 that one more header tells apart.
        for outcome, rules in (
            (Outcome.EXHAUSTED, profile.exhausted),
            (Outcome.THROTTLED, profile.throttled),
            (Outcome.UNAUTHORISED, profile.unauthorised),
        ):
            for rule in rules:
                self._checks.setdefault(rule.status, []).append((*_field(rule), outcome))

    def __call__(self, status: int, headers: Headers) -> Outcome:
        """Judge an answer; of the rules for its status the first that matches counts.

        Sources: RFC 9110 section 15; RFC 6585 section 4 (429).
        """
        if status in self._checks:
            for name, value, outcome in self._checks[status]:
                if name is None or _holds(headers, name, value):
                    return outcome
        return self._plain[status] if 0 <= status < 600 else Outcome.FAILED


def _plain_outcome(status: int) -> Outcome:
    if status < 400:
        return Outcome.OK
    if status < 500 or status in _REFUSED_5XX:
        return Outcome.REFUSED
    return Outcome.FAILED


def _field(rule: Rule) -> tuple[bytes | None, bytes | None]:
    name = None if rule.header is None else rule.header.encode()
    return name, None if rule.equals is None else rule.equals.lower().encode()


def _holds(headers: Headers, name: bytes, value: bytes | None) -> bool:
    found = field_value(headers, name)
    return found is not None and (value is None or found.strip().lower() == value)
