import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sansio.tokens import FORCED_GAP_S, LIFE_MAX_S, Rest, Step, TokenClock, life_s


def clock(seconds: float = 3600.0, began_at: float = 0.0, random: float = 0.0) -> TokenClock:
    """A clock with a token of that life, fetched with secrets of generation 1."""
    made = TokenClock()
    made.begin(1)
    made.fetched(began_at, seconds, random)
    return made


def test_without_a_token_one_is_fetched() -> None:
    assert TokenClock().decide(0.0, 1) is Step.FETCH


@pytest.mark.parametrize(
    ("now", "step"),
    [
        (0.0, Step.USE),
        (3294.9, Step.USE),
        (3295.0, Step.RENEW_AHEAD),
        (3594.9, Step.RENEW_AHEAD),
        (3595.0, Step.FETCH),
    ],
)
def test_a_token_is_due_five_minutes_before_its_end_and_gone_five_seconds_before(now: float, step: Step) -> None:
    assert clock().decide(now, 1) is step


@pytest.mark.parametrize(("now", "step"), [(7.4, Step.USE), (7.5, Step.RENEW_AHEAD), (9.5, Step.FETCH)])
def test_a_short_token_is_due_after_most_of_its_life(now: float, step: Step) -> None:
    assert clock(10.0).decide(now, 1) is step


def test_a_fleet_does_not_come_back_at_the_same_second() -> None:
    assert clock(random=1.0).decide(3145.0, 1) is Step.RENEW_AHEAD
    assert clock(random=0.0).decide(3145.0, 1) is Step.USE


def test_a_changed_secret_makes_another_token_due_at_once() -> None:
    held = clock()
    assert held.decide(1.0, 2) is Step.RENEW
    held.begin(2)
    assert held.decide(1.0, 2) is Step.USE


def test_a_failing_endpoint_leaves_the_good_token_in_use_and_is_asked_again_later() -> None:
    held = clock()
    assert held.failed(3300.0, 0.0, 0.0, refused=False) == 0.5
    assert [held.decide(now, 1) for now in (3300.4, 3300.5)] == [Step.USE, Step.RENEW_AHEAD]


def test_a_changed_secret_that_brought_no_token_is_tried_again_while_the_good_one_is_used() -> None:
    held = clock()
    held.begin(2)
    assert held.failed(1.0, 1.0, 0.0, refused=False) == 1.0
    assert [held.decide(now, 2) for now in (1.9, 2.0)] == [Step.USE, Step.RENEW_AHEAD]


def test_a_failing_endpoint_is_left_alone_for_longer_each_time() -> None:
    held = TokenClock()
    held.begin(1)
    waits = [held.failed(0.0, 1.0, 0.0, refused=False) for _ in range(7)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert held.decide(29.0, 1) == Rest(1.0)
    assert (held.rest_s(29.0), held.rest_s(31.0)) == (1.0, 0.0)
    assert held.decide(30.0, 1) is Step.FETCH


def test_an_endpoint_that_refuses_the_secret_is_left_alone_for_much_longer() -> None:
    held = TokenClock()
    assert [held.failed(0.0, 1.0, 0.0, refused=True) for _ in range(8)][-1] == 300.0


@pytest.mark.parametrize(("hint_s", "wait_s"), [(0.1, 1.0), (60.0, 60.0), (1e9, 900.0)])
def test_the_endpoints_own_wait_counts_within_reason(hint_s: float, wait_s: float) -> None:
    assert TokenClock().failed(0.0, 1.0, hint_s, refused=False) == wait_s


def test_a_changed_secret_ends_the_rest() -> None:
    held = TokenClock()
    held.begin(1)
    for _ in range(5):
        held.failed(0.0, 1.0, 0.0, refused=True)
    assert held.decide(1.0, 2) is Step.FETCH
    held.begin(2)
    assert held.failed(1.0, 1.0, 0.0, refused=True) == 5.0


def test_a_token_that_comes_ends_the_rest() -> None:
    held = TokenClock()
    held.begin(1)
    held.failed(0.0, 1.0, 100.0, refused=False)
    held.fetched(0.0, 3600.0, 0.0)
    assert held.decide(0.0, 1) is Step.USE
    assert held.failed(0.0, 1.0, 0.0, refused=False) == 1.0


def test_a_refused_token_is_given_up_but_not_one_fresh_token_after_another() -> None:
    held = clock()
    assert held.rejected(10.0)
    assert held.decide(10.0, 1) is Step.FETCH
    assert held.rejected(10.1)  # another call that was on its way with it
    held.fetched(10.0, 3600.0, 0.0)
    assert not held.rejected(10.0 + FORCED_GAP_S - 0.1)
    assert held.decide(11.0, 1) is Step.USE
    assert held.rejected(10.0 + FORCED_GAP_S)


def test_a_refused_token_is_kept_while_no_other_is_to_be_had() -> None:
    held = clock()
    held.failed(3400.0, 1.0, 60.0, refused=False)
    assert not held.rejected(3401.0)
    assert held.good(3401.0)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [(3600, 3600.0), ("3599", 3599.0), (1.5, 1.5), (None, 77.0), (1e12, LIFE_MAX_S), ("inf", LIFE_MAX_S)],
)
def test_a_lifetime_is_read_and_never_believed_beyond_reason(told: object, seconds: float) -> None:
    assert life_s(told, 77.0) == seconds


@pytest.mark.parametrize("told", [0, -1, "0", math.nan, "nan", False, [], {}, "soon", "", 10**400])
def test_a_lifetime_that_is_none_is_refused(told: object) -> None:
    with pytest.raises(ValueError, match=r"token|lifetime"):
        life_s(told, 77.0)


@given(
    st.floats(0.001, LIFE_MAX_S),
    st.floats(0.0, 1.0, exclude_max=True),
    st.floats(0.0, 2 * LIFE_MAX_S),
    st.integers(1, 2),
)
def test_no_call_is_ever_told_to_use_a_token_past_its_end(
    seconds: float, random: float, later: float, generation: int
) -> None:
    held = clock(seconds, random=random)
    if later >= seconds:
        assert held.decide(later, generation) is Step.FETCH
        assert not held.good(later)


def test_an_endpoint_that_is_left_alone_may_be_asked_at_once_after_resume() -> None:
    one = TokenClock()
    one.begin(1)
    one.failed(0.0, 0.5, 0.0, refused=True)
    assert isinstance(one.decide(1.0, 1), Rest)
    one.resume()
    assert one.decide(1.0, 1) is Step.FETCH
    assert one.failed(1.0, 0.5, 0.0, refused=True) == TokenClock().failed(1.0, 0.5, 0.0, refused=True)
