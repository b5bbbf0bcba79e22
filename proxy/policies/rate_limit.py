"""Decides when a call may go so that no configured limit is ever exceeded and no pause is disturbed."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from pydantic import Field

from proxy.core.call import Call, Handler, Policy, Reply
from proxy.core.events import PauseStarted, WouldRefuse
from proxy.core.mode import Moded, ModeName
from proxy.core.outcome import Outcome
from proxy.core.runtime import Runtime
from proxy.core.units import Duration, Frozen, RateSpec
from proxy.sansio.bucket import Bucket
from proxy.sansio.gate import Gate, Refusal
from proxy.sansio.hints import Hints
from proxy.sansio.pause import RAMP_STEP_S, Pause

TICK_S: Final = 0.001
"""The grain of uvloop's clock and timers: a shorter timer would fire at once, again and again."""

EARLY_S: Final = 1e-6
"""How much too soon a timer may fire and still count; what is taken early is missing later, so nothing adds up."""

_OK: Final = Outcome.OK  # looked up once: Python 3.11 takes its time over a member of an Enum
_THROTTLED: Final = Outcome.THROTTLED
_FAILED: Final = Outcome.FAILED
_EXHAUSTED: Final = Outcome.EXHAUSTED
_UNTOLD: Final = (_FAILED, Outcome.IGNORED)  # these tell nothing about the quota


class _Waiter:
    """A call in the queue. turn: ends with None when it may go, with the refusal when it must not wait on."""

    __slots__ = ("turn", "until")

    def __init__(self, turn: "asyncio.Future[Refusal | None]", until: float) -> None:
        self.turn = turn
        self.until = until


class _Line(Gate):
    """Where calls to one provider stand in line: the same for the layers before and after a reload.

    timer: fires when the first in the queue may go. held_with: the secrets with which the quota was used up.
    """

    __slots__ = ("held_with", "timer", "waiters")

    def __init__(self, buckets: tuple[Bucket, ...], pause: Pause) -> None:
        super().__init__(buckets, pause)
        self.held_with: object = None
        self.waiters: deque[_Waiter] = deque()
        self.timer: asyncio.TimerHandle | None = None


class RateLimit(Moded):
    """Sends calls in the order in which they came, as soon as every limit has a token for them.

    The wait is known beforehand: a call that could not go in time is refused at once. A provider's own refusal
    (429, or 503 with a time) pauses all calls to it, whether or not a limit is configured; a quota that is used up
    holds them until it is renewed, or until the secret changes: another one may have a quota of its own.
    """

    section = "rate_limit"

    class Config(Frozen):
        """limits: all of them hold; none: only the provider's own pauses count. max_wait: seconds in the
        queue. waiters: places in it. unhinted_pause: seconds after a refusal that names no time, doubling to
        60 s; 0s for none. pause_max: the longest pause that a provider can ask for. hold_max: the longest time
        without a call because a quota is used up, 0s for none; then one call finds out. mode: `report` counts
        what would be refused and lets everything through without a wait.
        """

        limits: tuple[RateSpec, ...] = ()
        max_wait: Duration = 2.0
        waiters: int = Field(default=1000, ge=0)
        unhinted_pause: Duration = 5.0
        pause_max: Duration = 900.0
        hold_max: Duration = 3600.0
        mode: ModeName = "enforce"

    def __init__(self, inner: Handler, config: Config, runtime: Runtime) -> None:
        self.inner = inner
        self._config = config
        self._runtime = runtime
        self._now = runtime.now
        self._hints = Hints(runtime.profile)
        buckets = tuple(Bucket(rate, runtime.now()) for rate in config.limits)
        self.line = _Line(buckets, Pause(config.unhinted_pause, config.pause_max))
        super().__init__(config.mode)

    async def __call__(self, call: Call) -> Reply:
        """Wait for the call's turn, pass it on, and heed a refusal by the provider.

        Raises: RateLimited, ProviderPaused when the pause is the cause, QuotaExhausted when a hold is; with the
        seconds until a call that comes now could go.
        """
        line = self.line
        pause = line.pause
        if line.buckets or not pause.quiet:
            now = self._now()
            if pause.held and line.held_with != self._runtime.generations():
                pause.lift(now)
                self._wake()
            if not self._enforce:
                self._report(call, now)
            elif line.waiters or not (line.configured if pause.quiet else line.limits).take(now):
                await self._wait(call, now)
        epoch = pause.epoch
        reply = await self.inner(call)
        if reply.outcome is not _OK:
            self._heed(call, reply, epoch)
        elif not pause.quiet:
            held = pause.held
            pause.succeeded(self._now(), epoch)
            if held and not pause.held:
                self._wake()
        return reply

    def adopt(self, old: Policy) -> None:
        """Stand in the old layer's line, with its pause, its queue and every limit that is configured still."""
        if not isinstance(old, RateLimit):
            return
        kept = {bucket.rate: bucket for bucket in old.line.buckets}
        buckets = tuple(kept.pop(bucket.rate, bucket) for bucket in self.line.buckets)
        line = self.line = old.line
        line.limit_to(buckets)
        line.pause.configure(self._config.unhinted_pause, self._config.pause_max)
        if line.waiters:
            self._send_away(self._now())
            self._wake()

    def snapshot(self, now: float) -> dict[str, object]:
        """Tell the tokens of each limit, the calls in the queue, what is left of a pause, and the mode."""
        line = self.line
        return {
            "limits": [{"limit": str(one.rate), "tokens": one.tokens(now), "burst": one.burst} for one in line.buckets],
            "waiting": len(line.waiters),
            "paused_s": line.pause.paused_s(now),
            "held": line.pause.held,
            **self.mode(),
        }

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """`resume` ends a pause or a hold; the others hold the mode."""
        return {"resume": self._resume, **super().actions}

    def _resume(self) -> None:
        if not self.line.pause.quiet:
            self.line.pause.lift(self._now())
            self._wake()

    def take_mode(self, *, enforce: bool) -> None:
        """Let calls wait, or let go all that do."""
        super().take_mode(enforce=enforce)
        if not enforce:
            for waiter in self.line.waiters:
                if not waiter.turn.done():
                    waiter.turn.set_result(None)

    async def _wait(self, call: Call, now: float) -> None:
        line = self.line
        until = self._until(call, now)
        ahead = len(line.waiters)
        if ahead >= self._config.waiters or line.limits.free_at(now, ahead) > until:
            raise line.refusal(now, ahead, until)
        cause = line.cause(now, ahead)
        waiter = _Waiter(asyncio.get_running_loop().create_future(), until)
        line.waiters.append(waiter)
        if line.timer is None:  # nobody waits, or only those who are about to go
            self._wake()
        went = False
        try:
            refusal = await waiter.turn
            if refusal is not None:
                raise refusal
            # The token is taken here, not when the turn comes: who is cancelled in between has taken none.
            at = self._now()
            line.limits.charge(at)
            went = True
            call.record.note(at, self.section, f"waited {at - now:.3f} s for {cause}; {ahead} calls were before it")
        finally:
            line.waiters.remove(waiter)
            if not went:
                self._wake()  # those behind move up
            call.record.limiter_s += self._now() - now

    def _wake(self) -> None:
        """Let all go whose time has come, and set the one timer for the first of the others."""
        line = self.line
        if line.timer is not None:
            line.timer.cancel()
            line.timer = None
        now = self._now()
        # Who may go counts as ahead until it has run, taken its token and left.
        for ahead, waiter in enumerate(line.waiters):
            at = line.limits.free_at(now, ahead)
            if at > now + EARLY_S:
                line.timer = asyncio.get_running_loop().call_at(max(at, now + TICK_S), self._wake)
                return
            if not waiter.turn.done():
                waiter.turn.set_result(None)

    def _heed(self, call: Call, reply: Reply, epoch: int) -> None:
        if reply.outcome is _EXHAUSTED:
            self._hold(call, reply, epoch)
            return
        pause = self.line.pause
        if pause.held and reply.outcome not in _UNTOLD:
            pause.found_out(epoch)
            self._wake()
        if reply.outcome is not _THROTTLED and reply.outcome is not _FAILED:
            return
        now = self._now()
        hint_s = self._hints.wait_s(reply.headers, self._runtime.wall())
        # A 503 that names no time is an outage, and that is the breaker's to judge.
        if reply.outcome is _THROTTLED or (reply.status == 503 and hint_s is not None):
            known = pause.epoch
            seconds = pause.throttled(now, hint_s, epoch)
            if seconds:
                hinted = hint_s is not None
                self._runtime.emit(PauseStarted(self._runtime.provider, seconds, hinted, account=self._runtime.account))
                whose = "as the answer asks" if hinted else "by rate_limit.unhinted_pause, as the answer names no time"
                call.record.note(now, self.section, f"all calls pause for {seconds:.3f} s from here on, {whose}")
            if pause.epoch != known:
                self._send_away(now)
        if self._enforce:
            reply.pause_s = pause.paused_s(now)

    def _hold(self, call: Call, reply: Reply, epoch: int) -> None:
        pause, now, runtime = self.line.pause, self._now(), self._runtime
        known, wall = pause.epoch, runtime.wall()
        hint_s = self._hints.wait_s(reply.headers, wall)
        renewal_s = hint_s or self._hints.renewal_s(wall)  # a hint of 0 is no hint: the quota is used up
        seconds = pause.exhausted(now, min(renewal_s, self._config.hold_max), epoch)
        if pause.epoch != known:
            self.line.held_with = runtime.generations()
        if seconds:
            runtime.emit(PauseStarted(runtime.provider, seconds, bool(hint_s), "exhausted", runtime.account))
            text = f"the quota is used up: calls are held for {seconds:.0f} s from here on, then one finds out"
            call.record.note(now, self.section, text)
        if pause.epoch != known:
            self._send_away(now)

    def _send_away(self, now: float) -> None:
        line, ahead = self.line, 0
        for waiter in line.waiters:
            # Those whose wait has grown too long hear it now, not when their time is up.
            if not waiter.turn.done() and line.limits.free_at(now, ahead) > waiter.until:
                waiter.turn.set_result(line.refusal(now, ahead, waiter.until))
            else:
                ahead += 1

    def _report(self, call: Call, now: float) -> None:
        # Tokens are taken in advance, at the instant when the call would have gone: the debt stands for
        # the queue. A call that would be refused takes none.
        at = self.line.limits.free_at(now)
        if at > self._until(call, now):
            runtime, refusal = self._runtime, self.line.refusal(now, 0, now)
            runtime.emit(WouldRefuse(runtime.provider, self.section, refusal.reason, runtime.account))
            call.record.note(now, self.section, f"{refusal.detail}; let through, because mode is report")
        else:
            self.line.limits.charge(at)

    def _until(self, call: Call, now: float) -> float:
        max_wait_s = self._config.max_wait
        if call.record.attempts and not self.line.pause.quiet:
            # A retry has waited out the pause as it was told to; that others come back with it must not turn it away.
            max_wait_s = max(max_wait_s, RAMP_STEP_S)
        return min(now + max_wait_s, call.deadline_at)
