"""What stands in a call's way, in words and as a refusal."""

import pytest

from proxy.core.errors import ProviderPaused, QuotaExhausted, RateLimited
from proxy.core.units import Rate
from proxy.sansio.bucket import Bucket
from proxy.sansio.gate import Gate
from proxy.sansio.pause import Pause

NOW = 100.0


def gate(*rates: Rate) -> Gate:
    """Make a gate whose limits have no token left."""
    made = Gate(tuple(Bucket(rate, NOW) for rate in rates), Pause(5.0, 900.0))
    for bucket in made.buckets:
        for _ in range(bucket.rate.count):
            bucket.charge(NOW)
    return made


def test_the_limit_that_takes_longest_is_the_cause_and_told_in_the_refusal() -> None:
    one = gate(Rate(10, 1.0), Rate(10, 60.0))
    assert one.cause(NOW, 0) == "the limit 10/1m"
    refusal = one.refusal(NOW, 0, NOW)
    assert isinstance(refusal, RateLimited)
    assert (refusal.tightest, refusal.remaining) == (Rate(10, 60.0), 0)
    assert refusal.retry_after_s == one.limits.free_at(NOW) - NOW


@pytest.mark.parametrize(
    ("held", "kind", "cause"),
    [
        (False, ProviderPaused, "the provider's pause"),
        (True, QuotaExhausted, "a call that finds out whether the quota is back"),
    ],
)
def test_a_pause_or_a_hold_is_named_where_it_ends_last(held: bool, kind: type[Exception], cause: str) -> None:
    one = gate(Rate(10, 1.0))
    if held:
        one.pause.exhausted(NOW, 300.0, one.pause.epoch)
    else:
        one.pause.throttled(NOW, 300.0, one.pause.epoch)
    assert one.cause(NOW, 0) == cause
    assert isinstance(one.refusal(NOW, 0, NOW), kind)


def test_without_limits_only_the_turn_is_waited_for() -> None:
    assert gate().cause(NOW, 3) == "its turn"
