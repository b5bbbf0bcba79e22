from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from proxy.core.outcome import Outcome
from proxy.edge.observe.objectives import ObjectiveMeters
from proxy.edge.observe.slo_families import SloFamilies
from proxy.sansio.slo import Slo
from tests.support.ended import make_ended

FAILED = make_ended(503, outcome=Outcome.FAILED)
REFUSED = make_ended(404, outcome=Outcome.REFUSED)


def registry_of(*events: Any, **objectives: Any) -> CollectorRegistry:
    meters = ObjectiveMeters(lambda: 100.5)
    meters.configure({name: Slo.model_validate(slo) for name, slo in objectives.items()})
    for event in events:
        meters.observe(event)
    registry = CollectorRegistry()
    registry.register(SloFamilies(meters.readings, meters.excluded))
    return registry


def test_an_objective_is_told_with_all_its_series() -> None:
    registry = registry_of(*[make_ended()] * 3, FAILED, REFUSED, stripe={"availability": "50%"})
    here = {"provider": "stripe", "slo": "availability"}
    assert {
        name: registry.get_sample_value(f"tidegate_{name}", here)
        for name in ("slo_events_total", "slo_good_total", "slo_objective_ratio", "error_budget_remaining_ratio")
    } == {
        "slo_events_total": 4,
        "slo_good_total": 3,
        "slo_objective_ratio": 0.5,
        "error_budget_remaining_ratio": 0.5,
    }
    rates = {window: registry.get_sample_value("tidegate_slo_burn_rate", {**here, "window": window})
             for window in ("5m", "30m", "1h", "6h", "3d")}  # fmt: skip
    assert set(rates.values()) == {0.5}
    excluded = {"provider": "stripe", "why": "caller"}
    assert registry.get_sample_value("tidegate_slo_excluded_total", excluded) == 1


def test_a_path_is_a_label_only_where_it_is_the_objectives() -> None:
    paths = {"/v1/charges": {"latency": {"percentile": 95.0, "under": "300ms"}}}
    registry = registry_of(make_ended(), stripe={"availability": "99%", "paths": paths})
    path = {"provider": "stripe", "path": "/v1/charges", "slo": "latency"}
    assert registry.get_sample_value("tidegate_slo_good_total", path) == 1
    assert registry.get_sample_value("tidegate_slo_good_total", {"provider": "stripe", "slo": "availability"}) == 1


def test_before_the_first_call_the_budget_is_untouched_and_no_rate_is_told() -> None:
    registry = registry_of(stripe={"availability": "99%"})
    here = {"provider": "stripe", "slo": "availability"}
    assert registry.get_sample_value("tidegate_error_budget_remaining_ratio", here) == 1
    assert registry.get_sample_value("tidegate_slo_events_total", here) == 0
    assert b"tidegate_slo_burn_rate{" not in generate_latest(registry)


def test_who_promises_nothing_has_no_series() -> None:
    assert not [line for line in generate_latest(registry_of(FAILED)).splitlines() if not line.startswith(b"#")]
