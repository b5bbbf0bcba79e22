"""The row about objectives: how much of each error budget is left, and how fast it goes."""

from typing import Final

from proxy.core.units import format_duration
from proxy.monitoring.panels import Bars, Graph, Panel, Query, Row, Steps
from proxy.monitoring.promql import one_of
from proxy.monitoring.queries import highest, rate, series
from proxy.settings import Settings

_BY: Final = "provider, path, slo"
_NAME: Final = "{{provider}} {{path}} {{slo}}"
_LEFT: Final[Steps] = ((None, "red"), (0.0001, "orange"), (0.25, "yellow"), (0.5, "green"))
_BURNING: Final[Steps] = ((None, "green"), (1, "yellow"), (6, "orange"), (14.4, "red"))


def budgets(settings: Settings) -> tuple[Row, ...]:
    """Return the row; none where no provider has an objective."""
    windows: dict[str, set[str]] = {}
    for name in settings.providers:
        if (slo := settings.slo_of(name)) is not None:
            windows.setdefault(format_duration(round(slo.window)), set()).add(name)  # PromQL knows no fractions
    return (Row("Error budgets", (_left(windows), *_burning(), *_events())),) if windows else ()


def _left(windows: dict[str, set[str]]) -> Panel:
    return Bars(
        title="Error budget left",
        text="What the objective still allows over its window, of all sidecars and as far back as Prometheus remembers."
        " 100 %: untouched; below 0: overspent.",
        queries=tuple(
            Query(f"sort(1 - {_burn_rate(window, one_of('provider', names))})", _NAME)
            for window, names in windows.items()
        ),
        unit="percentunit",
        least=0,
        most=1,
        decimals=1,
        steps=_LEFT,
        height=9,
        runbook="availability-budget-burn",
    )


def _burning() -> tuple[Panel, ...]:
    told = {
        "fast": ("5m", "1h", "Both at 14.4 spend 2 % of a 30-day budget in an hour, and page."),
        "slow": ("6h", "3d", "1 spends the budget just within its window; both above it make a ticket."),
    }
    return tuple(
        Graph(
            title=f"Burn rate, {speed} ({short} and {long})",
            text=f"How many times faster than allowed the budget goes. Dashed: 1, 6 and 14.4. {text}",
            queries=tuple(Query(_burn_rate(window), f"{_NAME} {window}") for window in (short, long)),
            decimals=1,
            steps=_BURNING,
            height=9,
            runbook="availability-budget-burn",
        )
        for speed, (short, long, text) in told.items()
    )


def _burn_rate(window: str, *matchers: str) -> str:
    events, good = (rate(series(f"slo_{name}_total", *matchers), _BY, window) for name in ("events", "good"))
    allowed = f"1 - {highest(series('slo_objective_ratio', *matchers), _BY)}"
    return f"(1 - {good} / ({events} > 0)) / ({allowed})"


def _events() -> tuple[Panel, ...]:
    events, good = (rate(series(f"slo_{name}_total"), _BY) for name in ("events", "good"))
    excluded = rate(series("slo_excluded_total"), "provider, why")
    return (
        Graph(
            title="Share of bad calls, by objective",
            text="Calls that broke their objective, of those that count for it: as the provider's profile judges.",
            queries=(Query(f"1 - {good} / ({events} > 0)", _NAME),),
            unit="percentunit",
            most=1,
            width=12,
        ),
        Graph(
            title="Calls that count for no objective",
            text="sidecar: tidegate refused; caller: the provider refused as the caller's mistake; throttled, quota and"
            " credential: by the provider's verdict; ignored: the caller left.",
            queries=(Query(f"{excluded} > 0", "{{provider}} {{why}}"),),
            unit="reqps",
            width=12,
        ),
    )
