"""Whether a call may go now under limits of N calls per window, and if not, when."""

from collections.abc import Sequence
from typing import Final, Protocol

from proxy.core.units import Rate

BURST: Final = 0.1
"""The part of N that may go at once; the rest flows evenly, so that burst + flow is never above N."""


class Limit(Protocol):
    """Anything that spaces calls out: a bucket, or a pause that lets them back in one by one."""

    def free_at(self, now: float, ahead: int) -> float:
        """Tell the instant, not before `now`, when a call may go that has `ahead` others before it."""

    def charge(self, at: float) -> None:
        """Count one call that goes at the instant `at`."""


class Bucket:
    """One limit, as the generic cell rate algorithm (GCRA, ITU-T I.371) with room for a small burst.

    A full bucket of N that refills at N per window would admit 2 N in the window after a quiet time.
    This one holds 0.1 N (at least 1) and refills at 0.9 N per window: no window, wherever it begins,
    sees more than N, and steady load gets nine tenths of it.
    """

    __slots__ = ("_drained_at", "_gap_s", "_slack_s", "rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._gap_s = rate.window_s / (rate.count * (1 - BURST))
        self._slack_s = self._gap_s * (max(1.0, rate.count * BURST) - 1.0)
        self._drained_at = now  # GCRA's "theoretical arrival time": when the bucket is full again

    def free_at(self, now: float, ahead: int) -> float:
        """Tell exactly when a call may go that has `ahead` others before it, all going as early as they may."""
        # Clamped to now first: a bucket that is full does not fill any further.
        at = max(now, self._drained_at) + ahead * self._gap_s - self._slack_s
        return max(now, at)

    def charge(self, at: float) -> None:
        """Take one token at the instant `at`, whether or not it is there yet."""
        self._drained_at = max(at, self._drained_at) + self._gap_s

    def take(self, now: float) -> bool:
        """Take one token if there is one."""
        drained_at = self._drained_at
        if drained_at - self._slack_s > now:
            return False
        # free_at() and charge() in one: every call to a limited provider passes here.
        self._drained_at = max(now, drained_at) + self._gap_s
        return True

    @property
    def burst(self) -> float:
        """How many calls may go at once when it is full."""
        return self._slack_s / self._gap_s + 1.0

    def tokens(self, now: float) -> float:
        """Tell how many calls could go at once, with the fraction that is refilled so far; never below 0."""
        missing_s = max(0.0, self._drained_at - now)
        return max(0.0, (self._slack_s - missing_s) / self._gap_s + 1.0)


class Buckets:
    """Several limits that must all hold: a call takes from each of them, or from none."""

    __slots__ = ("_limits",)

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = tuple(limits)

    def free_at(self, now: float, ahead: int = 0) -> float:
        """Tell exactly when a call may go that has `ahead` others before it."""
        first = now
        for limit in self._limits:
            first = max(first, limit.free_at(now, 0))
        if not ahead:
            return first
        # Counted from the first grant on: until then a limit that is full gains nothing by waiting for
        # the others, and after it no limit can be full while the queue still waits for it.
        return max((limit.free_at(first, ahead) for limit in self._limits), default=first)

    def charge(self, at: float) -> None:
        """Take from every limit at the instant `at`, whether or not it has a token yet."""
        for limit in self._limits:
            limit.charge(at)

    def take(self, now: float) -> bool:
        """Take from every limit if each has a token, else from none."""
        for limit in self._limits:
            if limit.free_at(now, 0) > now:
                return False
        for limit in self._limits:
            limit.charge(now)
        return True
