"""Error budgets: which burn fires which alert, and that one window alone, or a handful of calls, fires none."""

from pathlib import Path

import pytest

from tests.support.alerting import Case, Firing, alerts_of, judge, settings_of, untried

GOOD_H = 60
STEP = 500  # calls in five minutes


def history(*stretches: tuple[float, float], slo: str = "availability", path: str = "") -> dict[str, str]:
    """Return the counters of 60 good hours, then of stretches of so many hours with such a share of bad calls."""
    labels = f'provider="stripe",slo="{slo}"' + (f',path="{path}"' if path else "")
    hours = GOOD_H + sum(hours for hours, _ in stretches)
    good, total = f"0+{STEP}x{GOOD_H * 12}", float(STEP * GOOD_H * 12)
    for hours_so, bad in stretches:
        step, steps = STEP * (1 - bad), int(hours_so * 12)
        good += f" {total + step:g}+{step:g}x{steps - 1}"
        total += step * steps
    events = f"0+{STEP}x{int(hours * 12)}"
    return {f"tidegate_slo_good_total{{{labels}}}": good, f"tidegate_slo_events_total{{{labels}}}": events}


PAGE_1H, PAGE_6H, TICKET_3D = "window=1h severity=page", "window=6h severity=page", "window=3d severity=ticket"
PACES = {
    PAGE_1H: "more than 14.4 times as fast as",
    PAGE_6H: "more than 6 times as fast as",
    TICKET_3D: "faster than",
}
SLOW, CHARGES = "95% within 800ms", "POST /v1/charges"


def availability(window: str, value: str, path: str = "") -> Firing:
    who, objective = (f"stripe {path}", "99%") if path else ("stripe", "99.9%")
    return Firing(
        f"provider=stripe slo=availability {window}",
        f"{who} burns its availability budget {PACES[window]} 30d allow",
        f"{value} of the calls of the last {window[7:9]} failed, and it goes on; the objective is {objective}. Look at"
        " the provider's status page, and at which calls it is: tidegate tail --failed.",
        {"objective": f"{objective} over 30d", **({"path": path} if path else {})},
    )


def latency(window: str, value: str) -> Firing:
    return Firing(
        f"provider=stripe slo=latency {window}",
        f"stripe burns its latency budget {PACES[window]} 30d allow",
        f"{value} of the calls of the last {window[7:9]} were answered too late, and it goes on; the objective is"
        f" {SLOW}. Look at the provider's status page, and at which calls it is: the slow ones in /api/calls.",
        {"objective": f"{SLOW} over 30d"},
    )


def case(what: str, series: dict[str, str], at_h: float, *firing: Firing, name: str = "Availability") -> Case:
    runbook = f"{name.lower()}-budget-burn.md"
    at = f"{round(at_h * 60)}m"
    return Case(f"{name}: {what}", f"Tidegate{name}BudgetBurn", runbook, series, at, firing, "5m")


def slow(what: str, series: dict[str, str], at_h: float, *firing: Firing) -> Case:
    return case(what, series, at_h, *firing, name="Latency")


AVAILABILITY = (
    case("2 % for an hour", history((1, 0.02)), 61, availability(PAGE_1H, "2%")),
    case("1 % for six hours", history((6, 0.01)), 66, availability(PAGE_6H, "1%")),
    case("0.2 % for three days", history((72, 0.002)), 132, availability(TICKET_3D, "0.2%")),
    case(
        "an outage of half a day",
        history((12, 1.0)),
        72,
        availability(PAGE_1H, "100%"),
        availability(PAGE_6H, "100%"),
        availability(TICKET_3D, "16.67%"),
    ),
    case("1.4 % for an hour", history((1, 0.014)), 61),
    case("0.59 % for six hours", history((6, 0.0059)), 66),
    case("0.09 % for three days", history((72, 0.0009)), 132),
    case("six bad hours that are over", history((6, 0.009), (1, 0.0)), 67),
    case("two bad days that are over", history((48, 0.005), (7, 0.0)), 115),
    case(
        "one call in twenty minutes, and every one fails",
        {
            'tidegate_slo_events_total{provider="stripe",slo="availability"}': "0+0.25x2000",
            'tidegate_slo_good_total{provider="stripe",slo="availability"}': "0x2000",
        },
        72,
    ),
)

WITHIN_THE_HOUR = (
    case("a bad hour that is over", history((1, 0.04), (1, 0.0)), 61.5),
    case("a bad half hour: the long window has not seen enough", history((0.5, 0.02)), 60.5),
    case("the same a little longer", history((1, 0.02)), 61, availability(PAGE_1H, "2%")),
)

PATHS = (
    case("20 % for an hour", history((1, 0.2), path=CHARGES), 61, availability(PAGE_1H, "20%", CHARGES)),
    case("10 % for six hours", history((6, 0.1), path=CHARGES), 66, availability(PAGE_6H, "10%", CHARGES)),
    case("2 % for three days", history((72, 0.02), path=CHARGES), 132, availability(TICKET_3D, "2%", CHARGES)),
    case("2 % for an hour, which is much for the provider and little for a path", history((1, 0.02), path=CHARGES), 61),
    case("a path of which nothing is promised", history((6, 1.0), path="GET /v1/balance"), 66),
)

LATENCY = (
    slow("80 % for an hour", history((1, 0.8), slo="latency"), 61, latency(PAGE_1H, "80%")),
    slow("40 % for six hours", history((6, 0.4), slo="latency"), 66, latency(PAGE_6H, "40%")),
    slow("10 % for three days", history((72, 0.1), slo="latency"), 132, latency(TICKET_3D, "10%")),
    slow("70 % for an hour", history((1, 0.7), slo="latency"), 61),
    slow("29 % for six hours", history((6, 0.29), slo="latency"), 66),
    slow("4.9 % for three days", history((72, 0.049), slo="latency"), 132),
)

CASES = (*AVAILABILITY, *PATHS, *LATENCY)


def test_every_situation_ends_as_it_should(tmp_path: Path) -> None:
    assert judge(tmp_path, CASES, "tidegate-budgets", evaluate="1h") == ""
    assert judge(tmp_path, WITHIN_THE_HOUR, "tidegate-budgets", evaluate="30m") == ""


def test_no_alert_goes_without_a_case_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    alerts = alerts_of(settings_of(), "tidegate-budgets")
    assert len(alerts) == 9
    assert untried(CASES, alerts) == set()


def thresholds(slo: str) -> dict[str, str]:
    """Return the bounds of the alerts for these objectives, by window."""
    found = alerts_of(settings_of(f"slo: {slo}\nproviders: {{mock: {{}}}}"), "tidegate-budgets")
    return {alert.labels["window"]: alert.expr.split(" > ")[1].split("\n")[0] for alert in found}


@pytest.mark.parametrize(
    ("slo", "expected"),
    [
        ("{availability: 99.9%}", {"1h": "0.0144", "6h": "0.006", "3d": "0.001"}),
        ("{availability: 99.99%}", {"1h": "0.00144", "6h": "0.0006", "3d": "0.0001"}),
        ("{availability: 99.9%, window: 90d}", {"1h": "0.0432", "6h": "0.018", "3d": "0.003"}),
        # A burn below 1 is no burn: the budget would last.
        ("{availability: 99.9%, window: 7d}", {"1h": "0.00336", "6h": "0.0014", "3d": "0.001"}),
        # The window is over before three days are.
        ("{availability: 99.9%, window: 1d}", {"1h": "0.001", "6h": "0.001"}),
        # With half of all calls allowed to fail, an hour of nothing else does not use up 2 % of a month's budget.
        ("{availability: 50%}", {"3d": "0.5"}),
        ("{latency: {percentile: 90, under: 1s}}", {"6h": "0.6", "3d": "0.1"}),
    ],
)
def test_thresholds_follow_objective_and_window(slo: str, expected: dict[str, str]) -> None:
    assert thresholds(slo) == expected


def test_providers_of_the_same_objective_share_their_rules_and_others_have_their_own() -> None:
    both = "slo: {availability: 99.9%}\nproviders: {mock: {}, stripe: {}}"
    apart = "slo: {availability: 99.9%}\nproviders: {mock: {}, stripe: {slo: {availability: 99%}}, paypal: {slo: off}}"
    assert len(alerts_of(settings_of(both), "tidegate-budgets")) == 3
    found = alerts_of(settings_of(apart), "tidegate-budgets")
    assert ['provider="stripe"' in alert.expr for alert in found] == [True] * 3 + [False] * 3
    assert [alert.expr for alert in found if "paypal" in alert.expr] == []


def test_without_objectives_there_are_no_budgets() -> None:
    assert alerts_of(settings_of("providers: {mock: {}}"), "tidegate-budgets") == []
