"""Alerts on error budgets that burn too fast: several windows at once, with minimum traffic.

After the SRE workbook, chapter "Alerting on SLOs", table 5-8; `sansio/error_budget.py` has it.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from proxy.core.units import format_duration
from proxy.monitoring.groups import Alert, Group, Recording
from proxy.monitoring.promql import Series, equals, one_of
from proxy.sansio.error_budget import BURNS, WINDOWS_S, Burn
from proxy.sansio.slo import Objectives, Slo, format_percent
from proxy.settings import Settings

EVENTS: Final = 20
"""The least calls in the short window: below them one failure would be a trend."""

_ERRORS: Final = "provider_path_slo:tidegate_slo_errors:ratio_rate"
_EVENTS: Final = "provider_path_slo:tidegate_slo_events:increase"
_BY: Final = "sum by (provider, path, slo)"
_WHAT: Final = "{{ $labels.provider }}{{ with $labels.path }} {{ . }}{{ end }}"
_BAD: Final = {"availability": "failed", "latency": "were answered too late"}
_SLOW: Final = "2m"  # well below the 5m for which Prometheus takes a value for the present one


class Promise(NamedTuple):
    """What is promised of some calls. path: "" for all calls of a provider. ratio: the share that must be good.

    text: the same in words. window_s: over what time.
    """

    path: str
    slo: Literal["availability", "latency"]
    ratio: float
    text: str
    window_s: float


def promises(settings: Settings) -> dict[Promise, list[str]]:
    """Return every promise of the configuration, and of which providers it is made; in alphabetical order."""
    found: dict[Promise, list[str]] = {}
    for provider in sorted(settings.providers):
        slo = settings.slo_of(provider)
        if slo is None:
            continue
        for path, objectives in {"": slo, **slo.paths}.items():
            for promise in _promises(path, objectives, slo.window):
                found.setdefault(promise, []).append(provider)
    return dict(sorted(found.items()))


def _promises(path: str, objectives: Objectives, window_s: float) -> Iterator[Promise]:
    if (ratio := objectives.availability) is not None:
        yield Promise(path, "availability", ratio, format_percent(ratio), window_s)
    if (latency := objectives.latency) is not None:
        text = f"{format_percent(latency.objective)} within {format_duration(latency.under)}"
        yield Promise(path, "latency", latency.objective, text, window_s)


def budget_groups(settings: Settings, series: Series) -> Iterator[Group]:
    """Yield the recordings of the long windows, then those of the short ones with all alerts.

    The long ones come first, so that where groups are evaluated in turn the alerts read what is new.
    """
    promised = promises(settings)
    if not promised:
        return
    where = one_of("provider", {provider for providers in promised.values() for provider in providers})
    alerts = [alert for promise, providers in promised.items() for alert in _alerts(promise, providers, series)]
    yield Group(
        "tidegate-budgets-long",
        "The long windows move slowly and are dear to read, so they are computed less often.",
        (*(_ratio(window, where, series) for window in ("6h", "3d")), _count("6h", where, series)),
        _SLOW,
    )
    short = [_ratio(window, where, series) for window in ("5m", "30m", "1h")]
    short += [_count(window, where, series) for window in ("5m", "30m")]
    yield Group(
        "tidegate-budgets",
        "What share of the calls that a provider owes was bad, and alerts where that goes on for too long. A threshold"
        " is the burn rate times the budget; rules that could never fire are left out.",
        (*short, *alerts),
    )


def _ratio(window: str, where: str, series: Series) -> Recording:
    good, events = (series(f"tidegate_slo_{name}_total", where) for name in ("good", "events"))
    return Recording(_ERRORS + window, f"1 -\n{_BY} (rate({good}[{window}]))\n/\n{_BY} (rate({events}[{window}]))")


def _count(window: str, where: str, series: Series) -> Recording:
    events = series("tidegate_slo_events_total", where)
    return Recording(_EVENTS + window, f"{_BY} (increase({events}[{window}]))")


def pages(slo: Slo) -> bool:
    """Say whether failing calls can spend a provider's budget so fast that it pages."""
    ratio = slo.availability
    return ratio is not None and any(burn.severity == "page" for burn, _ in _burns(ratio, slo.window))


def _burns(ratio: float, window_s: float) -> Iterator[tuple[Burn, float]]:
    """Yield the burns that can be, with their share of bad calls.

    Of the others all calls bad would not be enough, or the window is over before the alert could know.
    """
    for burn in BURNS:
        threshold = burn.factor(window_s) * (1 - ratio)
        if threshold < 1 and WINDOWS_S[burn.long] <= window_s:
            yield burn, threshold


def _alerts(promise: Promise, providers: list[str], series: Series) -> Iterator[Alert]:
    which = (one_of("provider", providers), equals("path", promise.path), equals("slo", promise.slo))
    for burn, threshold in _burns(promise.ratio, promise.window_s):
        conditions = (
            f"{series(_ERRORS + burn.long, *which)} > {threshold:.6g}",
            f"{series(_ERRORS + burn.short, *which)} > {threshold:.6g}",
            f"{series(_EVENTS + burn.short, *which)} >= {EVENTS}",
        )
        yield _alert(promise, burn, burn.factor(promise.window_s), "\nand\n".join(conditions))


def _alert(promise: Promise, burn: Burn, factor: float, expr: str) -> Alert:
    window, late = format_duration(promise.window_s), promise.slo == "latency"
    pace = "faster than" if factor == 1 else f"more than {factor:.6g} times as fast as"
    return Alert(
        f"Tidegate{promise.slo.capitalize()}BudgetBurn",
        burn.severity,
        expr,
        "",
        f"{_WHAT} burns its {promise.slo} budget {pace} {window} allow",
        f"{{{{ $value | humanizePercentage }}}} of the calls of the last {burn.long} {_BAD[promise.slo]}, and it goes"
        f" on; the objective is {promise.text}. Look at the provider's status page, and at which calls it is:"
        f" {'the slow ones in /api/calls' if late else 'tidegate tail --failed'}.",
        {
            "window": burn.long,
            "objective": f"{promise.text} over {window}",
            **({"path": promise.path} if promise.path else {}),
        },
    )
