"""Alerts about the sidecars themselves."""

from collections.abc import Iterator
from typing import Final

from proxy.monitoring.groups import Alert, Group
from proxy.monitoring.promql import Series
from proxy.settings import Settings

OVERHEAD_S: Final = 0.025
"""Ten times what a call costs on a busy core: above it the process lacks CPU."""

LEAST_CALLS: Final = 100


def process_group(settings: Settings, series: Series) -> Group:
    """Return the alerts about the processes, whatever the providers do."""
    alerts = [*_state(series), *_lost(settings, series), _overhead(series)]
    return Group("tidegate-sidecars", "The sidecars themselves.", tuple(alerts))


def _state(series: Series) -> Iterator[Alert]:
    yield Alert(
        "TidegateAbsent",
        "page",
        f"absent({series('tidegate_build_info')})",
        "5m",
        "No sidecar is seen any more",
        "Prometheus has scraped no tidegate for five minutes: none runs, or none is found. Look at the targets in"
        " Prometheus first, then at the Pods or units.",
    )
    ready, draining = series("tidegate_ready"), series("tidegate_draining")
    yield Alert(
        "TidegateNotReady",
        "page",
        f"count({ready} == 0 and {draining} == 0) > 0",
        "5m",
        "Sidecars are not ready",
        "{{ $value }} of them have not been ready for five minutes, though nobody told them to end. /readyz says what"
        " keeps them: mostly a secret that was never read. An outage of a provider never does.",
    )
    yield Alert(
        "TidegateConfigReloadFailed",
        "ticket",
        f"count({series('tidegate_config_last_reload_successful')} == 0) > 0",
        "1m",
        "Sidecars refuse the new configuration",
        "{{ $value }} of them go on with the old one, and a restart would fail. tidegate check tells what is wrong, by"
        " line and key.",
    )


def _lost(settings: Settings, series: Series) -> Iterator[Alert]:
    yield Alert(
        "TidegateLogDropped",
        "ticket",
        f"sum(increase({series('tidegate_log_dropped_total')}[15m])) > 0",
        "",
        "Log lines are lost",
        "About {{ $value | humanize }} lines of the last fifteen minutes were not written, because whoever reads them"
        " is too slow or the disk is full. Calls are not held up by that.",
    )
    if settings.audit is not None:
        yield Alert(
            "TidegateAuditDropped",
            "page",
            f"sum(increase({series('tidegate_audit_dropped_total')}[15m])) > 0",
            "",
            "Audit records are lost",
            "About {{ $value | humanize }} records of the last fifteen minutes were not written, and are gone for good."
            " Look at the disk of audit.file first.",
        )


def _overhead(series: Series) -> Alert:
    times, calls = series("tidegate_overhead_seconds_bucket"), series("tidegate_overhead_seconds_count")
    return Alert(
        "TidegateOverheadHigh",
        "ticket",
        f"histogram_quantile(0.99, sum by (le) (rate({times}[5m]))) > {OVERHEAD_S:g}\n"
        f"and\nsum(increase({calls}[5m])) >= {LEAST_CALLS}",
        "10m",
        "tidegate itself takes long",
        "One call of a hundred spent {{ $value | humanizeDuration }} or longer in tidegate itself, neither waiting nor"
        " with the provider. Mostly it lacks CPU: look at process_cpu_seconds_total and at CPU limits.",
    )
