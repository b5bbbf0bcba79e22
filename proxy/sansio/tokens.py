"""When an access token is good, when the next one is due, and how long a token endpoint that fails is left alone."""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from proxy.sansio.backoff import Backoff

LIFE_MAX_S: Final = 30 * 24 * 3600.0
"""No token is believed to live longer: a provider that says so has most likely written milliseconds."""

EARLY_S: Final = 300.0
"""How long before its end a token is due at the latest start, or a fifth of its life where that is less."""

MARGIN_S: Final = 5.0
"""What a token needs to reach the provider, or a twentieth of its life where that is less."""

FORCED_GAP_S: Final = 30.0
"""No two tokens are given up sooner after one another: a provider that refuses fresh ones means the secret."""

_TRANSIENT: Final = Backoff(1.0, 1.0, 30.0)
_REFUSED: Final = Backoff(5.0, 5.0, 300.0)  # the endpoint answered no; endpoints lock clients that go on asking
_HINT_MAX_S: Final = 900.0


class Step(Enum):
    """What a call does about the token."""

    USE = "use"  # good
    RENEW_AHEAD = "renew_ahead"  # good, but one has to be fetched meanwhile
    RENEW = "renew"  # good, but made with a secret that has been replaced: wait a little for a better one
    FETCH = "fetch"  # none: wait for one


@dataclass(frozen=True, slots=True)
class Rest:
    """There is no token, and the endpoint is left alone for `retry_after_s` seconds."""

    retry_after_s: float


def life_s(told: Any, default_s: float) -> float:
    """Return the seconds that a token lives, from what the endpoint told (`expires_in`, RFC 6749 section 5.1).

    told: a number, or one as text, because some endpoints send that. default_s: when nothing was told.
    Raises: ValueError for anything else, and for a token that is over already.
    """
    if told is None:
        return default_s
    try:
        seconds = float(told)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("tells a lifetime that is no number") from None
    if not seconds > 0.0:  # not a number is not above zero either
        raise ValueError("gave a token that is over already")
    return min(seconds, LIFE_MAX_S)


class TokenClock:
    """Decides about one token. All instants are monotonic seconds.

    generation: of the secrets by which it is fetched; a change makes another token due at once.
    """

    __slots__ = ("_due_at", "_ends_at", "_failures", "_forced_at", "_generation", "_retry_at")

    def __init__(self) -> None:
        self._due_at = self._ends_at = self._retry_at = self._forced_at = -math.inf
        self._generation = -1
        self._failures = 0

    def decide(self, now: float, generation: int) -> Step | Rest:
        """Say what a call does about the token."""
        changed = generation != self._generation
        if now < self._ends_at:
            if changed:
                return Step.RENEW
            return Step.RENEW_AHEAD if now >= self._due_at and now >= self._retry_at else Step.USE
        if changed or now >= self._retry_at:
            return Step.FETCH
        return Rest(self._retry_at - now)

    def good(self, now: float) -> bool:
        """Say whether the token may be sent."""
        return now < self._ends_at

    def rest_s(self, now: float) -> float:
        """Tell for how many seconds the endpoint is left alone, 0.0 when it may be asked."""
        return max(0.0, self._retry_at - now)

    def begin(self, generation: int) -> None:
        """Hear that a fetch begins, with secrets of this generation; changed ones begin without a past."""
        if generation != self._generation:
            self._generation = generation
            self._failures = 0
            self._retry_at = -math.inf

    def fetched(self, began_at: float, seconds: float, random: float) -> None:
        """Hear that a token came.

        began_at: when it was asked for; its life is counted from there, because nobody knows when it was made.
        seconds: its life. random: uniform in [0, 1); spreads the next fetch, so that a fleet does not come at once.
        """
        early_s = min(EARLY_S, seconds / 5)
        self._ends_at = began_at + seconds - min(MARGIN_S, seconds / 20)
        self._due_at = self._ends_at - early_s * (1.0 + random / 2)
        self._retry_at = -math.inf
        self._failures = 0

    def failed(self, now: float, random: float, hint_s: float, *, refused: bool) -> float:
        """Hear that no token came. hint_s: what the endpoint asked for. refused: it answered, and said no.

        Returns: the seconds until it is asked again.
        """
        self._failures += 1
        backoff = _REFUSED if refused else _TRANSIENT
        wait_s = backoff.wait_s(self._failures, throttled=False, random=0.5 + random / 2)  # never at once
        wait_s = max(wait_s, min(hint_s, _HINT_MAX_S))
        self._retry_at = now + wait_s
        self._due_at = -math.inf  # also where the secret was changed long before the token is due
        return wait_s

    def resume(self) -> None:
        """Forget failures: the endpoint may be asked at once."""
        self._failures = 0
        self._retry_at = -math.inf

    def rejected(self, now: float) -> bool:
        """Hear that the provider refused the token. Returns: whether it is given up for another one."""
        if not self.good(now):
            return True  # already, by one of those that were on their way with it
        if now < self._retry_at or now - self._forced_at < FORCED_GAP_S:
            return False  # no other is to be had now, or a fresh one fared no better
        self._forced_at = now
        self._ends_at = -math.inf
        return True
