"""From objectives to what Prometheus reads about them, at the moment of a scrape."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from proxy.edge.observe.objectives import Reading
from proxy.edge.observe.owed import Why

Excluded = Mapping[str, Mapping[Why, int]]
"""Calls that count for no objective, by provider and by why."""

_FAMILIES: Final[Mapping[str, tuple[str, str]]] = {
    "slo_events": ("counter", "Calls that count for an objective: of a latency, the successful ones."),
    "slo_good": ("counter", "Those that kept it."),
    "slo_objective_ratio": ("gauge", "The share that is promised to be good."),
    "error_budget_remaining_ratio": (
        "gauge",
        "What is left of the window's error budget, as far as this process has seen: 1 untouched, below 0 overspent.",
    ),
    "slo_burn_rate": ("gauge", "How many times as fast as allowed the error budget was spent, as this process saw it."),
    "slo_excluded": ("counter", "Calls that count for no objective, because the provider does not owe them."),
}


class SloFamilies(Collector):
    """Decides the series of objectives; none where there are no objectives."""

    def __init__(self, readings: Callable[[], Iterable[Reading]], excluded: Callable[[], Excluded]) -> None:
        self._readings = readings
        self._excluded = excluded

    def describe(self) -> Iterable[Metric]:
        """Say nothing, so that registering reads nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family, with the values of now."""
        families = {name: Metric(f"tidegate_{name}", text, kind) for name, (kind, text) in _FAMILIES.items()}
        for reading in self._readings():
            labels = {"provider": reading.provider, "slo": reading.slo}
            if reading.path:  # an empty label would be the same series to Prometheus, and longer
                labels["path"] = reading.path
            for name, more, value in _samples(reading):
                _add(families[name], {**labels, **more}, value)
        for provider, counts in self._excluded().items():
            for why, count in counts.items():
                _add(families["slo_excluded"], {"provider": provider, "why": why}, count)
        yield from families.values()


def _samples(reading: Reading) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield family, further labels and value."""
    yield "slo_events", {}, reading.events
    yield "slo_good", {}, reading.good
    yield "slo_objective_ratio", {}, reading.objective
    yield "error_budget_remaining_ratio", {}, 1.0 if reading.budget_remaining is None else reading.budget_remaining
    for window, rate in reading.burn.items():
        if rate is not None:  # of no calls there is no rate, and 0 would say that all is well
            yield "slo_burn_rate", {"window": window}, rate


def _add(family: Metric, labels: dict[str, str], value: float) -> None:
    family.add_sample(family.name + ("_total" if family.type == "counter" else ""), labels, value)
