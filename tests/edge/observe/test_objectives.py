from collections.abc import Mapping
from typing import Any

import pytest

from proxy.core.events import CallEnded, RequestRefused
from proxy.core.outcome import Outcome
from proxy.edge.observe.objectives import ObjectiveMeters, Reading
from proxy.sansio.error_budget import WINDOWS_S
from proxy.sansio.slo import Slo
from tests.support.ended import make_ended

AVAILABILITY: Mapping[str, Any] = {"availability": "99%"}
LATENCY: Mapping[str, Any] = {"latency": {"percentile": 95.0, "under": "300ms"}}
FAILED = make_ended(503, outcome=Outcome.FAILED)


class Clock:
    """Tells the time that a test sets."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def slo(*parts: Mapping[str, Any], **more: Any) -> Slo:
    return Slo.model_validate({key: value for part in (*parts, more) for key, value in part.items()})


def meters(*events: CallEnded, clock: Clock | None = None, **objectives: Slo) -> ObjectiveMeters:
    made = ObjectiveMeters(clock or Clock())
    made.configure(objectives)
    for event in events:
        made.observe(event)
    return made


def read(made: ObjectiveMeters) -> dict[tuple[str, str, str], Reading]:
    return {(one.provider, one.path, one.slo): one for one in made.readings()}


def counted(made: ObjectiveMeters) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Return good ones and events of every objective."""
    return {key: (one.good, one.events) for key, one in read(made).items()}


def test_success_is_good_and_failure_bad() -> None:
    made = meters(make_ended(), make_ended(), FAILED, stripe=slo(AVAILABILITY))
    assert counted(made) == {("stripe", "", "availability"): (2, 3)}


def test_what_the_provider_does_not_owe_counts_apart() -> None:
    made = meters(
        make_ended(404, outcome=Outcome.REFUSED),
        make_ended(429, outcome=Outcome.THROTTLED),
        make_ended(503, source="sidecar", reason="circuit_open", outcome=Outcome.IGNORED),
        make_ended(None, source="sidecar", reason="caller_gone"),
        stripe=slo(AVAILABILITY, LATENCY),
    )
    assert set(counted(made).values()) == {(0, 0)}
    assert made.excluded() == {
        "stripe": {"sidecar": 1, "caller": 1, "throttled": 1, "credential": 0, "quota": 0, "ignored": 1}
    }


def test_a_body_that_the_provider_cut_is_bad_after_a_good_head() -> None:
    made = meters(make_ended(200, error="connection_dropped"), stripe=slo(AVAILABILITY, LATENCY))
    assert counted(made) == {("stripe", "", "availability"): (0, 1), ("stripe", "", "latency"): (0, 0)}


@pytest.mark.parametrize(
    ("record", "good"),
    [
        ({"upstream_s": 0.3}, 1),
        ({"upstream_s": 0.301}, 0),
        ({"upstream_s": 5.2, "body_s": 5.0}, 1),  # a slow reader, or a long stream
        ({"upstream_s": 0.2, "limiter_s": 9.0, "queue_s": 9.0, "backoff_s": 9.0}, 1),  # our own waits
    ],
)
def test_the_latency_is_the_providers_time_until_its_answer_began(record: dict[str, Any], good: int) -> None:
    assert counted(meters(make_ended(**record), stripe=slo(LATENCY))) == {("stripe", "", "latency"): (good, 1)}


def test_only_successes_have_a_latency() -> None:
    assert counted(meters(FAILED, stripe=slo(LATENCY))) == {("stripe", "", "latency"): (0, 0)}


def test_providers_without_objectives_and_other_events_count_nowhere() -> None:
    made = meters(make_ended(provider="twilio"), make_ended(provider="stripe/token"), stripe=slo(AVAILABILITY))
    made.observe(RequestRefused("bad_request", 400))
    assert counted(made) == {("stripe", "", "availability"): (0, 0)}


PATHS = {
    "POST /v1/charges": {"availability": "99.9%"},
    "/v1/charges/{id}": {"availability": "99.5%"},
    "/v1/*": {"latency": {"percentile": 99.0, "under": "1s"}},
}


@pytest.mark.parametrize(
    ("method", "target", "path"),
    [
        ("POST", b"/v1/charges", "POST /v1/charges"),
        ("GET", b"/v1/charges", "/v1/*"),
        ("GET", b"/v1/charges/ch_1?expand[]=x", "/v1/charges/{id}"),
        ("POST", b"/v1/charges?limit=1", "POST /v1/charges"),
        ("GET", b"/v1/charges/ch_1/refunds", "/v1/*"),
        ("GET", b"/v2/charges", None),
        ("BREW", b"/v1/charges", None),
    ],
)
def test_a_call_counts_for_the_provider_and_the_first_path_that_fits(
    method: str, target: bytes, path: str | None
) -> None:
    made = meters(make_ended(method=method, target=target), stripe=slo(AVAILABILITY, paths=PATHS))
    hit = {key[1] for key, (_, events) in counted(made).items() if events}
    assert hit == {"", path} - {None}


def test_a_provider_may_promise_something_of_some_paths_only_in_its_own_way() -> None:
    made = meters(make_ended(method="POST"), stripe=slo(LATENCY, paths=PATHS))
    assert set(counted(made)) == {
        ("stripe", "", "latency"),
        ("stripe", "POST /v1/charges", "availability"),
        ("stripe", "/v1/charges/{id}", "availability"),
        ("stripe", "/v1/*", "latency"),
    }


def test_a_reload_keeps_what_was_counted_where_provider_and_path_stay() -> None:
    made = meters(make_ended(method="POST"), FAILED, stripe=slo(AVAILABILITY, paths=PATHS), twilio=slo(AVAILABILITY))
    made.configure(
        {
            "stripe": slo({"availability": "99.99%"}, LATENCY, window="7d", paths={"POST /v1/charges": LATENCY}),
            "slack": slo(AVAILABILITY),
        }
    )
    assert counted(made) == {
        ("stripe", "", "availability"): (1, 2),
        ("stripe", "", "latency"): (0, 0),
        ("stripe", "POST /v1/charges", "latency"): (0, 0),
        ("slack", "", "availability"): (0, 0),
    }
    reading = read(made)["stripe", "", "availability"]
    assert (reading.objective, reading.window_s) == (0.9999, 7 * 86400)
    assert reading.burn["5m"] == pytest.approx(5000)


def test_a_reload_keeps_what_was_excluded() -> None:
    made = meters(make_ended(404, outcome=Outcome.REFUSED), stripe=slo(AVAILABILITY))
    made.configure({"stripe": slo(LATENCY)})
    assert made.excluded()["stripe"]["caller"] == 1


def test_everything_about_an_objective_is_told() -> None:
    clock = Clock()
    made = meters(*[make_ended(upstream_s=0.2)] * 97, *[make_ended(upstream_s=0.4)] * 3, FAILED, clock=clock,
                  stripe=slo(AVAILABILITY, LATENCY))  # fmt: skip
    clock.now = 160.0
    available, fast = made.told()
    assert available["bad"] == 1
    assert fast == {
        "provider": "stripe", "path": "", "slo": "latency", "objective": 0.95, "under_s": 0.3, "percentile": 95.0,
        "window_s": 30 * 86400.0, "good": 97, "events": 100, "bad": 3, "seen_s": 60.0,
        "budget_remaining": pytest.approx(0.4), "burn": pytest.approx(dict.fromkeys(WINDOWS_S, 0.6)),
    }  # fmt: skip
    assert (available["under_s"], available["percentile"], available["objective"]) == (None, None, 0.99)


def test_without_calls_neither_budget_nor_burn_rates_are_known() -> None:
    (reading,) = meters(stripe=slo(AVAILABILITY)).readings()
    assert reading.budget_remaining is None
    assert set(reading.burn.values()) == {None}


def test_burn_rates_of_short_windows_forget_first() -> None:
    clock = Clock(0.0)
    made = meters(FAILED, clock=clock, stripe=slo(AVAILABILITY))
    clock.now = 2 * 3600.0
    (reading,) = made.readings()
    assert reading.burn == {"5m": None, "30m": None, "1h": None, "6h": pytest.approx(100), "3d": pytest.approx(100)}
    assert reading.budget_remaining == pytest.approx(-99)
