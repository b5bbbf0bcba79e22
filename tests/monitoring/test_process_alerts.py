"""Each alert about the sidecars themselves fires when it should, as it should, and is silent when it should be."""

from pathlib import Path

from tests.support.alerting import Case, Firing, alerts_of, judge, settings_of, untried

READY, DRAINING = 'tidegate_ready{pod="%s"}', 'tidegate_draining{pod="%s"}'
RELOADED = 'tidegate_config_last_reload_successful{pod="%s"}'
LOG, AUDIT = 'tidegate_log_dropped_total{pod="%s"}', 'tidegate_audit_dropped_total{pod="%s"}'
BUILD = 'tidegate_build_info{version="1.2.3",pod="a"}'


def overhead(quick: int, slow: int) -> dict[str, str]:
    """Calls a minute that cost less than a millisecond, and about a thirtieth of a second."""
    total = quick + slow
    counts = {"0.001": quick, "0.025": quick, "0.05": total, "+Inf": total}
    bucket = 'tidegate_overhead_seconds_bucket{provider="mock",le="%s"}'
    series = {bucket % bound: f"0+{count}x30" for bound, count in counts.items()}
    return series | {'tidegate_overhead_seconds_count{provider="mock"}': f"0+{total}x30"}


def absent(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateAbsent", "absent.md", series, firing=firing)


def not_ready(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateNotReady", "not-ready.md", series, firing=firing)


def reload_failed(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateConfigReloadFailed", "config-reload-failed.md", series, firing=firing)


def log_dropped(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateLogDropped", "log-dropped.md", series, "20m", firing)


def audit_dropped(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateAuditDropped", "audit-dropped.md", series, "20m", firing)


def overhead_high(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateOverheadHigh", "overhead-high.md", series, "20m", firing)


CASES = (
    absent(
        "nothing is scraped",
        {},
        Firing(
            "severity=page",
            "No sidecar is seen any more",
            "Prometheus has scraped no tidegate for five minutes: none runs, or none is found. Look at the targets in"
            " Prometheus first, then at the Pods or units.",
        ),
    ),
    absent("one is there", {BUILD: "1x30"}),
    absent("none for three minutes", {BUILD: "1x4 _x20"}),  # a value is taken for the present one for five minutes
    not_ready(
        "two of three",
        {READY % "a": "0x30", READY % "b": "0x30", READY % "c": "1x30"} | {DRAINING % pod: "0x30" for pod in "abc"},
        Firing(
            "severity=page",
            "Sidecars are not ready",
            "2 of them have not been ready for five minutes, though nobody told them to end. /readyz says what keeps"
            " them: mostly a secret that was never read. An outage of a provider never does.",
        ),
    ),
    not_ready("one that drains", {READY % "a": "0x30", DRAINING % "a": "1x30"}),
    not_ready("one that starts", {READY % "a": "0x2 1x30", DRAINING % "a": "0x30"}),
    reload_failed(
        "on one of two",
        {RELOADED % "a": "0x30", RELOADED % "b": "1x30"},
        Firing(
            "severity=ticket",
            "Sidecars refuse the new configuration",
            "1 of them go on with the old one, and a restart would fail. tidegate check tells what is wrong, by line"
            " and key.",
        ),
    ),
    reload_failed("on none", {RELOADED % "a": "1x30", RELOADED % "b": "1x30"}),
    log_dropped(
        "lines",
        {LOG % "a": "0+1x30", LOG % "b": "0+1x30"},
        Firing(
            "severity=ticket",
            "Log lines are lost",
            "About 30 lines of the last fifteen minutes were not written, because whoever reads them is too slow or the"
            " disk is full. Calls are not held up by that.",
        ),
    ),
    log_dropped("some, long ago", {LOG % "a": "7x30"}),
    audit_dropped(
        "records",
        {AUDIT % "a": "0+1x30"},
        Firing(
            "severity=page",
            "Audit records are lost",
            "About 15 records of the last fifteen minutes were not written, and are gone for good. Look at the disk of"
            " audit.file first.",
        ),
    ),
    audit_dropped("none", {AUDIT % "a": "0x30"}),
    overhead_high(
        "two of a hundred",
        overhead(98, 2),
        Firing(
            "severity=ticket",
            "tidegate itself takes long",
            "One call of a hundred spent 37.5ms or longer in tidegate itself, neither waiting nor with the provider."
            " Mostly it lacks CPU: look at process_cpu_seconds_total and at CPU limits.",
        ),
    ),
    overhead_high("one of two hundred", overhead(199, 1)),
    overhead_high("hardly any calls", overhead(10, 1)),
)


def test_every_situation_ends_as_it_should(tmp_path: Path) -> None:
    assert judge(tmp_path, CASES, "tidegate-sidecars") == ""


def test_no_alert_goes_without_a_case_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    alerts = alerts_of(settings_of(), "tidegate-sidecars")
    assert len(alerts) == 6
    assert untried(CASES, alerts) == set()


def test_without_an_audit_log_nothing_of_it_can_be_lost() -> None:
    found = alerts_of(settings_of("providers: {mock: {}}"), "tidegate-sidecars")
    assert [alert.name for alert in found if "Audit" in alert.name] == []
