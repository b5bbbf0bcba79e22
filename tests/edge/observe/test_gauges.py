from typing import Any

from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from proxy.edge.observe.gauges import gauges

STATE: dict[str, Any] = {
    "breaker": {"state": "half_open"},
    "rate_limit": {"limits": [{"limit": "100/1s", "tokens": 2.5}], "waiting": 4, "paused_s": 2.5},
    "bulkhead": {"in_flight": 5, "queued": 6},
    "retry": {"budget_tokens": 499.5},
    "credential": {"scheme": "bearer", "secrets": [], "expires_ts": 1.79e9},
    "upstream": {"certificate_expires_ts": 1.8e9},
}


def samples(**providers: Any) -> dict[tuple[str, ...], float]:
    """Return the values by name and label values."""
    found: list[Metric] = list(gauges(providers))
    every: list[Sample] = [sample for family in found for sample in family.samples]
    values = {
        (one.name.removeprefix("tidegate_"), *(f"{key}={one.labels[key]}" for key in sorted(one.labels))): one.value
        for one in every
    }
    assert len(values) == len(every), "one series stands twice"
    return values


def test_gauges_show_the_policies_state() -> None:
    assert samples(stripe=STATE) == {
        ("breaker_state", "provider=stripe", "state=half_open"): 1,
        ("breaker_state", "provider=stripe", "state=open"): 0,
        ("breaker_state", "provider=stripe", "state=closed"): 0,
        ("limiter_tokens", "limit=100/1s", "provider=stripe"): 2.5,
        ("in_flight", "provider=stripe"): 5,
        ("pause_remaining_seconds", "provider=stripe"): 2.5,
        ("queue_depth", "provider=stripe"): 10,
        ("retry_budget_tokens", "provider=stripe"): 499.5,
        ("credential_expiry_timestamp_seconds", "provider=stripe"): 1.79e9,
        ("certificate_expiry_timestamp_seconds", "provider=stripe"): 1.8e9,
    }


def test_two_live_secrets_tell_when_each_was_last_sent_and_whether_it_is_left_alone() -> None:
    live = [
        {"secret": "new", "refusals": 5, "held_s": 12.5, "last_used_ts": 1.7e9},
        {"secret": "old", "refusals": 0, "held_s": 0.0, "last_used_ts": 1.8e9},
    ]
    assert samples(stripe={"credential": {"live": live}}) == {
        ("credential_last_used_timestamp_seconds", "provider=stripe", "secret=new"): 1.7e9,
        ("credential_last_used_timestamp_seconds", "provider=stripe", "secret=old"): 1.8e9,
        ("credential_held", "provider=stripe", "secret=new"): 1,
        ("credential_held", "provider=stripe", "secret=old"): 0,
    }


def test_a_single_secret_has_no_last_use() -> None:
    live = [{"secret": "only", "refusals": 0, "held_s": 0.0}]
    assert list(samples(stripe={"credential": {"live": live}})) == [
        ("credential_held", "provider=stripe", "secret=only")
    ]


def test_a_secret_or_certificate_that_cannot_be_read_is_told() -> None:
    well, ill = {"ref": "file:/a", "problem": ""}, {"ref": "file:/b", "problem": "no such file"}
    assert samples(
        well={"credential": {"secrets": [well]}},
        ill={"credential": {"secrets": [well, ill]}},
        certificate={"upstream": {"tls_problem": "no such file"}},
        plain={"credential": {"secrets": []}, "upstream": {}},
    ) == {
        ("credential_unreadable", "provider=well"): 0,
        ("credential_unreadable", "provider=ill"): 1,
        ("credential_unreadable", "provider=certificate"): 1,
    }


def test_accounts_and_token_endpoints_have_series_of_their_own() -> None:
    budget = {"retry": {"budget_tokens": 1.0}}
    endpoint = {"token": {"retry": {"budget_tokens": 2.0}}}
    assert samples(paypal={**budget, "endpoint": endpoint, "accounts": {"eu": {**budget, "endpoint": endpoint}}}) == {
        ("retry_budget_tokens", "provider=paypal"): 1,
        ("retry_budget_tokens", "provider=paypal/token"): 2,
        ("retry_budget_tokens", "account=eu", "provider=paypal"): 1,
        ("retry_budget_tokens", "account=eu", "provider=paypal/token"): 2,
    }


def test_what_is_off_or_has_nothing_to_tell_has_no_series() -> None:
    assert samples(stripe={"retry": {}}) == {}


def test_an_override_is_told_while_it_is_on_and_by_account() -> None:
    held = {"breaker": {"state": "open", "forced": "open", "mode": "report", "override": "report"}}
    free = {"breaker": {"state": "closed", "mode": "enforce"}, "bulkhead": {"mode": "enforce", "override": "enforce"}}
    told = samples(stripe={**held, "accounts": {"eu": free}})
    assert {key[1:]: value for key, value in told.items() if key[0] == "operator_override"} == {
        ("provider=stripe", "section=breaker", "state=open"): 1,
        ("provider=stripe", "section=breaker", "state=report"): 1,
        ("account=eu", "provider=stripe", "section=bulkhead", "state=enforce"): 1,
    }
