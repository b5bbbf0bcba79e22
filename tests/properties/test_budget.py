"""The retry budget bounds the load that retries add."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.outcome import Outcome
from proxy.sansio.budget import RetryBudget, retry_cost

CAPACITY = 500
PER_SECOND = 0.8

outages = st.lists(
    st.tuples(st.floats(min_value=0, max_value=60), st.sampled_from([Outcome.FAILED, Outcome.THROTTLED])), max_size=300
)


@given(outages)
def test_during_an_outage_retries_cost_no_more_than_the_bucket_and_its_trickle(
    calls: list[tuple[float, Outcome]],
) -> None:
    budget, now, paid = RetryBudget(CAPACITY, PER_SECOND), 1000.0, 0.0
    for pause_s, outcome in calls:
        now += pause_s
        cost = retry_cost(outcome)
        paid += cost if budget.admit(cost, now) else 0.0

    assert paid <= CAPACITY + PER_SECOND * (now - 1000.0) + 1e-6


@given(st.lists(st.sampled_from(["first_try", "retried", "gave_up", "pause"]), max_size=300))
def test_the_bucket_stays_between_empty_and_full(steps: list[str]) -> None:
    budget, now = RetryBudget(60, PER_SECOND), 0.0
    for step in steps:
        if step == "first_try":
            budget.record(0.0)
        elif step == "pause":
            now += 10
        elif budget.admit(14, now) and step == "retried":
            budget.record(14)
        assert 0 <= budget.tokens(now) <= 60


@given(successes=st.integers(min_value=0, max_value=2000))
def test_in_a_steady_state_one_retry_needs_fourteen_first_try_successes(successes: int) -> None:
    budget = RetryBudget(capacity=5000, per_second=0)
    while budget.admit(14, 0.0):
        pass
    left = budget.tokens(0.0)
    for _ in range(successes):
        budget.record(0.0)

    retries = 0
    while budget.admit(14, 0.0):
        retries += 1
    assert retries == (left + successes) // 14
