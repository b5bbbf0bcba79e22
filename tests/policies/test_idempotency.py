"""One key per logical call, the same on all attempts, where the provider takes one and the caller sent none."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from proxy.core.call import Call, WholeBody, field_values
from proxy.core.profile import Idempotency as Place
from proxy.core.profile import Profile
from proxy.policies.idempotency import Idempotency
from proxy.policies.retry import Retry
from tests.support.script import Script, make_call, make_runtime
from tests.support.virtual import run

STRIPE = Profile(idempotency=Place(mint=True))
SQUARE = Profile(idempotency=Place(header=None, field="idempotency_key", mint=True))
FIRST, SECOND = (str(UUID(int=number)) for number in (1, 2))


def counted() -> Iterator[UUID]:
    return (UUID(int=number) for number in range(1, 100))


def send(*calls: Call, profile: Profile = STRIPE, statuses: tuple[int, ...] = (200,)) -> list[Call]:
    """Send the calls through the policy and a retry; return what the provider was sent."""
    provider = Script(*statuses)

    async def scenario() -> None:
        runtime = make_runtime(profile=profile)
        keys = counted()
        policy = Idempotency(
            Retry(provider, Retry.Config(), runtime), Idempotency.Config(), runtime, lambda: next(keys)
        )
        for call in calls:
            await policy(call)

    run(scenario())
    return [sent for _, sent in provider.sends]


def keys_of(calls: list[Call]) -> list[list[bytes]]:
    return [list(field_values(call.headers, b"idempotency-key")) for call in calls]


def test_a_call_without_a_key_gets_one_and_the_call_tells_it() -> None:
    call = make_call("POST")
    assert keys_of(send(call)) == [[FIRST.encode()]]
    assert call.minted_key == FIRST


def test_all_attempts_carry_the_same_key_and_may_be_made_because_of_it() -> None:
    assert keys_of(send(make_call("POST"), statuses=(503, 503, 200))) == [[FIRST.encode()]] * 3


def test_every_logical_call_has_a_key_of_its_own() -> None:
    assert keys_of(send(make_call("POST"), make_call("POST"))) == [[FIRST.encode()], [SECOND.encode()]]


def test_the_callers_own_key_stays_and_is_not_told() -> None:
    call = make_call("POST", headers={"idempotency-KEY": "mine"})
    assert keys_of(send(call)) == [[b"mine"]]
    assert call.minted_key == ""


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_call_that_takes_no_key_gets_none(method: str) -> None:
    call = make_call(method)
    assert keys_of(send(call)) == [[]]
    assert call.minted_key == ""


def test_a_key_goes_into_the_body_where_the_provider_looks_there() -> None:
    call = make_call("POST", headers={"Content-Length": "2"}, body=WholeBody(b"{}"))
    sent = send(call, profile=SQUARE, statuses=(503, 200))
    assert [one.body.whole for one in sent] == [f'{{"idempotency_key":"{FIRST}"}}'.encode()] * 2
    assert call.minted_key == FIRST


def test_a_body_that_takes_no_key_is_sent_as_it_is_and_once() -> None:
    call = make_call("POST", body=WholeBody(b"a=1"))
    sent = send(call, profile=SQUARE, statuses=(503, 200))
    assert [one.body.whole for one in sent] == [b"a=1"]
    assert call.minted_key == ""


def test_the_layer_is_needed_only_where_the_provider_takes_minted_keys() -> None:
    on, off = Idempotency.Config(), Idempotency.Config(mint=False)
    assert [Idempotency.needed(on, STRIPE), Idempotency.needed(off, STRIPE), Idempotency.needed(on, Profile())] == [
        True, False, False,
    ]  # fmt: skip


def test_keys_are_random_unless_a_test_wants_them_otherwise() -> None:
    calls = [make_call("POST"), make_call("POST")]

    async def scenario() -> None:
        for call in calls:
            await Idempotency(Script(200), Idempotency.Config(), make_runtime(profile=STRIPE))(call)

    run(scenario())
    assert [UUID(call.minted_key).version for call in calls] == [4, 4]
    assert calls[0].minted_key != calls[1].minted_key
