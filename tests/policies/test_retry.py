"""Retry on the virtual loop: what is sent, when, and what the caller gets."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from proxy.core.errors import CircuitOpen, ConnectFailed, ConnectionDropped
from proxy.core.events import RetryDenied, RetryScheduled
from proxy.policies.retry import Retry
from tests.support.play import Play
from tests.support.script import Script, Step, make_call, make_reply, make_runtime
from tests.support.virtual import START, run


def test_a_success_is_passed_on_without_a_word() -> None:
    play = Play(200)

    assert (play.status, len(play.script.sends), play.events) == (200, 1, [])


def test_a_failure_is_tried_again_after_a_growing_wait() -> None:
    play = Play(503, ConnectionDropped, 200)

    assert play.status == 200
    assert play.script.gaps == [0.025, 0.05]
    assert play.events == [RetryScheduled("acme", "503", 2, 0.025), RetryScheduled("acme", "dropped", 3, 0.05)]


def test_time_spent_waiting_is_recorded() -> None:
    play = Play(429, 200)

    assert play.script.gaps == [0.5]
    assert play.call.record.backoff_s == pytest.approx(0.5)


def test_the_last_attempts_reply_goes_through_unchanged() -> None:
    last = make_reply(502, body=b"the provider's own words")
    play = Play(500, 503, last)

    assert play.reply is last
    assert len(play.script.sends) == 3


def test_the_last_attempts_error_goes_through_unchanged() -> None:
    last = ConnectFailed("refused")
    play = Play(500, 503, last)

    assert play.error is last
    assert len(play.script.sends) == 3


def test_the_number_of_attempts_is_configured() -> None:
    assert len(Play(500, attempts=5).script.sends) == 5
    assert len(Play(500, attempts=1).script.sends) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 404, 409, 422, 501])
def test_what_another_attempt_would_not_change_is_passed_on(status: int) -> None:
    play = Play(status)

    assert (play.status, len(play.script.sends), play.events) == (status, 1, [])


@pytest.mark.parametrize("step", [429, 503, ConnectionDropped])
def test_a_post_without_a_key_is_sent_once(step: Step) -> None:
    assert len(Play(step, 200, call=make_call("POST")).script.sends) == 1


def test_a_post_that_never_left_is_sent_again() -> None:
    assert Play(ConnectFailed, 200, call=make_call("POST")).status == 200


def test_retry_after_is_waited_for() -> None:
    play = Play(make_reply(429, {"Retry-After": "10"}), 200)

    assert play.status == 200
    assert play.script.gaps == [10.5]


def test_a_wait_that_is_too_long_gives_the_providers_own_reply_at_once() -> None:
    throttled = make_reply(429, {"Retry-After": "120"})
    play = Play(throttled, 200)

    assert play.reply is throttled
    assert play.events == [RetryDenied("acme", "wait_too_long")]
    assert play.call.record.backoff_s == 0


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    call = make_call()
    call.deadline_at = START + 5
    play = Play(make_reply(503, {"Retry-After": "10"}), 200, call=call)

    assert (play.status, len(play.script.sends)) == (503, 1)
    assert play.events == [RetryDenied("acme", "wait_too_long")]


def test_an_empty_budget_gives_the_providers_own_reply() -> None:
    play = Play(503, 500, 200, budget={"capacity": 20, "per_second": 0})

    assert (play.status, len(play.script.sends)) == (500, 2)
    assert play.events[-1] == RetryDenied("acme", "budget")
    assert play.policy.snapshot(START) == {"budget_tokens": 6}


def test_a_success_after_retries_refunds_all_of_them() -> None:
    play = Play(503, 429, 200, budget={"capacity": 20, "per_second": 0})

    assert play.status == 200
    assert play.policy.snapshot(START) == {"budget_tokens": 20}


def test_calls_share_one_budget_and_a_first_try_success_fills_it() -> None:
    script = Script(503, 503, 200, 503, 503)
    policy = Retry(script, Retry.Config(attempts=2, budget={"capacity": 28, "per_second": 0}), make_runtime())

    async def calls() -> list[object]:
        left: list[object] = []
        for _ in range(3):
            await policy(make_call())
            left.append(policy.snapshot(START)["budget_tokens"])
        return left

    assert run(calls()) == [14, 15, 1]


@pytest.mark.parametrize("off", ["off", False])
def test_the_budget_can_be_turned_off(off: object) -> None:
    play = Play(503, budget=off)

    assert len(play.script.sends) == 3
    assert play.policy.snapshot(START) == {}
    assert Play(503, 200, budget=off).status == 200


def test_an_empty_budget_section_is_an_error_not_off() -> None:
    with pytest.raises(ValidationError, match="write `off`"):
        Retry.Config.model_validate({"budget": None})


def test_a_cancelled_call_stops_waiting_and_sends_nothing_more() -> None:
    script = Script(make_reply(503, {"Retry-After": "30"}), 200)
    policy = Retry(script, Retry.Config(), make_runtime())

    async def leave() -> None:
        task = asyncio.ensure_future(policy(make_call()))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(60)

    run(leave())
    assert len(script.sends) == 1


def test_without_a_hint_the_pause_that_was_set_is_waited_for() -> None:
    throttled = make_reply(429)
    throttled.pause_s = 5.0

    assert Play(throttled, 200).script.gaps == [5.25]


def test_a_pause_that_nobody_can_wait_for_stops_at_once_and_costs_nothing() -> None:
    throttled = make_reply(429)
    throttled.pause_s = 61.0
    play = Play(throttled, 200, budget={"capacity": 20, "per_second": 0})

    assert play.reply is throttled
    assert play.events == [RetryDenied("acme", "wait_too_long")]
    assert play.policy.snapshot(START) == {"budget_tokens": 20}


@pytest.mark.parametrize("key", ["base", "throttled_base", "cap", "max_wait"])
def test_a_wait_of_no_time_at_all_is_a_mistake(key: str) -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        Retry.Config.model_validate({key: "0s"})


@pytest.mark.parametrize(("capacity", "left"), [(20, 6), (30, 30)])
def test_a_reload_keeps_what_is_left_of_the_same_budget(capacity: int, left: int) -> None:
    old = Play(503, 500, budget={"capacity": 20, "per_second": 0}).policy
    budget = {"capacity": capacity, "per_second": 0}
    script = Script(503)
    new = Retry(script, Retry.Config.model_validate({"attempts": 5, "budget": budget}), make_runtime())
    new.adopt(old)

    assert new.snapshot(START) == {"budget_tokens": left}
    run(new(make_call()))
    assert len(script.sends) == 1 + left // 14


@pytest.mark.parametrize(
    ("steps", "method", "config", "spent"),
    [
        ([503], "GET", {}, True),
        ([ConnectionDropped], "GET", {}, True),
        ([503], "GET", {"attempts": 1}, False),
        ([make_reply(429, {"Retry-After": "120"})], "GET", {}, True),
        ([503, 500], "GET", {"budget": {"capacity": 20, "per_second": 0}}, True),
        ([503, CircuitOpen], "GET", {}, True),
        ([503, 200], "GET", {}, False),
        ([200], "GET", {}, False),
        ([404], "GET", {}, False),
        ([503], "POST", {}, False),
    ],
)
def test_the_caller_is_to_know_when_another_attempt_would_help_and_is_not_made(
    steps: list[Step], method: str, config: dict[str, Any], spent: bool
) -> None:
    assert Play(*steps, call=make_call(method), **config).call.retries_spent is spent
