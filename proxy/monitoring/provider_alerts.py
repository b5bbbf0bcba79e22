"""Alerts about each provider, whether or not it has objectives: errors, breaker, pauses, limits, overrides."""

from collections.abc import Iterator
from typing import Final

from proxy.core.units import format_duration
from proxy.monitoring.credential_alerts import CredentialAlerts
from proxy.monitoring.groups import Alert, Group, Recording, Severity
from proxy.monitoring.promql import GOOD, OWED, Series
from proxy.monitoring.watched import LEG, PROVIDER, Watched
from proxy.settings import Settings

ERROR_RATE: Final = 0.05
LEAST_CALLS: Final = 20
"""In five minutes; below them one failure would be a rate."""

REFUSED: Final[tuple[tuple[Severity, float], ...]] = (("ticket", 0.01), ("page", 0.10))
"""Shares of calls that our own limits refuse: some of them want a look, many of them are an outage."""

_CALLS: Final = "provider:tidegate_requests:increase5m"
_OWED: Final = "provider:tidegate_requests_owed:increase5m"
_FAILED: Final = "provider:tidegate_requests_failed_per_owed:ratio_rate5m"


def provider_group(settings: Settings, series: Series) -> Group:
    """Return what is recorded of all providers, and the alerts that can fire for these."""
    alerts = ProviderAlerts(Watched(settings), series)
    return Group(
        "tidegate-providers",
        "The providers, summed up over all replicas. What a provider owes are its answers but for 4xx, 501 and 505,"
        " failures of the network, and calls whose deadline passed; what tidegate itself refused is none of it.",
        (*alerts.recordings(), *alerts.told()) if settings.providers else (),
    )


class ProviderAlerts:
    """Writes the alerts; one that no provider can raise is left out."""

    def __init__(self, watched: Watched, series: Series) -> None:
        self._watched = watched
        self._series = series

    def recordings(self) -> Iterator[Recording]:
        """Yield what several alerts read."""
        every, series = self._watched.every(), self._series
        owed, good = (series("tidegate_requests_total", every, *which) for which in (OWED, GOOD))
        yield Recording(_CALLS, _increase(series("tidegate_requests_total", every)))
        yield Recording(_OWED, _increase(owed))
        total = series(_OWED, every)
        # `or`: before the first good call there is no series of them.
        yield Recording(_FAILED, f"1 -\n(\n  {_increase(good)}\n  or\n  0 * {total}\n)\n/\n{total}")

    def told(self) -> Iterator[Alert]:
        """Yield the alerts, in the order in which a call meets their causes from the outside."""
        yield from self._errors()
        yield from self._refused("BulkheadFull", "bulkhead_full", self._watched.having("bulkhead"), _CROWD)
        yield from self._retries()
        yield from self._breaker()
        yield from self._refused(
            "LimiterSaturated", "rate_limited", self._watched.having("rate_limit", "limits"), _RATE
        )
        yield from self._waits()
        yield from self._pauses()
        yield from CredentialAlerts(self._watched, self._series).told()
        yield from self._overrides()

    def _errors(self) -> Iterator[Alert]:
        # Where an error budget pages, weighing how long it goes on, this one only keeps the breach on record.
        ranks: tuple[tuple[Severity, str], ...] = (
            ("page", self._watched.unbudgeted()),
            ("ticket", self._watched.budgeted()),
        )
        for severity, which in ranks:
            if which:
                yield Alert(
                    "TidegateErrorRateHigh",
                    severity,
                    f"{self._series(_FAILED, which)} > {ERROR_RATE:g}\nand\n{self._enough(_OWED, which)}",
                    "2m",
                    f"{PROVIDER} fails more than 5 % of its calls",
                    "{{ $value | humanizePercentage }} of the calls of the last five minutes failed, after all retries;"
                    " calls that tidegate refused by itself are not counted. Look at the provider's status page, and at"
                    " which reasons and codes they are: tidegate tail --failed.",
                )

    def _refused(self, name: str, reason: str, which: str, advice: str) -> Iterator[Alert]:
        if not which:
            return
        refused = _increase(self._series("tidegate_requests_total", which, f'reason="{reason}"'))
        for severity, share in REFUSED:
            yield Alert(
                f"Tidegate{name}",
                severity,
                f"{refused}\n/\n{self._series(_CALLS, which)} > {share:g}\nand\n{self._enough(_CALLS, which)}",
                "5m",
                f"tidegate refuses more than {share:.0%} of the calls to {PROVIDER} ({reason})",
                f"{{{{ $value | humanizePercentage }}}} of the calls of the last five minutes were refused. {advice}",
                {"sign": "refused"},
            )

    def _retries(self) -> Iterator[Alert]:
        if which := self._watched.having("retry", "budget", endpoints=True):
            denied = _increase(self._series("tidegate_retries_denied_total", which, 'why="budget"'))
            yield Alert(
                "TidegateRetryBudgetEmpty",
                "ticket",
                f"{denied} > 0",
                "5m",
                f"The retry budget of {PROVIDER} is empty",
                "About {{ $value | humanize }} attempts that might have helped were not made in the last five minutes,"
                " because so many had failed before. The provider fails for long: find out why. The budget fills again"
                " by itself.",
            )

    def _breaker(self) -> Iterator[Alert]:
        if which := self._watched.having("breaker", endpoints=True):
            closed = self._series("tidegate_breaker_state", which, 'state="closed"')
            refused = _increase(self._series("tidegate_requests_total", which, 'reason="circuit_open"'))
            # A breaker stays open while nobody calls, and that hurts nobody.
            expr = f"count by (provider, account) ({closed} == 0)\nand on (provider)\n{refused} > 0"
            if self._watched.has_actions:
                forced = self._series("tidegate_operator_override", which, 'section="breaker"', 'state="open"')
                expr += f"\nunless on (provider, account)\n{forced} == 1"
            yield Alert(
                "TidegateBreakerOpen",
                "page",
                expr,
                "1m",
                f"The breaker of {LEG} is open",
                "On {{ $value }} of the replicas it has not been closed for a minute, and calls are refused with"
                " circuit_open. It opened because the provider failed: look at its status page, and at the"
                " failures before it opened (/api/changes, /api/calls). It probes by itself, and closes when the"
                " provider answers again.",
            )

    def _waits(self) -> Iterator[Alert]:
        for longest_s, which in self._watched.patience().items():
            waits = self._series("tidegate_limiter_wait_seconds_bucket", which)
            longest = format_duration(longest_s)
            quantile = f"histogram_quantile(0.95, sum by (provider, le) (rate({waits}[5m])))"
            yield Alert(
                "TidegateLimiterSaturated",
                "ticket",
                f"{quantile} > {longest_s / 2:.6g}\nand\n{self._enough(_CALLS, which)}",
                "5m",
                f"Calls to {PROVIDER} wait long for its rate limit",
                "One call of twenty waited {{ $value | humanizeDuration }} or longer in the last five minutes; one that"
                f" would wait longer than {longest} is refused. {_RATE}",
                {"sign": "waits", "max_wait": longest},
            )

    def _pauses(self) -> Iterator[Alert]:
        if which := self._watched.having("rate_limit"):
            yield Alert(
                "TidegateProviderPaused",
                "page",
                f"max by (provider, account) ({self._series('tidegate_pause_remaining_seconds', which)}) > 0",
                "1m",
                f"{LEG} has been paused for more than a minute",
                "Calls are held back for another {{ $value | humanizeDuration }}, and what can't wait is refused: the"
                " provider said that there are too many calls, or that a quota is used up. /api/providers tells which"
                " (held). Then call less, or have the provider allow more.",
            )

    def _overrides(self) -> Iterator[Alert]:
        if self._watched.has_actions:
            override = self._series("tidegate_operator_override", self._watched.every())
            yield Alert(
                "TidegateOperatorOverride",
                "ticket",
                f"count by (provider, account, section, state) ({override} == 1)",
                "1h",
                f"An operator's override of {LEG} has been on for an hour",
                "{{ $labels.section }} is forced to {{ $labels.state }} on {{ $value }} of the replicas. If nobody is"
                " at work on it, take it back with the action {{ $labels.section }}.auto. The log tells who did it.",
            )

    def _enough(self, counted: str, which: str) -> str:
        return f"{self._series(counted, which)} >= {LEAST_CALLS}"


_CROWD: Final = (
    "Too many calls are in flight at once, mostly because the provider is slow: look at its latency first. If that is"
    " as ever, raise bulkhead.in_flight, or call less."
)
_RATE: Final = (
    "The service calls more often than rate_limit.limits allow: find out who calls so much, spread the calls, or raise"
    " the limit if the provider allows more."
)


def _increase(selector: str) -> str:
    return f"sum by (provider) (increase({selector}[5m]))"
