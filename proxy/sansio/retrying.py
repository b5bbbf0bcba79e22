"""Whether a failed attempt is followed by another one, and when."""

from dataclasses import dataclass, field
from typing import Final, Literal

from proxy.core.call import Call, Reply
from proxy.core.errors import UpstreamFailed
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.sansio.backoff import Backoff
from proxy.sansio.budget import RetryBudget, retry_cost
from proxy.sansio.hints import Hints
from proxy.sansio.idempotency import IdempotencyKeys

_HINT_JITTER: Final = 0.1  # callers that were told the same second should not come back in the same millisecond
_CAUSES: Final = {
    "connection_dropped": "dropped",
    "upstream_protocol_error": "dropped",
    "response_timeout": "timeout",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What came of an attempt that was no success.

    cause: as in `RetryScheduled`. sent: whether the provider may have seen any of the request.
    hint_s: how long it wants us to wait, or our own pause of it lasts; None for neither. should_retry: what it
    thinks of a retry, None if it did not say. renewed: the credential was refused, and the next attempt has another.
    """

    outcome: Outcome
    cause: str
    sent: bool = True
    hint_s: float | None = None
    should_retry: bool | None = None
    renewed: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after `wait_s` seconds. cost: what that took from the budget."""

    wait_s: float
    cause: str
    cost: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Hand on what there is.

    why: `verdict` (another attempt would not help), `forbidden` (the caller or the provider said no),
    `unsafe` (it could be done twice), `attempts` (that was the last one), `wait_too_long`, `budget`.
    detail: the same for people, with the numbers; empty for a verdict.
    """

    why: Literal["verdict", "forbidden", "unsafe", "attempts", "wait_too_long", "budget"]
    detail: str = field(default="", compare=False)


class Retrying:
    """Decides about another attempt, for one provider.

    attempts: sends in all. max_wait_s: seconds; a longer wait is the caller's to do. budget: None for no bound.
    """

    def __init__(
        self, profile: Profile, backoff: Backoff, budget: RetryBudget | None, attempts: int, max_wait_s: float
    ) -> None:
        self._hints = Hints(profile)
        self._keys = IdempotencyKeys(profile)
        self._backoff = backoff
        self.budget = budget
        self._attempts = attempts
        self._max_wait_s = max_wait_s

    def failure(self, result: Reply | UpstreamFailed, wall: float) -> Failure:
        """Read from a reply or an error what the decision needs. wall: unix seconds, for dates in headers."""
        if isinstance(result, Reply):
            throttled = result.outcome is Outcome.THROTTLED
            if result.renewed:
                return Failure(result.outcome, "unauthorised", renewed=True)
            hint_s = self._hints.wait_s(result.headers, wall)
            return Failure(
                outcome=result.outcome,
                cause="throttled" if throttled else str(result.status),
                hint_s=max(hint_s or 0.0, result.pause_s) if result.pause_s else hint_s,
                should_retry=self._hints.should_retry(result.headers),
            )
        return Failure(result.outcome, _CAUSES.get(result.reason, "connect"), sent=result.sent)

    def decide(self, call: Call, failure: Failure, attempt: int, now: float, random: float) -> Again | Stop:
        """Decide what follows the attempt with that number (from 1); `Again` has been paid for.

        now: monotonic seconds. random: uniform in [0, 1).
        """
        if (stop := self._bar(call, failure)) is not None:
            return stop
        if attempt >= self._attempts:
            return Stop("attempts", f"not sent again: attempt {attempt} was the last of retry.attempts")
        if failure.renewed:
            return Again(0.0, failure.cause, 0.0)  # nothing to wait for, and no sign that the provider is unwell
        wait_s = self._wait_s(failure, attempt, random)
        if wait_s > self._max_wait_s:
            text = f"not sent again: the wait would be {wait_s:.3f} s, and retry.max_wait is {self._max_wait_s:g} s"
            return Stop("wait_too_long", text)
        if now + wait_s >= call.deadline_at:
            left_s = max(0.0, call.deadline_at - now)
            text = f"not sent again: the wait would be {wait_s:.3f} s, and the deadline is {left_s:.3f} s away"
            return Stop("wait_too_long", text)
        cost = 0.0
        if self.budget is not None:
            cost = retry_cost(failure.outcome)
            if not self.budget.admit(cost, now):
                tokens = self.budget.tokens(now)
                return Stop(
                    "budget", f"not sent again: it costs {cost:g} tokens, and retry.budget has {tokens:.1f} left"
                )
        return Again(wait_s, failure.cause, cost)

    def _bar(self, call: Call, failure: Failure) -> Stop | None:
        # A 409 is the caller's own conflict, unless the provider says that it was only a lock (Stripe does).
        locked = failure.cause == "409" and failure.should_retry is True
        if failure.outcome not in (Outcome.FAILED, Outcome.THROTTLED) and not (locked or failure.renewed):
            return Stop("verdict")
        if not call.retry:
            return Stop("forbidden", "not sent again: the caller wrote Tidegate-Retry: off")
        if failure.should_retry is False:
            return Stop("forbidden", "not sent again: the provider said that another attempt would not help")
        if failure.sent and not self._keys.is_repeatable(call):
            return Stop("unsafe", f"not sent again: {call.method} may act twice, and no idempotency key prevents that")
        # A body that is all here needs no memory as long as none of it has gone out.
        if not call.body.can_replay() and (failure.sent or call.body.whole is None):
            return Stop("unsafe", "not sent again: its body was not kept, being larger than egress.replay_limit")
        return None

    def _wait_s(self, failure: Failure, attempt: int, random: float) -> float:
        wait_s = self._backoff.wait_s(attempt, failure.outcome is Outcome.THROTTLED, random)
        if failure.hint_s is None:
            return wait_s
        # The hint is a floor; the jitter on top must not be what makes an acceptable wait too long.
        spread_s = min(failure.hint_s * _HINT_JITTER * random, max(0.0, self._max_wait_s - failure.hint_s))
        return max(wait_s, failure.hint_s + spread_s)
