"""Whatever happens in whatever order, the breaker keeps its promises."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from proxy.core.outcome import Outcome
from proxy.sansio.breaker import Breaker, Change, Permit, Settings

SETTINGS = Settings(failures=3, min_requests=6, probes=2, successes=3)

outcomes = st.sampled_from(Outcome)
randoms = st.floats(min_value=0, max_value=1, exclude_max=True)


class BreakerMachine(RuleBasedStateMachine):
    """Follows a breaker by the changes that it tells, and by nothing else.

    A call is (permit, when admitted, how many changes had been told by then).
    """

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(SETTINGS)
        self.now = 1000.0
        self.state = "closed"
        self.open_until = 0.0
        self.changes = 0
        self.proven = 0  # successful probes of the present half-open stretch
        self.calls: list[tuple[Permit, float, int]] = []

    def follow(self, change: Change | None) -> None:
        if change is None:
            return
        assert change.old == self.state
        if change.new == "closed":
            assert change.old == "half_open"
            assert self.proven >= SETTINGS.successes
        if change.new == "open":
            assert 0.8 * SETTINGS.open <= change.until_s <= 1.2 * SETTINGS.open_max
            self.open_until = self.now + change.until_s
        self.state = change.new
        self.changes += 1
        self.proven = 0

    @rule(seconds=st.floats(min_value=0, max_value=40))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def call(self) -> None:
        was_closed = self.state == "closed"
        admitted = self.breaker.admit(self.now)
        if not isinstance(admitted, Permit):
            assert not was_closed
            assert admitted.retry_after_s is not None
            assert admitted.retry_after_s > 0
            return
        assert self.state != "open" or self.now >= self.open_until
        self.follow(admitted.change)
        assert self.state != "open"
        self.calls.append((admitted, self.now, self.changes))

    @precondition(lambda self: self.calls)
    @rule(pick=st.integers(min_value=0), outcome=outcomes, random=randoms)
    def result(self, pick: int, outcome: Outcome, random: float) -> None:
        permit, _, changes = self.calls.pop(pick % len(self.calls))
        answered = outcome not in (Outcome.FAILED, Outcome.THROTTLED, Outcome.IGNORED)
        if changes == self.changes and answered:
            self.proven += 1
        change = self.breaker.record(permit, outcome, self.now, random)
        assert change is None or changes == self.changes, "a result from before a change moved the breaker"
        self.follow(change)

    @invariant()
    def probes_in_flight_stay_within_their_number(self) -> None:
        fresh = [at for _, at, changes in self.calls if changes == self.changes]
        waiting = [at for at in fresh if at > self.now - SETTINGS.probe_timeout]
        assert self.state != "half_open" or len(waiting) <= SETTINGS.probes

    @invariant()
    def it_shows_the_state_that_it_told(self) -> None:
        shown = self.breaker.snapshot(self.now)
        assert shown["state"] == self.state
        assert (self.state == "open") or shown["opens_for_s"] == 0.0


TestBreaker = BreakerMachine.TestCase
