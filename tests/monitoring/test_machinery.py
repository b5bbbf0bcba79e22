from proxy.monitoring.machinery import overhead, policies, retries
from proxy.monitoring.panels import Timeline
from tests.support.asked import asked


def test_the_lanes_show_the_worst_state_of_any_sidecar() -> None:
    lanes = policies().panels[0]
    assert isinstance(lanes, Timeline)
    assert {value: name for value, (name, _) in lanes.states.items()} == {0: "closed", 1: "half open", 2: "open"}
    (query,) = lanes.queries
    assert query.expr.startswith("max by (provider, account) (2 * tidegate_breaker_state{")
    assert 'state="open"' in query.expr.split(" or ")[0]
    assert 'state="half_open"' in query.expr.split(" or ")[1]


def test_what_is_left_is_that_of_the_sidecar_which_has_least() -> None:
    assert asked(policies())["Tokens left"].startswith("min by (provider, account, limit) (")
    assert asked(retries())["Retry budget"].startswith("min by (provider, account) (")


def test_retries_are_told_by_cause_and_those_that_were_not_made_by_reason() -> None:
    found = asked(retries())
    assert "by (provider, cause)" in found["Retries by cause"]
    assert "by (provider, why)" in found["Retries not made"]


def test_own_overhead_is_told_by_percentile_and_by_provider() -> None:
    found = asked(overhead())
    assert [line[:24] for line in found["Own time of a call"].splitlines()] == [
        "histogram_quantile(0.5, ", "histogram_quantile(0.95,", "histogram_quantile(0.99,",
    ]  # fmt: skip
    assert "by (provider, le)" in found["Own time of a call, p99 by provider"]


def test_rows_that_are_seldom_needed_ask_nothing_until_they_are_opened() -> None:
    assert (policies().collapsed, retries().collapsed, overhead().collapsed) == (False, True, True)
