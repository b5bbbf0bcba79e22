from proxy.core.errors import CircuitOpen, ConnectFailed, RateLimited, ResponseTimeout
from proxy.edge.observe.reasons import outcomes_by_reason


def test_every_reason_of_the_tree_is_listed_with_its_outcome() -> None:
    outcomes = outcomes_by_reason()
    assert outcomes[RateLimited.reason] == "ignored"
    assert outcomes[CircuitOpen.reason] == "ignored"
    assert outcomes[ResponseTimeout.reason] == "failed"
    assert outcomes[ConnectFailed.reason] == "failed"
    assert "" not in outcomes
