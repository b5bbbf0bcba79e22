"""Each alert about a provider fires when it should, as it should, and is silent when it should be."""

from pathlib import Path

import pytest

from tests.support.alerting import Case, Firing, alerts_of, judge, settings_of, untried


def calls(provider: str, code: int, source: str = "provider", reason: str = "") -> str:
    labels = f'provider="{provider}",method="GET",code="{code}",source="{source}",reason="{reason}"'
    return f"tidegate_requests_total{{{labels}}}"


OK, BAD = calls("mock", 200), calls("mock", 503)
LATE = calls("mock", 504, "network", "response_timeout")
OVERDUE = calls("mock", 504, "sidecar", "deadline_exceeded")
CUT = calls("mock", 200, "provider", "connection_dropped")
LEFT = calls("mock", 200, "provider", "caller_gone")
WRONG, UNKNOWN = calls("mock", 404), calls("mock", 501)
SHUT = calls("mock", 503, "sidecar", "circuit_open")


def errors(who: str, value: str, severity: str = "page") -> Firing:
    return Firing(
        f"provider={who} severity={severity}",
        f"{who} fails more than 5 % of its calls",
        f"{value} of the calls of the last five minutes failed, after all retries; calls that tidegate refused by"
        " itself are not counted. Look at the provider's status page, and at which reasons and codes they are:"
        " tidegate tail --failed.",
    )


def error_rate(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateErrorRateHigh", "error-rate-high.md", series, firing=firing)


ERROR_RATES = (
    error_rate("six of a hundred fail", {OK: "0+94x30", BAD: "0+6x30"}, errors("mock", "6%")),
    error_rate("every call fails, and none ever succeeded", {BAD: "0+10x30"}, errors("mock", "100%")),
    error_rate("the network fails", {OK: "0+90x30", LATE: "0+10x30"}, errors("mock", "10%")),
    error_rate("deadlines pass", {OK: "0+75x30", OVERDUE: "0+25x30"}, errors("mock", "25%")),
    error_rate("bodies are cut", {OK: "0+80x30", CUT: "0+20x30"}, errors("mock", "20%")),
    error_rate(
        "an availability is promised, whose budget pages",
        {calls("stripe", 200): "0+90x30", calls("stripe", 500): "0+10x30"},
        errors("stripe", "10%", "ticket"),
    ),
    error_rate("for three minutes", {OK: "0+50x30", BAD: "0x8 50+50x20"}, errors("mock", "44.44%")),
    error_rate("just below five of a hundred fail", {OK: "0+951x30", BAD: "0+49x30"}),
    error_rate("too few calls", {OK: "0+1x30", BAD: "0+2x30"}),
    error_rate("what tidegate refuses is not the provider's", {OK: "0+50x30", SHUT: "0+50x30"}),
    error_rate("what the caller got wrong is not the provider's", {OK: "0+50x30", WRONG: "0+9x30", UNKNOWN: "0+9x30"}),
    error_rate("callers leave", {OK: "0+50x30", LEFT: "0+50x30"}),
    error_rate("it was a moment ago", {OK: "0+50x30", BAD: "0+50x5 250x25"}),
    error_rate("another service's provider", {calls("other", 500): "0+50x30"}),
)


def shares(name: str, runbook: str, reason: str, advice: str) -> tuple[Case, ...]:
    """Our own refusals: more than one of a hundred make a ticket, more than ten a page as well."""
    well, full = calls("stripe", 200), calls("stripe", 429, "sidecar", reason)

    def firing(value: str, severity: str, share: str) -> Firing:
        return Firing(
            f"provider=stripe sign=refused severity={severity}",
            f"tidegate refuses more than {share} of the calls to stripe ({reason})",
            f"{value} of the calls of the last five minutes were refused. {advice}",
        )

    def case(what: str, series: dict[str, str], *expected: Firing) -> Case:
        return Case(f"{reason}: {what}", f"Tidegate{name}", runbook, series, firing=expected)

    return (
        case("two of a hundred", {well: "0+98x30", full: "0+2x30"}, firing("2%", "ticket", "1%")),
        case(
            "twelve of a hundred",
            {well: "0+88x30", full: "0+12x30"},
            firing("12%", "ticket", "1%"),
            firing("12%", "page", "10%"),
        ),
        case("one of two hundred", {well: "0+199x30", full: "0+1x30"}),
        case("too few calls", {well: "0+1x30", full: "0+2x30"}),
    )


SLOW_DOWN = (
    "The service calls more often than rate_limit.limits allow: find out who calls so much, spread the calls, or raise"
    " the limit if the provider allows more."
)
CROWD = (
    "Too many calls are in flight at once, mostly because the provider is slow: look at its latency first. If that is"
    " as ever, raise bulkhead.in_flight, or call less."
)


def waits(provider: str, quick: int, slow: int, bound: str = "2.5") -> dict[str, str]:
    """Calls a minute that waited for less than half a second, and for less than `bound`."""
    bucket = f'tidegate_limiter_wait_seconds_bucket{{provider="{provider}",le="%s"}}'
    total = quick + slow
    return {
        bucket % "0.5": f"0+{quick}x30",
        bucket % "1.0": f"0+{quick}x30",
        bucket % bound: f"0+{total}x30",
        bucket % "+Inf": f"0+{total}x30",
        calls(provider, 200): f"0+{total}x30",
    }


def waiting(provider: str, value: str, longest: str) -> Firing:
    return Firing(
        f"provider={provider} sign=waits max_wait={longest} severity=ticket",
        f"Calls to {provider} wait long for its rate limit",
        f"One call of twenty waited {value} or longer in the last five minutes; one that would wait longer than"
        f" {longest} is refused. {SLOW_DOWN}",
    )


def limiter(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateLimiterSaturated", "limiter-saturated.md", series, firing=firing)


LIMITS = (
    *shares("LimiterSaturated", "limiter-saturated.md", "rate_limited", SLOW_DOWN),
    *shares("BulkheadFull", "bulkhead-full.md", "bulkhead_full", CROWD),
    limiter("a tenth waits for seconds", waits("stripe", 90, 10), waiting("stripe", "1.75s", "2s")),
    limiter("a twenty-fifth waits for seconds", waits("stripe", 96, 4)),
    limiter("a few wait for seconds", waits("stripe", 1, 1)),
    limiter("where more patience is configured, seconds are nothing", waits("clearing", 90, 10)),
    limiter("even that is half spent", waits("clearing", 90, 10, "10.0"), waiting("clearing", "5.5s", "8s")),
)


def breaker(provider: str, closed: int, **labels: str) -> dict[str, str]:
    more = "".join(f',{key}="{value}"' for key, value in labels.items())
    return {f'tidegate_breaker_state{{provider="{provider}",state="closed"{more}}}': f"{closed}x30"}


def opened(labels: str, who: str, replicas: int) -> Firing:
    return Firing(
        f"{labels} severity=page",
        f"The breaker of {who} is open",
        f"On {replicas} of the replicas it has not been closed for a minute, and calls are refused with circuit_open."
        " It opened because the provider failed: look at its status page, and at the failures before it opened"
        " (/api/changes, /api/calls). It probes by itself, and closes when the provider answers again.",
    )


def breaker_case(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateBreakerOpen", "breaker-open.md", series, firing=firing)


REFUSING = {SHUT: "0+5x30"}
OPEN_HERE, OPEN_THERE, CLOSED = breaker("mock", 0, pod="a"), breaker("mock", 0, pod="b"), breaker("mock", 1, pod="c")
OPEN_LATE = dict.fromkeys(OPEN_HERE, "1x11 0x10")
TOKEN_SHUT = calls("paypal/token", 503, "sidecar", "circuit_open")
FORCED = 'tidegate_operator_override{provider="mock",section="breaker",state="open",pod="a"}'

BREAKERS = (
    breaker_case(
        "open on two of three replicas",
        OPEN_HERE | OPEN_THERE | CLOSED | REFUSING,
        opened("provider=mock", "mock", 2),
    ),
    breaker_case(
        "of one account",
        breaker("stripe", 0, account="eu") | {calls("stripe", 503, "sidecar", "circuit_open"): "0+5x30"},
        opened("provider=stripe account=eu", "stripe (account eu)", 1),
    ),
    breaker_case(
        "of a token endpoint",
        breaker("paypal/token", 0) | {TOKEN_SHUT: "0+5x30"},
        opened("provider=paypal/token", "paypal/token", 1),
    ),
    breaker_case("closed", CLOSED | REFUSING),
    breaker_case("open, but nobody calls", OPEN_HERE | {SHUT: "7x30"}),
    breaker_case("open for half a minute", OPEN_LATE | REFUSING),
    breaker_case("open because an operator wants it so", OPEN_HERE | REFUSING | {FORCED: "1x30"}),
)

PAUSE = 'tidegate_pause_remaining_seconds{provider="mock",pod="%s"}'
DENIED = 'tidegate_retries_denied_total{provider="mock",why="%s"}'
OVERRIDE = 'tidegate_operator_override{provider="stripe",account="eu",section="rate_limit",state="report",pod="a"}'

OTHERS = (
    Case(
        "the longest pause of all replicas counts",
        "TidegateProviderPaused",
        "provider-paused.md",
        {PAUSE % "a": "0x7 600-60x10", PAUSE % "b": "0x30"},
        firing=(
            Firing(
                "provider=mock severity=page",
                "mock has been paused for more than a minute",
                "Calls are held back for another 6m 0s, and what can't wait is refused: the provider said that there"
                " are too many calls, or that a quota is used up. /api/providers tells which (held). Then call less, or"
                " have the provider allow more.",
            ),
        ),
    ),
    Case(
        "a short pause",
        "TidegateProviderPaused",
        "provider-paused.md",
        {PAUSE % "a": "0x11 30 0x10", PAUSE % "b": "0x30"},
    ),
    Case(
        "retries are denied for want of budget",
        "TidegateRetryBudgetEmpty",
        "retry-budget-empty.md",
        {DENIED % "budget": "0+3x30"},
        firing=(
            Firing(
                "provider=mock severity=ticket",
                "The retry budget of mock is empty",
                "About 15 attempts that might have helped were not made in the last five minutes, because so many had"
                " failed before. The provider fails for long: find out why. The budget fills again by itself.",
            ),
        ),
    ),
    Case(
        "retries have been denied for two minutes",
        "TidegateRetryBudgetEmpty",
        "retry-budget-empty.md",
        {DENIED % "budget": "0x9 3+3x20"},
    ),
    Case(
        "retries are denied because the wait would be too long",
        "TidegateRetryBudgetEmpty",
        "retry-budget-empty.md",
        {DENIED % "wait_too_long": "0+3x30", DENIED % "budget": "0x30"},
    ),
    Case(
        "an override is forgotten",
        "TidegateOperatorOverride",
        "operator-override.md",
        {OVERRIDE: "1x90"},
        at="65m",
        firing=(
            Firing(
                "provider=stripe account=eu section=rate_limit state=report severity=ticket",
                "An operator's override of stripe (account eu) has been on for an hour",
                "rate_limit is forced to report on 1 of the replicas. If nobody is at work on it, take it back with the"
                " action rate_limit.auto. The log tells who did it.",
            ),
        ),
    ),
    Case(
        "an override of half an hour",
        "TidegateOperatorOverride",
        "operator-override.md",
        {OVERRIDE: "0x34 1x60"},
        at="65m",
    ),
)

CASES = (*ERROR_RATES, *LIMITS, *BREAKERS, *OTHERS)
OF_CREDENTIALS = ("Credential", "Secret", "Token", "Certificate")


def test_every_situation_ends_as_it_should(tmp_path: Path) -> None:
    assert judge(tmp_path, CASES, "tidegate-providers") == ""


def test_no_alert_goes_without_a_case_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    alerts = [
        alert
        for alert in alerts_of(settings_of(), "tidegate-providers")
        if not alert.name.removeprefix("Tidegate").startswith(OF_CREDENTIALS)
    ]
    assert len(alerts) >= 10
    assert untried(CASES, alerts) == set()


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("breaker: off", "TidegateBreakerOpen"),
        ("retry: off", "TidegateRetryBudgetEmpty"),
        ("retry: {budget: off}", "TidegateRetryBudgetEmpty"),
        ("rate_limit: off", "TidegateProviderPaused"),
        ("rate_limit: {limits: []}", "TidegateLimiterSaturated"),
        ("bulkhead: off", "TidegateBulkheadFull"),
    ],
)
def test_an_alert_that_no_provider_can_raise_is_left_out(entry: str, name: str) -> None:
    usual = "providers: {billing: {base_url: 'https://billing.example.com', rate_limit: {limits: [1/1s]}}}"
    without = usual.replace("rate_limit: {limits: [1/1s]}", entry)
    assert name in {alert.name for alert in alerts_of(settings_of(usual), "tidegate-providers")}
    assert name not in {alert.name for alert in alerts_of(settings_of(without), "tidegate-providers")}


def test_without_a_token_nobody_can_override_anything() -> None:
    found = alerts_of(settings_of("providers: {mock: {}}"), "tidegate-providers")
    assert "TidegateOperatorOverride" not in {alert.name for alert in found}
    assert [alert.expr for alert in found if "operator_override" in alert.expr] == []
