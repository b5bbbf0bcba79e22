"""Retry: sends a call again when that may help, can't do harm, and the provider can bear it."""

import asyncio
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from proxy.core.call import Call, Handler, Policy, Reply
from proxy.core.errors import Refused, TidegateError, UpstreamFailed
from proxy.core.events import RetryDenied, RetryScheduled
from proxy.core.outcome import Outcome
from proxy.core.runtime import Runtime
from proxy.core.units import Duration, Frozen
from proxy.sansio.backoff import Backoff
from proxy.sansio.budget import RetryBudget
from proxy.sansio.retrying import Again, Retrying, Stop

IN_HAND_BYTES: Final = 64 * 1024
IN_HAND_S: Final = 0.25
"""The longest body, and the longest wait for it, that an answer may have to be kept while another attempt is made."""

_OK: Final = Outcome.OK  # looking a member up in its class is slow, and this is the hot path


class Budget(Frozen):
    """How many retries the provider is asked to bear: tokens when full, and tokens per second that come back."""

    capacity: int = Field(default=500, ge=1)
    per_second: float = Field(default=0.8, ge=0)


def _read_budget(value: object) -> object:
    if value is None:
        raise ValueError("empty: write `off`, or capacity and per_second")
    return None if value is False or value == "off" else value  # YAML 1.1 reads `off` as false


class Retry(Policy):
    """Sends a call again after failures, within attempts, deadline and retry budget.

    A failure that is not retried goes through unchanged, reply or error; our own refusal of a later attempt
    never hides what the provider answered before.
    """

    section = "retry"

    class Config(Frozen):
        """How often and after what waits.

        attempts: sends in all. base, throttled_base: first waits after a transient failure and after a
        throttled call, doubling up to cap. max_wait: a provider that asks for more gets no retry.
        """

        attempts: int = Field(default=3, ge=1, le=10)
        base: Duration = Field(default=0.05, gt=0)
        throttled_base: Duration = Field(default=1.0, gt=0)
        cap: Duration = Field(default=20.0, gt=0)
        max_wait: Duration = Field(default=60.0, gt=0)
        budget: Annotated[Budget | None, BeforeValidator(_read_budget)] = Budget()

    def __init__(self, inner: Handler, config: Config, runtime: Runtime) -> None:
        self.inner = inner
        self._runtime = runtime
        self.config = config
        self.budget = None
        if config.budget is not None:
            self.budget = RetryBudget(config.budget.capacity, config.budget.per_second)
        backoff = Backoff(config.base, config.throttled_base, config.cap)
        self._rules = Retrying(runtime.profile, backoff, self.budget, config.attempts, config.max_wait)

    async def __call__(self, call: Call) -> Reply:
        """Send the call, and again while the rules say so."""
        result: Reply | UpstreamFailed
        try:
            result = await self.inner(call)
        except UpstreamFailed as error:
            result = error
        else:
            if result.outcome is _OK:
                self._succeeded(0.0)
                return result
        return await self._persist(call, result)

    async def _persist(self, call: Call, result: Reply | UpstreamFailed) -> Reply:
        attempt, spent = 1, 0.0
        in_hand: Reply | None = None
        while isinstance(step := self._decide(call, result, attempt), Again):
            kept = await self._wait(call, step, attempt + 1, result)
            in_hand = kept or in_hand
            attempt, spent = attempt + 1, spent + step.cost
            try:
                result = await self.inner(call)
            except UpstreamFailed as error:
                result = error
            except Refused as error:
                if in_hand is None:
                    raise
                call.record.note(
                    self._runtime.now(),
                    self.section,
                    f"attempt {attempt} was refused here: {error.detail}; this is the answer before it",
                )
                call.retries_spent = True
                return in_hand
            else:
                if result.outcome is _OK:
                    self._succeeded(spent)
        if isinstance(result, Reply):
            return result
        raise result

    def _decide(self, call: Call, result: Reply | UpstreamFailed, attempt: int) -> Again | Stop:
        runtime = self._runtime
        failure = self._rules.failure(result, runtime.wall())
        step = self._rules.decide(call, failure, attempt, runtime.now(), runtime.random())
        if isinstance(step, Stop):
            if step.detail:
                call.record.note(runtime.now(), self.section, step.detail)
            if step.why in ("budget", "wait_too_long"):
                runtime.emit(RetryDenied(runtime.provider, step.why, runtime.account))
                call.retries_spent = True
            elif step.why == "attempts":
                call.retries_spent = attempt > 1  # whoever allows one attempt leaves the others to the SDK
        return step

    async def _wait(self, call: Call, step: Again, attempt: int, result: Reply | UpstreamFailed) -> Reply | None:
        """Let the wait pass, and take the provider's answer in hand meanwhile; None without a whole one."""
        runtime = self._runtime
        runtime.emit(RetryScheduled(runtime.provider, step.cause, attempt, step.wait_s, runtime.account))
        begun_at = runtime.now()
        status = result.status if isinstance(result, Reply) else None  # an error's is that of our own answer
        call.record.repeated(begun_at, status, step.cause, step.wait_s)
        try:
            in_hand = await _take_in_hand(call, result) if isinstance(result, Reply) else None
            left_s = begun_at + step.wait_s - runtime.now()
            if left_s > 0.0:
                await asyncio.sleep(left_s)
        finally:
            call.record.backoff_s += runtime.now() - begun_at
        return in_hand

    def _succeeded(self, spent: float) -> None:
        if self.budget is not None:
            self.budget.record(spent)

    def adopt(self, old: Policy) -> None:
        """Share the old layer's budget where it is the same."""
        if isinstance(old, Retry) and old.config.budget == self.config.budget:
            self.budget = self._rules.budget = old.budget

    def snapshot(self, now: float) -> dict[str, object]:
        """Tell what is left of the retry budget, in tokens; nothing when it is off."""
        return {} if self.budget is None else {"budget_tokens": self.budget.tokens(now)}


async def _take_in_hand(call: Call, reply: Reply) -> Reply | None:
    """Read a body that is still coming, so that it can be given to the caller later; None when it takes too much."""
    stream = reply.stream
    if stream is None:
        return reply
    if call.body.whole is None:  # it may still be on its way out, and would pass what can be sent again meanwhile
        reply.discard()
        return None
    body = b""
    try:
        async with asyncio.timeout(IN_HAND_S):
            while len(body) <= IN_HAND_BYTES and (piece := await stream.read()):
                body += piece
    except (TidegateError, TimeoutError):
        return None
    finally:
        stream.abort()  # harmless when it has ended
    if len(body) > IN_HAND_BYTES:
        return None
    reply.body, reply.trailers, reply.stream = body, stream.trailers, None
    return reply
