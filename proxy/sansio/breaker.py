"""Whether a provider that has been failing is called at all: closed admits, open refuses, half_open probes."""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field

from proxy.core.outcome import Outcome
from proxy.core.units import Duration, Frozen

State = Literal["closed", "open", "half_open"]
Forced = Literal["closed", "open"]

_BUCKETS: Final = 10
_OPEN_JITTER: Final = 0.2  # replicas that opened together should not probe together
_LAST_DOUBLING: Final = 30  # far beyond open_max; keeps 2**n small
_PROBING_RETRY_S: Final = 1.0  # nobody knows when the probe in flight returns; Retry-After knows whole seconds only

# A throttled provider is well, and a call that was given up tells nothing.
_NO_EVIDENCE: Final = (Outcome.THROTTLED, Outcome.IGNORED)
_FAILED: Final = Outcome.FAILED  # looking a member up in its class takes longer than the rest of a decision


class Settings(Frozen):
    """When the breaker opens, for how long, and what closes it.

    It opens after `failures` failures in a row, or when of at least `min_requests` results in `window` the
    share `ratio` failed: the first works for a provider called once a minute, the second for a busy one.
    open: first open time; it doubles up to open_max, give or take a fifth. probes: calls at once while half
    open; successes: how many close it; probe_timeout: when a probe that has not returned frees its place.
    """

    failures: int = Field(default=5, ge=1)
    ratio: float = Field(default=0.5, gt=0, le=1)
    window: Duration = Field(default=30.0, gt=0)
    min_requests: int = Field(default=20, ge=1)
    open: Duration = Field(default=5.0, gt=0)
    open_max: Duration = Field(default=60.0, gt=0)
    probes: int = Field(default=1, ge=1)
    successes: int = Field(default=3, ge=1)
    probe_timeout: Duration = Field(default=30.0, gt=0)


@dataclass(frozen=True, slots=True)
class Change:
    """The breaker moved. until_s: seconds until the next probe, 0 unless open."""

    old: State
    new: State
    why: str
    until_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """The call is not admitted. retry_after_s: seconds until a probe may be, None where an operator decides that."""

    retry_after_s: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """The call is admitted; every permit is given back by `record`.

    generation: which stretch of one state it belongs to. at: monotonic instant. probe: whether the call finds out if
    the provider is well again. change: the move that this admission was, if any.
    """

    generation: int
    at: float
    probe: bool = False
    change: Change | None = None


class Breaker:
    """The state of one provider's circuit.

    Only FAILED is a failure. OK, REFUSED, UNAUTHORISED and EXHAUSTED are successes: whatever it thought of the
    request, the provider took it, judged it and answered. THROTTLED and IGNORED count for nothing.

    forced: the state in which an operator holds it, None while it decides itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.forced: Forced | None = None
        self._state: State = "closed"
        self._shared = Permit(generation=0, at=0.0)  # one for all while closed: admitting must cost nothing
        self._window = _Window(settings.window)
        self._consecutive = 0
        self._reopenings = 0
        self._since = float("-inf")  # when the present state began
        self._until = 0.0  # when an open breaker lets a probe through
        self._probes: list[Permit] = []
        self._successes = 0

    def admit(self, now: float) -> Permit | Refusal:
        """Decide whether a call may be sent; `now` in monotonic seconds."""
        if self._state == "closed":
            return self._shared
        change = None
        if self._state == "open":
            if now < self._until:
                return Refusal(self._until - now if self.forced is None else None)
            change = self._move("half_open", "probing", now)
        lost = now - self._settings.probe_timeout
        self._probes = [probe for probe in self._probes if probe.at > lost]
        if len(self._probes) >= self._settings.probes:
            return Refusal(_PROBING_RETRY_S)
        permit = Permit(self._shared.generation, now, probe=True, change=change)
        self._probes.append(permit)
        return permit

    def record(self, permit: Permit, outcome: Outcome, now: float, random: float) -> Change | None:
        """Take a permit back with what came of it, and say whether that moved the breaker.

        A permit may be recorded again when its reply's body fails later: that is one more sample.
        random: uniform in [0, 1), used when the breaker opens.
        """
        if permit.generation != self._shared.generation:
            return None  # what a call from before the last move says is about a time that is over
        if permit in self._probes:
            self._probes.remove(permit)
        if outcome in _NO_EVIDENCE:
            return None
        failed = outcome is _FAILED
        if self._state == "half_open":
            return self._judge_probe(failed, now, random)
        self._window.add(failed, now)
        if not failed:
            self._consecutive = 0
            return None
        self._consecutive += 1
        why = self._why_open()
        return None if why is None or self.forced is not None else self._open(why, now, random)

    def force(self, state: Forced | None, now: float) -> Change | None:
        """Stay in a state whatever calls come to, or (None) decide again; say whether that moved the breaker.

        Held closed, it goes on learning, and the next failure may open it once it decides again. Held open, it learns
        nothing, and so goes on with a probe.
        """
        if state == "open":
            self._until = float("inf")
        elif self.forced == "open":
            self._until = now
        self.forced = state
        return None if state in (None, self._state) else self._move(state, "operator", now)

    def snapshot(self, now: float) -> dict[str, object]:
        """Tell the live state in plain values."""
        opens = self._state == "open" and self.forced is None
        told: dict[str, object] = {
            "state": self._state,
            "consecutive_failures": self._consecutive,
            "failure_ratio": self._window.failure_ratio(now),
            "opens_for_s": max(0.0, self._until - now) if opens else 0.0,
        }
        return told if self.forced is None else {**told, "forced": self.forced}

    def _judge_probe(self, failed: bool, now: float, random: float) -> Change | None:
        if failed:
            self._reopenings += 1
            return self._open("probe failed", now, random)
        self._successes += 1
        return self._move("closed", "probes succeeded", now) if self._successes >= self._settings.successes else None

    def _why_open(self) -> str | None:
        if self._consecutive >= self._settings.failures:
            return "consecutive failures"
        total = self._window.good + self._window.bad
        if total >= self._settings.min_requests and self._window.bad >= self._settings.ratio * total:
            return "failure ratio"
        return None

    def _open(self, why: str, now: float, random: float) -> Change:
        if self._state == "closed":
            # A close that lasted a whole window was a recovery; a shorter one was a breath within one outage.
            lasted = now - self._since >= self._settings.window
            self._reopenings = 0 if lasted else self._reopenings + 1
        doubled = self._settings.open * 2 ** min(self._reopenings, _LAST_DOUBLING)
        open_s = min(self._settings.open_max, doubled) * (1 + _OPEN_JITTER * (2 * random - 1))
        self._until = now + open_s
        return self._move("open", why, now, open_s)

    def _move(self, new: State, why: str, now: float, until_s: float = 0.0) -> Change:
        change = Change(self._state, new, why, until_s)
        self._state = new
        self._since = now
        self._shared = Permit(self._shared.generation + 1, now)
        self._probes = []
        self._successes = 0
        if new == "closed":
            self._consecutive = 0
            self._window = _Window(self._settings.window)
        return change


class _Window:
    """Counts results of the last `window_s` seconds in a ring of buckets; good, bad: their sums."""

    def __init__(self, window_s: float) -> None:
        self._width_s = window_s / _BUCKETS
        self._ring = [[0, 0] for _ in range(_BUCKETS)]
        self._slot = 0
        self.good = self.bad = 0

    def add(self, failed: bool, now: float) -> None:
        slot = int(now / self._width_s)
        if slot != self._slot:
            self._drop_old(slot)
        self._ring[slot % _BUCKETS][failed] += 1
        if failed:
            self.bad += 1
        else:
            self.good += 1

    def failure_ratio(self, now: float) -> float:
        self._drop_old(int(now / self._width_s))
        return self.bad / max(1, self.good + self.bad)

    def _drop_old(self, slot: int) -> None:
        for passed in range(self._slot + 1, min(slot, self._slot + _BUCKETS) + 1):
            bucket = self._ring[passed % _BUCKETS]
            self.good -= bucket[0]
            self.bad -= bucket[1]
            bucket[:] = 0, 0
        self._slot = slot
