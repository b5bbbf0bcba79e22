"""Whatever bytes a provider sends, reading them yields a usable wait or none."""

from hypothesis import example, given
from hypothesis import strategies as st

from proxy.core.profile import Profile
from proxy.sansio.hints import LONGEST_S, Hints

UNITS = ["auto", "seconds", "milliseconds", "epoch", "epoch_ms", "date", "rfc3339", "duration"]
EVERY = Hints(
    Profile.model_validate(
        {"resets": [{"header": f"x-{unit}", "unit": unit} for unit in UNITS], "should_retry": "x-auto"}
    )
)
WALL = 1_800_000_000.0

near_misses = st.from_regex(
    r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:\d\d|Z)?"
    r"|[+-]?\d+(\.\d+)?|(\d+(\.\d+)?(ms|s|m|h|d)){1,5}",
    fullmatch=True,
).map(str.encode)


@given(value=st.binary(max_size=80) | near_misses)
@example(b"0001-01-01T00:00:00+23:59")
@example(b"9999-12-31T23:59:59-23:59")
@example(b"9" * 63)
def test_no_bytes_make_it_raise_or_wait_for_an_absurd_time(value: bytes) -> None:
    for unit in UNITS:
        wait_s = EVERY.wait_s([(f"X-{unit}".encode(), value)], WALL)
        assert wait_s is None or 0 <= wait_s <= LONGEST_S
    assert EVERY.should_retry([(b"X-Auto", value)]) in (True, False, None)


@given(waits=st.lists(st.integers(min_value=0, max_value=86400), min_size=1, max_size=5))
def test_of_several_hints_the_longest_counts(waits: list[int]) -> None:
    assert EVERY.wait_s([(b"X-Seconds", str(wait).encode()) for wait in waits], WALL) == max(waits)
