"""Counts the good among all events, and tells how fast an error budget burns and how much of it is left."""

from array import array
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

TICK_S: Final = 10
_HOUR: Final = 3600 // TICK_S
_DAY: Final = 24 * _HOUR

# What one step takes and how far back the steps reach, in ticks; a window is read off the first that reaches so far.
# Ever coarser, because nobody needs to know to the second when a month began: 37 KiB in all.
_RINGS: Final = ((1, _HOUR), (_HOUR // 12, 3 * _DAY), (2 * _HOUR, 90 * _DAY))

LONGEST_S: Final = 90 * 86400
"""The longest window that can be asked for, in seconds."""

WINDOWS_S: Final[Mapping[str, float]] = {"5m": 300.0, "30m": 1800.0, "1h": 3600.0, "6h": 21600.0, "3d": 259200.0}
"""The windows of burn rates by name: those of `BURNS`."""


class Burn(NamedTuple):
    """A pace that somebody should know of: `share` of the budget within `long`, and still so within `short`."""

    long: str
    short: str
    share: float
    severity: Literal["page", "ticket"]

    def factor(self, window_s: float) -> float:
        """Return how many times faster than allowed that is; never below 1, because at 1 the budget just lasts."""
        return max(1.0, self.share * window_s / WINDOWS_S[self.long])


# SRE workbook, chapter "Alerting on SLOs", table 5-8: a short window of a twelfth tells that it is still going on.
BURNS: Final = (
    Burn("1h", "5m", 0.02, "page"),
    Burn("6h", "30m", 0.05, "page"),
    Burn("3d", "6h", 0.10, "ticket"),
)


class _Ring:
    """The counts as they stood at the beginning of each of the last steps. every, reach: in ticks."""

    __slots__ = ("_events", "_every", "_good", "_size", "_slot", "reach")

    def __init__(self, every: int, reach: int, tick: int) -> None:
        self.reach = reach
        self._every = every
        self._size = reach // every + 1
        self._slot = tick // every
        self._events = array("Q", (0,)) * self._size
        self._good = array("Q", (0,)) * self._size

    def advance(self, tick: int, events: int, good: int) -> None:
        """Begin every step up to this tick with these counts; nothing happened since the last one."""
        slot, size = tick // self._every, self._size
        for begun in range(max(self._slot + 1, slot - size + 1), slot + 1):
            self._events[begun % size] = events
            self._good[begun % size] = good
        self._slot = max(slot, self._slot)

    def at(self, tick: int) -> tuple[int, int]:
        """Return events and good ones as they stood when the step of this tick began; 0 before all counting."""
        place = tick // self._every % self._size
        return self._events[place], self._good[place]


class Indicator:
    """A service level indicator: events, and the good ones among them (SRE workbook, chapter 2).

    events, good: since the beginning. To count is two additions; to ask for a window is a subtraction, whatever
    happened in it. A window reaches back to the beginning of a step: 10 s for windows up to 1 h, 5 min up to 3 d,
    2 h up to 90 d; one that is longer than the time of counting tells of all that was counted. Monotonic seconds.
    """

    __slots__ = ("_due_at", "_rings", "_started_at", "events", "good")

    def __init__(self, now: float) -> None:
        tick = int(now // TICK_S)
        self.events = self.good = 0
        self._started_at = now
        self._due_at: float = (tick + 1) * TICK_S
        self._rings = tuple(_Ring(every, reach, tick) for every, reach in _RINGS)

    def count(self, now: float, *, good: bool) -> None:
        """Count an event."""
        if now >= self._due_at:
            self._advance(now)
        self.events += 1
        self.good += good

    def _advance(self, now: float) -> None:
        tick = int(now // TICK_S)
        for ring in self._rings:
            ring.advance(tick, self.events, self.good)
        self._due_at = (tick + 1) * TICK_S

    def within(self, window_s: float, now: float) -> tuple[int, int]:
        """Return events and good ones of the last `window_s` seconds, at most 90 days."""
        if now >= self._due_at:
            self._advance(now)
        ticks = window_s / TICK_S
        ring = next((ring for ring in self._rings if ticks <= ring.reach), self._rings[-1])
        events, good = ring.at(int((now - window_s) // TICK_S))
        return self.events - events, self.good - good

    def burn_rate(self, objective: float, window_s: float, now: float) -> float | None:
        """Return how many times as fast as allowed the budget was spent; None without events.

        1 spends it in exactly the objective's window (SRE workbook, chapter 5). objective: the ratio promised.
        """
        events, good = self.within(window_s, now)
        return (events - good) / events / (1.0 - objective) if events else None

    def budget_left(self, objective: float, window_s: float, now: float) -> float | None:
        """Return the share of the window's budget that is left, below 0 when overspent; None without events."""
        spent = self.burn_rate(objective, window_s, now)
        return None if spent is None else 1.0 - spent

    def seen_s(self, window_s: float, now: float) -> float:
        """Return how much of the window has been counted, in seconds."""
        return min(now - self._started_at, window_s)
