from typing import Any

from proxy.monitoring.budgets import budgets
from proxy.settings import Settings
from tests.support.asked import asked

SLO = {"availability": "99.9%"}


def settings(**providers: Any) -> Settings:
    base = {"base_url": "https://api.example.com"}
    return Settings.model_validate({"providers": {name: {**base, **own} for name, own in providers.items()}})


def test_there_is_no_row_without_objectives() -> None:
    assert budgets(settings(acme={}, globex={"slo": False})) == ()


def test_each_window_is_a_question_about_the_providers_that_have_it() -> None:
    (row,) = budgets(settings(acme={"slo": SLO}, globex={"slo": SLO}, slow={"slo": {**SLO, "window": "7d"}}, none={}))
    month, week = asked(row)["Error budget left"].splitlines()
    assert ('provider=~"acme|globex"' in month, "[30d]" in month) == (True, True)
    assert ('provider="slow"' in week, "[7d]" in week) == (True, True)


def test_the_burn_rate_is_what_was_bad_by_what_may_be() -> None:
    (row,) = budgets(settings(acme={"slo": SLO}))
    fast = asked(row)["Burn rate, fast (5m and 1h)"].splitlines()
    assert [window for query in fast for window in ("5m", "1h") if f"[{window}]" in query] == ["5m", "1h"]
    where = '{job=~"$job",instance=~"$instance",provider=~"$provider"}'
    by = "by (provider, path, slo)"
    assert fast[0] == (
        f"(1 - sum {by} (rate(tidegate_slo_good_total{where}[5m])) /"
        f" (sum {by} (rate(tidegate_slo_events_total{where}[5m])) > 0))"
        f" / (1 - max {by} (tidegate_slo_objective_ratio{where}))"
    )


def test_the_levels_at_which_alerts_fire_are_marked() -> None:
    (row,) = budgets(settings(acme={"slo": SLO}))
    assert [steps for panel in row.panels if panel.title.startswith("Burn") for steps in {panel.steps}] == [
        ((None, "green"), (1, "yellow"), (6, "orange"), (14.4, "red"))
    ] * 2
