"""A token endpoint that is ill, slow or says no."""

import asyncio
import json

import pytest

from proxy.core.errors import CircuitOpen, ConnectFailed, TokenUnavailable
from proxy.core.events import TokenFetched
from proxy.core.secret import Secret
from proxy.credentials.tokens import RENEW_WAIT_S
from tests.support.script import Step, after, make_reply
from tests.support.tokens import SECRET, Place, numbered, settled
from tests.support.virtual import START, run


def test_a_failing_endpoint_keeps_the_good_token_in_use_and_is_not_hammered() -> None:
    place = Place(numbered(), ConnectFailed("refused"))

    async def scenario() -> None:
        await place.token()
        await asyncio.sleep(3300)
        for _ in range(2000):
            assert await place.token() == "tok_1"
            await settled()
            await asyncio.sleep(0.1)
        await asyncio.sleep(START + 3596 - asyncio.get_running_loop().time())
        with pytest.raises(TokenUnavailable, match="can't be reached: refused") as caught:
            await place.token()
        assert 0 < (caught.value.retry_after_s or 0) <= 30.0

    run(scenario())
    assert 8 <= place.fetches <= 25
    assert place.events[-1] == TokenFetched("acme", "", "failed", 0.0, "the token endpoint can't be reached: refused")


def test_without_a_token_a_dead_endpoint_is_asked_seldom_and_callers_are_told_when_to_come_back() -> None:
    place = Place(503)

    async def scenario() -> None:
        for _ in range(1000):
            with pytest.raises(TokenUnavailable, match="answered 503") as caught:
                await place.token()
            assert (caught.value.retry_after_s or 0) > 0
            await asyncio.sleep(0.1)

    run(scenario())
    assert 5 <= place.fetches <= 12


@pytest.mark.parametrize(
    ("step", "seconds"),
    [(make_reply(429, {"Retry-After": "70"}), 70.0), (CircuitOpen("open", retry_after_s=40.0), 40.0)],
)
def test_the_wait_that_the_endpoint_asks_for_counts(step: Step, seconds: float) -> None:
    place = Place(step, numbered())

    async def scenario() -> None:
        with pytest.raises(TokenUnavailable) as caught:
            await place.token()
        assert caught.value.retry_after_s == pytest.approx(seconds)
        await asyncio.sleep(seconds - 0.5)
        with pytest.raises(TokenUnavailable):
            await place.token()
        await asyncio.sleep(0.5)
        assert await place.token() == "tok_1"

    run(scenario())


def test_an_endpoint_that_never_answers_is_given_up() -> None:
    place = Place(after(10_000.0, numbered()))

    async def scenario() -> None:
        with pytest.raises(TokenUnavailable, match="within 30 s"):
            await place.token()

    run(scenario())


@pytest.mark.parametrize("step", [503, make_reply(401, body=b'{"error":"invalid_client"}'), after(20.0, 503)])
def test_a_changed_secret_that_brings_no_token_leaves_the_good_one_in_use(step: Step) -> None:
    place = Place(numbered(), step)

    async def scenario() -> None:
        await place.token()
        place.slot.put(Secret("sk_test_other"))
        began_at = asyncio.get_running_loop().time()
        assert [await place.token() for _ in range(3)] == ["tok_1"] * 3
        assert asyncio.get_running_loop().time() - began_at <= RENEW_WAIT_S + 0.001
        await settled()

    run(scenario())
    assert place.fetches == 2


def test_a_changed_secret_ends_the_rest_after_a_refusal() -> None:
    place = Place(make_reply(401, body=b'{"error":"invalid_client"}'), numbered())

    async def scenario() -> None:
        with pytest.raises(TokenUnavailable, match="invalid_client") as caught:
            await place.token()
        assert caught.value.refused
        place.slot.put(Secret("sk_test_other"))
        assert await place.token() == "tok_1"

    run(scenario())


def test_no_part_of_an_answer_or_a_secret_stands_in_an_error() -> None:
    body = json.dumps({"error": f"wrong {SECRET}", "error_description": f"{SECRET} tok_1"}).encode()
    place = Place(make_reply(400, body=body))

    async def scenario() -> str:
        with pytest.raises(TokenUnavailable) as caught:
            await place.token()
        return f"{caught.value} {place.events} {place.source.snapshot()}"

    said = run(scenario())
    assert SECRET not in said
    assert "tok_1" not in said


def test_a_bug_is_told_and_nobody_waits_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    place = Place(ZeroDivisionError("surprise"), numbered())

    async def scenario() -> None:
        with pytest.raises(TokenUnavailable, match="bug"):
            await place.token()
        await asyncio.sleep(2)
        assert await place.token() == "tok_1"

    run(scenario())
    assert "ZeroDivisionError" in caplog.text


def test_an_operator_has_the_endpoint_asked_again_at_once() -> None:
    place = Place(make_reply(401), numbered())

    async def scenario() -> None:
        for _ in range(2):
            with pytest.raises(TokenUnavailable):
                await place.token()
        assert place.fetches == 1
        place.source.resume()
        assert await place.token() == "tok_1"

    run(scenario())
