"""The deadline of the whole call."""

import asyncio

import pytest
from pydantic import ValidationError

from proxy.core.call import Call
from proxy.policies.deadline import Deadline
from tests.support.script import Script, make_call, make_runtime
from tests.support.virtual import START, run


async def deadline_of(call: Call, held_up_s: float = 0.0, **config: str) -> float:
    """Send a call through, late by `held_up_s`; return the deadline in seconds from when the call came."""
    await asyncio.sleep(held_up_s)
    provider = Script(200)
    reply = await Deadline(provider, Deadline.Config.model_validate(config), make_runtime())(call)
    assert reply.status == 200
    return provider.sends[0][1].deadline_at - START


def test_a_call_must_be_over_after_thirty_seconds_unless_configured_otherwise() -> None:
    assert run(deadline_of(make_call())) == pytest.approx(30.0)
    assert run(deadline_of(make_call(), total="5m")) == pytest.approx(300.0)


def test_the_time_that_the_listener_took_to_receive_the_call_counts() -> None:
    assert run(deadline_of(make_call(), held_up_s=10.0)) == pytest.approx(30.0)


def test_the_caller_can_shorten_the_deadline() -> None:
    call = make_call()
    call.deadline_at = START + 1.5

    assert run(deadline_of(call)) == pytest.approx(1.5)


def test_the_caller_can_not_lengthen_the_deadline() -> None:
    call = make_call()
    call.deadline_at = START + 3600.0

    assert run(deadline_of(call)) == pytest.approx(30.0)


def test_a_deadline_of_no_time_at_all_is_a_mistake() -> None:
    with pytest.raises(ValidationError):
        Deadline.Config.model_validate({"total": "0s"})
