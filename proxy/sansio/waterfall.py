"""Lays the time of one call out as bars, one after another, from its line in the log."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

Bar = dict[str, object]
"""`label`, `kind`, `at_ms` and `duration_ms`; the kinds are the keys of `_SAID`."""

_PHASES: Final = ("dns", "connect", "tls", "first_byte", "body")
_SAID: Final = {
    "receive": "request body from the caller",
    "queue": "waited for a place in flight",
    "limiter": "waited for the rate limit",
    "backoff": "waited before the next attempt",
    "dns": "resolved the host name",
    "connect": "connected",
    "tls": "TLS handshake",
    "first_byte": "waited for the answer",
    "body": "answer's body",
    "own": "tidegate itself",
}
_NOT_SENT: Final = frozenset({"connect", "connect_failed", "connect_timeout", "resolve_failed", "tls_failed"})
_LEAST_MS: Final = 0.001  # what the log rounds to


def waterfall(line: Mapping[str, Any]) -> list[Bar]:
    """Return the bars of a call in the order of time; together they are as long as the call.

    line: as the log writes it. It tells of waits for the rate limit only how long they were together, so that the gaps
    before attempts are filled with that, those with the most room first.
    """
    return list(_Layout(line).bars())


class _Attempt(NamedTuple):
    """One send. told: its phases. backoff_ms: by how much it was put off."""

    number: int
    at_ms: float
    duration_ms: float
    backoff_ms: float
    told: Mapping[str, Any]


class _Layout:
    def __init__(self, line: Mapping[str, Any]) -> None:
        self._line = line
        self._at = 0.0
        self._attempts = list(_attempts(line))

    def bars(self) -> Iterator[Bar]:
        line, end = self._line, float(self._line["duration_ms"])
        for kind in ("receive", "queue"):
            yield from self._bar(kind, _ms(line, kind))
        waits = self._limiter_waits(end)
        for attempt, waited_ms in zip(self._attempts, waits, strict=False):
            yield from self._bar("backoff", min(attempt.backoff_ms, attempt.at_ms - self._at))
            yield from self._bar("limiter", min(waited_ms, attempt.at_ms - self._at))
            yield from self._bar("own", attempt.at_ms - self._at)
            yield from self._phases(attempt)
        yield from self._bar("limiter", min(waits[-1], end - self._at))
        yield from self._bar("own", end - self._at)

    def _limiter_waits(self, end_ms: float) -> list[float]:
        """Return how much of the waits for the rate limit lies before each attempt, and after the last one."""
        left_ms, at_ms = _ms(self._line, "limiter"), self._at
        rooms = []
        for attempt in self._attempts:
            rooms.append(attempt.at_ms - at_ms - attempt.backoff_ms)
            at_ms = attempt.at_ms + attempt.duration_ms
        rooms.append(end_ms - at_ms)
        waits = [0.0] * len(rooms)
        for place in sorted(range(len(rooms)), key=lambda place: -rooms[place]):
            waits[place] = max(0.0, min(rooms[place], left_ms))
            left_ms -= waits[place]
        return waits

    def _phases(self, attempt: _Attempt) -> Iterator[Bar]:
        told, left_ms = attempt.told, attempt.duration_ms
        before = f"attempt {attempt.number}: " if len(self._attempts) > 1 else ""
        for kind in _PHASES:
            took_ms = min(_ms(told, kind), left_ms)
            yield from self._bar(kind, took_ms, before + _SAID[kind])
            left_ms -= took_ms
        why = told.get("reason", told.get("cause"))
        if told["status"] is None or told.get("reason"):  # the phase in which it failed has no time of its own
            kind = "connect" if why in _NOT_SENT else "first_byte"
            yield from self._bar(kind, left_ms, f"{before}{_SAID[kind]}, in vain")

    def _bar(self, kind: str, duration_ms: float, label: str = "") -> Iterator[Bar]:
        if duration_ms < _LEAST_MS:
            return
        label = label or _SAID[kind]
        yield {"label": label, "kind": kind, "at_ms": round(self._at, 3), "duration_ms": round(duration_ms, 3)}
        self._at += duration_ms


def _attempts(line: Mapping[str, Any]) -> Iterator[_Attempt]:
    earlier, upstream_ms, backoff_ms = line.get("earlier", []), _ms(line, "upstream"), 0.0
    for number, told in enumerate(earlier, 1):
        yield _Attempt(number, told["at_ms"], told["duration_ms"], backoff_ms, told)
        backoff_ms = told["wait_ms"]
        upstream_ms -= told["duration_ms"]
    if line["attempts"] > len(earlier):
        took_ms = max(upstream_ms, sum(_ms(line, kind) for kind in _PHASES))  # what is left is short by some overhead
        at_ms = line.get("attempt_ms", line["duration_ms"] - took_ms)  # a plain call's own time is put first
        yield _Attempt(line["attempts"], at_ms, took_ms, backoff_ms, line)


def _ms(told: Mapping[str, Any], kind: str) -> float:
    return float(told.get(f"{kind}_ms", 0.0))
