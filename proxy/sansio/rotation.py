"""Which of the live secrets a call carries, and when a secret that the provider refuses is left alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

REFUSALS: Final = 5
"""Refusals in a row after which the last usable secret is left alone: one caller's bad request must not do it."""

UNREAD: Final = -1
"""The generation of a secret that was never read: it is no choice while there is another."""

HOLD_S: Final = 15.0
HOLD_MAX_S: Final = 900.0
"""How long a refused secret is left alone, doubling. Providers ban addresses (Discord: 10,000 refusals in 10 min)."""


@dataclass(frozen=True, slots=True)
class Held:
    """No secret may be sent; the first may be tried again in `retry_after_s` seconds."""

    retry_after_s: float


@dataclass(frozen=True, slots=True)
class Hold:
    """A secret is left alone from now on, for `seconds`, after so many refusals in a row."""

    seconds: float
    refusals: int


class _Live:
    """What is known of one secret.

    again_at: monotonic instant from which it may be tried again. trying: a call is out that finds out. told: a hold
    was reported, and no second one is until the secret is accepted or changes.
    """

    __slots__ = ("again_at", "generation", "hold_s", "refusals", "told", "trying")

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.forgive()

    def see(self, generation: int) -> None:
        """Learn the generation in use; one that has changed is as good as new."""
        if self.generation != generation:
            self.generation = generation
            self.forgive()

    def forgive(self) -> None:
        self.refusals = 0
        self.again_at = 0.0
        self.hold_s = HOLD_S
        self.told = self.trying = False

    def try_again(self, now: float) -> None:
        self.again_at = now + self.hold_s  # one at a time
        self.trying = True

    def hold(self, now: float) -> float:
        seconds = self.hold_s
        self.again_at = now + seconds
        self.hold_s = min(2 * seconds, HOLD_MAX_S)
        self.trying = False
        return seconds


class Rotation:
    """Decides among one secret, or two while one replaces the other.

    The new one is used first; refused, it gives way to the old one, and is tried again after a while, by a call that
    may be sent twice. When all have been refused again and again, none is sent until the hold is over or one changes.

    quiet: True while nothing has been refused, so that the first secret is the choice and nobody need ask.
    """

    __slots__ = ("_live", "quiet")

    def __init__(self, generations: Sequence[int]) -> None:
        self._live = [_Live(generation) for generation in generations]
        self.quiet = True

    def choose(self, now: float, generations: Sequence[int], *, repeatable: bool) -> int | Held:
        """Return the index of the secret for this call, or Held.

        now: monotonic seconds. generations: of each secret, or UNREAD; one that changed is as good as new. repeatable:
        whether the call may be sent again, and so may find out whether a refused secret is good by now.
        """
        for live, generation in zip(self._live, generations, strict=True):
            live.see(generation)
        for index, live in enumerate(self._live):
            if live.generation == UNREAD:
                continue
            if not live.refusals:
                self.quiet = index == 0 and not any(other.refusals for other in self._live)
                return index
            if now >= live.again_at and repeatable and self._others_well(index):
                live.try_again(now)
                return index
        return self._last_resort(now)

    def _others_well(self, index: int) -> bool:
        others = (live for place, live in enumerate(self._live) if place != index)
        return any(not live.refusals and live.generation != UNREAD for live in others)

    def _last_resort(self, now: float) -> int | Held:
        places = [place for place, live in enumerate(self._live) if live.generation != UNREAD]
        if not places:
            return 0  # it tells what is missing
        index = min(places, key=lambda place: self._live[place].refusals)
        if self._live[index].refusals < REFUSALS:
            return index
        index = min(places, key=lambda place: self._live[place].again_at)
        live = self._live[index]
        if now < live.again_at:
            return Held(live.again_at - now)
        live.try_again(now)
        return index

    def accepted(self, index: int, generation: int) -> None:
        """Hear that the provider took the secret."""
        live = self._live[index]
        if live.generation == generation and live.refusals:
            live.forgive()
            self.quiet = not any(other.refusals for other in self._live)

    def refused(self, now: float, index: int, generation: int) -> Hold | None:
        """Hear that the provider refused the secret.

        Returns: the hold that begins, told once until the secret is accepted or changes; None when none begins.
        """
        live = self._live[index]
        if generation < live.generation:
            return None  # what was refused is no longer in use
        live.see(generation)  # while all is quiet nobody asks, and so the secret may have changed unseen
        self.quiet = False
        live.refusals += 1
        if not self._others_well(index) and live.refusals < REFUSALS:
            return None
        if live.told and not live.trying:
            return None  # one of those that were on their way when the hold began
        told, live.told = live.told, True
        seconds = live.hold(now)
        return None if told else Hold(seconds, live.refusals)

    def forgive(self) -> None:
        """Forget every refusal, so that a secret that is left alone is tried with the next call."""
        for live in self._live:
            live.forgive()

    def held_s(self, now: float, index: int) -> float:
        """Tell the seconds for which a secret is still left alone, 0.0 when it is in use."""
        live = self._live[index]
        return max(0.0, live.again_at - now) if live.refusals else 0.0

    def refusals(self, index: int) -> int:
        """Tell the refusals in a row of a secret."""
        return self._live[index].refusals
