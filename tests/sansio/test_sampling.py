"""Which of many lines are written."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.sansio.sampling import Sampler


def test_the_first_of_each_second_stand_for_themselves_and_beyond_them_one_stands_for_many() -> None:
    sampler = Sampler(first=2, every=3)
    assert [sampler.weigh(7.0 + n / 100) for n in range(9)] == [1, 1, 0, 0, 3, 0, 0, 3, 0]


def test_a_new_second_begins_anew_and_goes_on_with_what_was_left_out() -> None:
    sampler = Sampler(first=1, every=2)
    assert [sampler.weigh(at) for at in (1.0, 1.5, 2.0, 2.5, 2.9)] == [1, 0, 1, 2, 0]


def test_every_one_leaves_nothing_out_and_none_first_thins_from_the_start() -> None:
    whole, thin = Sampler(first=0, every=1), Sampler(first=0, every=4)
    assert [whole.weigh(1.0) for _ in range(5)] == [1] * 5
    assert [thin.weigh(float(n)) for n in range(8)] == [0, 0, 0, 4, 0, 0, 0, 4]


@given(
    first=st.integers(0, 5),
    every=st.integers(1, 7),
    gaps=st.lists(st.floats(0, 2), max_size=100),
)
def test_what_is_written_stands_for_all_but_the_last_few(first: int, every: int, gaps: list[float]) -> None:
    sampler, at, weights = Sampler(first, every), 0.0, []
    for gap in gaps:
        at += gap
        weights.append(sampler.weigh(at))
    assert 0 <= len(gaps) - sum(weights) < every
