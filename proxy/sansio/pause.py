"""How long a provider is left alone after it asked for that, and how calls come back."""

import math
from typing import Final

UNHINTED_MAX_S: Final = 60.0
"""Where the doubling of pauses without a hint ends; a configured first pause above it stays as it is."""

STAGGER_S: Final = 0.05
"""Between the first calls after a pause: all at once they would earn the next refusal together."""

TOLD_S: Final = 1.0
"""The least growth of a pause that is worth an event: hints count in whole seconds."""

RAMP_STEP_S: Final = 1.0
RAMP_STEPS: Final = 6
"""The pace after a pause doubles with every step, from 20/s; after the last step nothing is spaced out."""

FIND_OUT_S: Final = 10.0
"""How long the one call after a hold has for finding out, before another one may try."""

GRAIN: Final = 1e-6
"""A slot this close to the next step belongs to it: sums of floats don't meet the boundary exactly."""


class Pause:
    """The provider's own stop sign, for every call to it. A `Limit` as `Buckets` takes it.

    A hint (`Retry-After` and the like) sets the end; it extends a pause and never shortens one. Without a
    hint the pause doubles with every refusal that follows a pause, until a call succeeds.

    A hold is a pause because a quota is used up. Behind it nobody knows whether the quota has come back, so that one
    call at a time goes, until one has found out.

    held: True from the beginning of a hold until a call has found out.
    quiet: True while there is nothing to mind: no pause, no ramp, no doubling.
    epoch: grows whenever a pause begins or grows. A call notes it when it is sent; an answer of an earlier epoch says
    nothing about the pause that began since, so that 64 refusals in flight are one refusal.
    """

    __slots__ = (
        "_lifted",
        "_max_s",
        "_next_at",
        "_next_s",
        "_told_at",
        "_unhinted_s",
        "_until",
        "epoch",
        "held",
        "quiet",
    )

    def __init__(self, unhinted_s: float, max_s: float) -> None:
        self.quiet = True
        self.held = False
        self.epoch = self._lifted = 0
        self._max_s = max_s
        self._unhinted_s = self._next_s = unhinted_s
        self._until = self._next_at = -math.inf
        self._told_at = -math.inf  # the end of the pause that was told last

    def configure(self, unhinted_s: float, max_s: float) -> None:
        """Take other settings for the pauses to come; one under way stays as it is."""
        self._max_s = max_s
        if unhinted_s != self._unhinted_s:
            self._unhinted_s = self._next_s = unhinted_s

    def throttled(self, now: float, hint_s: float | None, epoch: int) -> float:
        """Hear that the provider refused a call sent in `epoch`; `hint_s`: the wait that it named.

        Returns: the seconds from now that the provider is left alone, when that is worth an event: a
        pause began, or has grown by more than the refusals of one burst differ; else 0.0.
        """
        if hint_s is None:
            if now < self._until or epoch != self.epoch:
                return 0.0
            seconds = self._next_s
            self._next_s = min(2 * seconds, max(UNHINTED_MAX_S, self._unhinted_s))
        else:
            seconds = hint_s
        # A misread or hostile date must not cut the provider off for days.
        return self._stop(now, min(seconds, self._max_s))

    def exhausted(self, now: float, seconds: float, epoch: int) -> float:
        """Hear that the provider said to a call sent in `epoch` that a quota is used up for `seconds` more.

        Returns: as `throttled`.
        """
        if seconds <= 0.0 or epoch < self._lifted or (self.held and epoch != self.epoch):
            return 0.0  # holds are off, or it was sent before the hold or with the old secret, and so is no news
        self.held, self._next_at = True, -math.inf
        return self._stop(now, seconds)

    def _stop(self, now: float, seconds: float) -> float:
        old, new = max(now, self._until), now + seconds
        if new <= old:
            return 0.0
        worth_telling = old == now or new - self._told_at >= TOLD_S
        self._until = new
        self.quiet = False
        self.epoch += 1
        if not worth_telling:
            return 0.0
        self._told_at = new
        return seconds

    def succeeded(self, now: float, epoch: int) -> None:
        """Hear that a call sent in `epoch` succeeded: sent after the last pause, it ends the doubling."""
        if epoch == self.epoch:
            self.found_out(epoch)
            self._next_s = self._unhinted_s
            self.quiet = now >= self._ramp_end()

    def found_out(self, epoch: int) -> None:
        """Hear that a call sent in `epoch` got an answer other than that a quota is used up."""
        if self.held and epoch == self.epoch:
            self.held, self._next_at = False, -math.inf

    def lift(self, now: float) -> None:
        """End a pause or a hold: calls carry another secret from here on, or an operator knows better.

        They come back at the pace after a pause.
        """
        self.held, self._next_at = False, -math.inf
        self._until = min(self._until, now)
        self.epoch += 1
        self._lifted = self.epoch

    def paused_s(self, now: float) -> float:
        """Tell the seconds that the pause still lasts, 0.0 when there is none."""
        return max(0.0, self._until - now)

    def free_at(self, now: float, ahead: int) -> float:
        """Tell the instant of the slot behind `ahead` others; `now` when nothing is spaced out."""
        at = max(now, self._until, self._next_at)
        if self.held:
            return at + ahead * FIND_OUT_S
        end = self._ramp_end()
        while ahead and at < end:
            step = self._step(at)
            gap = STAGGER_S / 2**step
            step_end = self._until + (step + 1) * RAMP_STEP_S
            slots = min(ahead, math.ceil((step_end - at) / gap - GRAIN))
            at += slots * gap
            ahead -= slots
        return at

    def charge(self, at: float) -> None:
        """Take the slot at the instant `at`."""
        if self.held:
            self._next_at = at + FIND_OUT_S
        elif at < self._ramp_end():
            self._next_at = at + STAGGER_S / 2 ** self._step(at)

    def _ramp_end(self) -> float:
        return self._until + RAMP_STEPS * RAMP_STEP_S

    def _step(self, at: float) -> int:
        return max(0, math.floor((at - self._until) / RAMP_STEP_S + GRAIN))
