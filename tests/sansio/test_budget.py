"""What retries cost and how the budget fills."""

import pytest

from proxy.core.outcome import Outcome
from proxy.sansio.budget import RetryBudget, retry_cost


def test_a_throttled_retry_is_cheaper_than_a_transient_one() -> None:
    assert retry_cost(Outcome.THROTTLED) == 5
    assert retry_cost(Outcome.FAILED) == 14


def test_retries_are_admitted_until_the_bucket_can_not_pay() -> None:
    budget = RetryBudget(capacity=30, per_second=0)

    assert [budget.admit(14, now=5.0) for _ in range(3)] == [True, True, False]
    assert budget.tokens(now=5.0) == 2


def test_a_first_try_success_brings_one_token() -> None:
    budget = RetryBudget(capacity=14, per_second=0)
    budget.admit(14, now=0.0)

    budget.record(spent=0.0)

    assert budget.tokens(now=0.0) == 1


def test_a_success_after_retries_brings_back_all_that_they_cost() -> None:
    budget = RetryBudget(capacity=100, per_second=0)
    budget.admit(14, now=0.0)
    budget.admit(5, now=0.0)

    budget.record(spent=19.0)

    assert budget.tokens(now=0.0) == 100


def test_tokens_trickle_in_with_time() -> None:
    budget = RetryBudget(capacity=14, per_second=0.8)
    budget.admit(14, now=100.0)

    assert budget.tokens(now=110.0) == pytest.approx(8)
    assert not budget.admit(14, now=110.0)
    assert budget.admit(14, now=117.6)


def test_the_bucket_never_holds_more_than_its_capacity() -> None:
    budget = RetryBudget(capacity=20, per_second=1.0)
    budget.admit(5, now=0.0)

    budget.record(spent=14.0)
    assert budget.tokens(now=1000.0) == 20
    assert [budget.admit(14, now=1000.0) for _ in range(2)] == [True, False]
