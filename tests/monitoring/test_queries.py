import re

from proxy.monitoring import queries
from proxy.monitoring.rules import RUNBOOKS, render
from proxy.settings import Settings

WHERE = 'job=~"$job",instance=~"$instance"'


def test_a_providers_metric_is_narrowed_to_the_chosen_sidecars_and_providers() -> None:
    found = queries.series("in_flight", 'x="1"')
    assert found == f'tidegate_in_flight{{{WHERE},provider=~"$provider",x="1"}}'


def test_state_is_asked_of_token_endpoints_too() -> None:
    assert queries.state("breaker_state") == f'tidegate_breaker_state{{{WHERE},provider=~"$provider(/.+)?"}}'


def test_what_belongs_to_no_provider_is_narrowed_to_the_chosen_sidecars() -> None:
    assert queries.whole("ready") == f"tidegate_ready{{{WHERE}}}"
    assert queries.standard("process_open_fds") == f"process_open_fds{{{WHERE}}}"


def test_counters_are_added_up_over_all_sidecars() -> None:
    assert queries.rate("x", "provider", "5m") == "sum by (provider) (rate(x[5m]))"
    assert queries.rate("x") == "sum (rate(x[$__rate_interval]))"
    assert queries.increase("x", "why") == "sum by (why) (increase(x[$__rate_interval]))"


def test_gauges_are_added_up_or_compared() -> None:
    assert queries.total("x", "a") == "sum by (a) (x)"
    assert queries.highest("x") == "max (x)"
    assert queries.lowest("x", "a, b") == "min by (a, b) (x)"


def test_nothing_found_is_a_count_of_0() -> None:
    assert queries.count("x == 1") == "(count(x == 1) or vector(0))"


def test_a_percentile_keeps_the_labels_that_it_is_asked_by() -> None:
    selected = f'tidegate_x_bucket{{{WHERE},provider=~"$provider"}}'
    assert queries.quantile(0.5, "x", "provider", "1m") == (
        f"histogram_quantile(0.5, sum by (provider, le) (rate({selected}[1m])))"
    )
    assert queries.quantile(0.5, "x", "", "1m") == f"histogram_quantile(0.5, sum by (le) (rate({selected}[1m])))"


def test_what_was_owed_is_neither_the_callers_mistake_nor_the_sidecars_refusal() -> None:
    asked = queries.answered_share("provider", "5m")
    assert asked.count('code!~"4..|501|505"') == 2
    for reason in ("response_timeout", "connect_failed", "deadline_exceeded"):
        assert asked.count(f"|{reason}") == 2
    for reason in ("circuit_open", "rate_limited", "caller_gone"):
        assert reason not in asked


def test_the_dashboard_judges_calls_as_the_alerts_do() -> None:
    settings = Settings.model_validate({"providers": {"acme": {"base_url": "https://api.example.com"}}})
    (reasons,) = set(re.findall(r'reason=~"[^"]*"', render(settings, RUNBOOKS, kubernetes=False)))
    assert reasons in queries.answered_share("provider")
