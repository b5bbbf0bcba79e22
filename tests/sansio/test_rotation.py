"""Which live secret a call carries, and when a refused one rests."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.sansio.rotation import HOLD_MAX_S, HOLD_S, REFUSALS, UNREAD, Held, Hold, Rotation

ONE, TWO = [1], [1, 1]


def refuse(rotation: Rotation, times: int, index: int = 0, now: float = 0.0) -> list[Hold | None]:
    return [rotation.refused(now, index, 1) for _ in range(times)]


def test_while_nothing_is_refused_the_first_secret_goes_and_nobody_need_ask() -> None:
    rotation = Rotation(TWO)
    assert rotation.quiet
    assert rotation.choose(0.0, TWO, repeatable=True) == 0


def test_a_single_secret_goes_on_until_it_was_refused_often_enough_and_is_held_once() -> None:
    rotation = Rotation(ONE)
    assert refuse(rotation, REFUSALS - 1) == [None] * (REFUSALS - 1)
    assert rotation.choose(0.0, ONE, repeatable=True) == 0
    assert refuse(rotation, 2) == [Hold(HOLD_S, REFUSALS), None]
    assert rotation.choose(1.0, ONE, repeatable=True) == Held(HOLD_S - 1.0)
    assert not rotation.quiet


def test_after_the_hold_one_call_finds_out_and_the_others_wait_on() -> None:
    rotation = Rotation(ONE)
    refuse(rotation, REFUSALS)
    assert rotation.choose(HOLD_S, ONE, repeatable=True) == 0
    assert isinstance(rotation.choose(HOLD_S, ONE, repeatable=True), Held)


def test_a_hold_that_proves_right_doubles_up_to_its_bound_and_is_not_told_again() -> None:
    rotation, now, holds = Rotation(ONE), 0.0, []
    refuse(rotation, REFUSALS)
    for _ in range(12):
        held = rotation.choose(now, ONE, repeatable=True)
        assert isinstance(held, Held)
        holds.append(held.retry_after_s)
        now += held.retry_after_s
        assert rotation.choose(now, ONE, repeatable=True) == 0
        assert rotation.refused(now, 0, 1) is None
    assert holds[0] == HOLD_S
    assert max(holds) <= HOLD_MAX_S
    assert holds[-1] == HOLD_MAX_S


def test_an_accepted_secret_is_as_good_as_new() -> None:
    rotation = Rotation(ONE)
    refuse(rotation, REFUSALS - 1)
    rotation.accepted(0, 1)
    assert rotation.quiet
    assert refuse(rotation, REFUSALS - 1) == [None] * (REFUSALS - 1)


def test_a_changed_secret_is_as_good_as_new_and_late_refusals_of_the_former_one_do_not_count() -> None:
    rotation = Rotation(ONE)
    refuse(rotation, REFUSALS)
    assert rotation.choose(1.0, [2], repeatable=True) == 0
    assert refuse(rotation, REFUSALS) == [None] * REFUSALS  # these were sent with generation 1
    assert rotation.refusals(0) == 0
    rotation.accepted(0, 1)
    assert rotation.choose(1.0, [2], repeatable=True) == 0


def test_a_secret_that_changed_while_nothing_was_refused_is_counted_as_any_other() -> None:
    rotation = Rotation(ONE)
    assert [rotation.refused(0.0, 0, 2) for _ in range(REFUSALS)] == [*[None] * (REFUSALS - 1), Hold(HOLD_S, REFUSALS)]
    assert rotation.choose(1.0, [2], repeatable=True) == Held(HOLD_S - 1.0)


def test_the_new_one_of_two_gives_way_at_its_first_refusal_and_that_is_told() -> None:
    rotation = Rotation(TWO)
    assert rotation.refused(0.0, 0, 1) == Hold(HOLD_S, 1)
    assert [rotation.choose(now, TWO, repeatable=True) for now in (0.0, 1.0, HOLD_S - 0.1)] == [1, 1, 1]
    assert (rotation.held_s(5.0, 0), rotation.held_s(5.0, 1)) == (HOLD_S - 5.0, 0.0)


def test_the_new_one_is_tried_again_by_one_call_that_may_be_sent_twice() -> None:
    rotation = Rotation(TWO)
    rotation.refused(0.0, 0, 1)
    assert rotation.choose(HOLD_S, TWO, repeatable=False) == 1
    assert rotation.choose(HOLD_S, TWO, repeatable=True) == 0
    assert rotation.choose(HOLD_S, TWO, repeatable=True) == 1
    rotation.accepted(0, 1)
    assert rotation.quiet
    assert rotation.choose(HOLD_S, TWO, repeatable=False) == 0


def test_when_both_are_refused_the_less_refused_goes_until_both_are_held() -> None:
    rotation, sent = Rotation(TWO), []
    for _ in range(2 * REFUSALS):
        index = rotation.choose(0.0, TWO, repeatable=False)
        assert isinstance(index, int)
        sent.append(index)
        rotation.refused(0.0, index, 1)
    assert sorted(sent) == [0] * REFUSALS + [1] * REFUSALS
    assert isinstance(rotation.choose(0.0, TWO, repeatable=True), Held)


steps = st.lists(
    st.tuples(st.sampled_from(["refused", "accepted", "changed", "later"]), st.integers(0, 1), st.floats(0, 2000)),
    max_size=60,
)


@given(steps)
def test_a_held_secret_is_never_sent_before_its_time_but_to_find_out(plan: list[tuple[str, int, float]]) -> None:
    rotation, generations, now = Rotation(TWO), [1, 1], 0.0
    for what, index, wait in plan:
        match what:
            case "refused":
                rotation.refused(now, index, generations[index])
            case "accepted":
                rotation.accepted(index, generations[index])
            case "changed":
                generations[index] += 1
            case _:
                now += wait
        first = rotation.choose(now, generations, repeatable=True)
        second = rotation.choose(now, generations, repeatable=True)
        assert isinstance(first, Held) or 0 <= first <= 1
        if isinstance(first, Held):
            assert 0.0 < first.retry_after_s <= HOLD_MAX_S
            assert isinstance(second, Held)


def test_a_secret_that_was_never_read_is_no_choice_while_there_is_another() -> None:
    rotation = Rotation([1, UNREAD])
    assert refuse(rotation, 1) == [None]
    assert [rotation.choose(0.0, [1, UNREAD], repeatable=again) for again in (True, False)] == [0, 0]
    assert refuse(rotation, REFUSALS - 1)[-1] == Hold(HOLD_S, REFUSALS)
    assert rotation.choose(0.0, [1, UNREAD], repeatable=True) == Held(HOLD_S)
    assert rotation.choose(0.0, [1, 1], repeatable=False) == 1
    assert Rotation([UNREAD, UNREAD]).choose(0.0, [UNREAD, UNREAD], repeatable=False) == 0


def test_forgiven_secrets_are_tried_with_the_next_call() -> None:
    rotation = Rotation(ONE)
    refuse(rotation, REFUSALS)
    assert isinstance(rotation.choose(0.0, ONE, repeatable=True), Held)
    rotation.forgive()
    assert rotation.choose(0.0, ONE, repeatable=True) == 0
    assert (rotation.quiet, rotation.refusals(0), rotation.held_s(0.0, 0)) == (True, 0, 0.0)
