"""Breaker: stops calling a provider that keeps failing, and finds out gently when it is well again."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from proxy.core.call import Call, Handler, Policy, Reply
from proxy.core.errors import CircuitOpen, TidegateError
from proxy.core.events import BreakerChanged, WouldRefuse
from proxy.core.mode import Moded, ModeName
from proxy.core.outcome import Outcome
from proxy.core.runtime import Runtime
from proxy.sansio.breaker import Breaker as Machine
from proxy.sansio.breaker import Change, Forced, Permit, Refusal, Settings

_DETAIL: Final = "the provider has been failing; calls are refused until a probe has shown that it answers again"
_FORCED: Final = "an operator holds the breaker open; calls are refused until the action breaker.auto, or breaker.close"

_FAILED: Final = Outcome.FAILED  # looking a member up in its class is slow, and this is the hot path
_IGNORED: Final = Outcome.IGNORED


class Breaker(Moded):
    """Refuses calls while the provider is failing; `sansio/breaker.py` says when that is."""

    section = "breaker"

    class Config(Settings):
        """The breaker's settings. mode: `report` counts what would be refused and lets it through."""

        mode: ModeName = "enforce"

    def __init__(self, inner: Handler, config: Config, runtime: Runtime) -> None:
        self.inner = inner
        self.config = config
        self.machine = Machine(config)
        self._runtime = runtime
        self._would_refuse = WouldRefuse(runtime.provider, self.section, CircuitOpen.reason, runtime.account)
        super().__init__(config.mode)

    async def __call__(self, call: Call) -> Reply:
        """Send an admitted call and learn from it.

        Raises: CircuitOpen, with the seconds until the next probe.
        """
        permit = self.machine.admit(self._runtime.now())
        if isinstance(permit, Refusal):
            self._refuse(call, permit.retry_after_s)
            return await self.inner(call)
        if permit.probe:
            call.record.note(self._runtime.now(), self.section, "a probe: shows whether the provider is well again")
            if permit.change is not None:
                self._tell(permit.change)
        outcome = _IGNORED  # what a cancellation leaves: the permit goes back, nothing is learnt
        try:
            reply = await self.inner(call)
            outcome = reply.outcome
        except TidegateError as error:
            outcome = error.outcome
            raise
        finally:
            self._record(permit, outcome)
        if reply.stream is not None and outcome is not _FAILED:
            reply.stream.on_end(partial(self._body_ended, permit))
        return reply

    def adopt(self, old: Policy) -> None:
        """Stay in the old layer's state where the settings are the same."""
        if isinstance(old, Breaker) and old.config == self.config:
            self.machine = old.machine

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """`open` and `close` hold it there, `report` and `enforce` its mode; `auto` takes back both."""
        hold = {"open": partial(self._force, "open"), "close": partial(self._force, "closed")}
        return {**hold, **super().actions, "auto": self._auto}

    @property
    def overrides(self) -> tuple[str, ...]:
        """What an operator did that is still in force."""
        held = {"open": ("open",), "closed": ("close",), None: ()}[self.machine.forced]
        return (*held, *super().overrides)

    def snapshot(self, now: float) -> dict[str, object]:
        """Tell state, failures in a row, failure ratio of the window, seconds until the next probe, and the mode."""
        return {**self.machine.snapshot(now), **self.mode()}

    def _force(self, state: Forced | None) -> None:
        change = self.machine.force(state, self._runtime.now())
        if change is not None:
            self._tell(change)

    def _auto(self) -> None:
        self._force(None)
        self._hold_mode(None)

    def _refuse(self, call: Call, retry_after_s: float | None) -> None:
        """Refuse a call, or note that it would have been refused."""
        if self._enforce:
            raise CircuitOpen(_FORCED if retry_after_s is None else _DETAIL, retry_after_s=retry_after_s)
        self._runtime.emit(self._would_refuse)
        how = "held open by an operator" if retry_after_s is None else f"open for {retry_after_s:.3f} s more"
        call.record.note(self._runtime.now(), self.section, f"{how}; let through, because mode is report")

    def _body_ended(self, permit: Permit, error: Exception | None) -> None:
        if isinstance(error, TidegateError) and error.outcome is Outcome.FAILED:
            self._record(permit, Outcome.FAILED)

    def _record(self, permit: Permit, outcome: Outcome) -> None:
        runtime = self._runtime
        random = runtime.random() if outcome is _FAILED else 0.0
        change = self.machine.record(permit, outcome, runtime.now(), random)
        if change is not None:
            self._tell(change)

    def _tell(self, change: Change) -> None:
        runtime = self._runtime
        how = (change.old, change.new, change.why, change.until_s)
        runtime.emit(BreakerChanged(runtime.provider, *how, runtime.account))
