"""The limits of one attempt."""

import asyncio

import pytest
from pydantic import ValidationError

from proxy.core.call import Call
from proxy.core.errors import DeadlineExceeded
from proxy.policies.timeout import Timeout
from tests.support.script import Script, make_call, make_runtime
from tests.support.virtual import START, run


async def attempt(call: Call, **config: str) -> Script:
    """Send one attempt through; return what the provider saw."""
    provider = Script(200)
    await Timeout(provider, Timeout.Config.model_validate(config), make_runtime())(call)
    return provider


def test_an_attempt_has_the_default_limits() -> None:
    call = make_call()
    run(attempt(call))

    assert (call.connect_s, call.body_idle_s) == (3.5, 30.0)
    assert call.attempt_until - START == pytest.approx(10.0)


def test_an_attempt_has_the_configured_limits() -> None:
    call = make_call()
    run(attempt(call, connect="1s", attempt="60s", body_idle="250ms"))

    assert (call.connect_s, call.body_idle_s) == (1.0, 0.25)
    assert call.attempt_until - START == pytest.approx(60.0)


def test_no_attempt_lasts_beyond_the_deadline() -> None:
    call = make_call()
    call.deadline_at = START + 4.0
    run(attempt(call))

    assert call.attempt_until == START + 4.0


def test_nothing_is_sent_once_the_deadline_has_passed() -> None:
    async def scene() -> None:
        call = make_call()
        call.deadline_at = asyncio.get_running_loop().time()

        with pytest.raises(DeadlineExceeded):
            await attempt(call)
        assert call.record.attempts == 0

    run(scene())


@pytest.mark.parametrize("key", ["connect", "attempt", "body_idle"])
def test_a_limit_of_no_time_at_all_is_a_mistake(key: str) -> None:
    with pytest.raises(ValidationError):
        Timeout.Config.model_validate({key: "0s"})
