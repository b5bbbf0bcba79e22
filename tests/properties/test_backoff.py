"""Backoff stays within its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.sansio.backoff import Backoff

seconds = st.floats(min_value=0.001, max_value=3600)


@given(
    base_s=seconds,
    throttled_base_s=seconds,
    cap_s=seconds,
    failures=st.integers(min_value=1, max_value=10**6),
    throttled=st.booleans(),
    random=st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_a_wait_is_never_negative_nor_above_the_cap(
    base_s: float, throttled_base_s: float, cap_s: float, failures: int, throttled: bool, random: float
) -> None:
    wait_s = Backoff(base_s, throttled_base_s, cap_s).wait_s(failures, throttled, random)

    first_s = throttled_base_s if throttled else base_s
    assert 0 <= wait_s <= cap_s
    assert failures > 1 or wait_s <= first_s
