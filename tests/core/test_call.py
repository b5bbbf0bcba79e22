"""A call goes in, a reply comes out: what they carry, what a copy shares, and how time is accounted for."""

from collections.abc import AsyncIterator, Awaitable

import pytest

from proxy.core.call import (
    IDEMPOTENT,
    METHODS,
    NO_BODY,
    Body,
    Call,
    Handler,
    Policy,
    Reply,
    WholeBody,
    field_value,
    field_values,
)
from proxy.core.outcome import Outcome
from proxy.core.record import Record
from proxy.core.units import Frozen
from tests.support.script import ScriptedStream
from tests.support.virtual import run

FIELDS = [(b"Accept", b"a"), (b"X-Empty", b""), (b"accept", b"b"), (b"ACCEPT", b"a")]
CARRIED = {
    "account", "body", "deadline_at", "headers", "method", "on_continue", "provider", "record", "request_id", "retry",
    "target",
}  # fmt: skip
OF_THE_WHOLE_CALL = {"base", "minted_key", "renewed", "retries_spent", "trace"}
OF_ONE_ATTEMPT = {"attempt_until", "body_idle_s", "connect_s"}


def make(body: Body = NO_BODY) -> Call:
    return Call("stripe", "POST", b"/v1/charges?a=%2F", [(b"Host", b"x")], body, Record(10.0))


async def collect(body: Body) -> bytes:
    return b"".join([piece async for piece in body.chunks()])


def test_a_field_is_found_in_any_case_with_its_values_in_order() -> None:
    assert list(field_values(FIELDS, b"accept")) == [b"a", b"b", b"a"]
    assert field_value(FIELDS, b"accept") == b"a"


def test_an_empty_field_is_not_an_absent_one() -> None:
    assert field_value(FIELDS, b"x-empty") == b""
    assert field_value(FIELDS, b"x-absent") is None
    assert list(field_values(FIELDS, b"x-absent")) == []


def test_a_whole_body_is_given_again_from_its_first_byte() -> None:
    body = WholeBody(b"a=1")
    assert [run(collect(body)) for _ in range(3)] == [b"a=1"] * 3
    assert body.can_replay()


def test_a_whole_body_begins_anew_for_each_reader_even_before_the_other_has_ended() -> None:
    async def both() -> tuple[bytes, bytes, list[bytes]]:
        body = WholeBody(b"a=1")
        first = body.chunks()
        return await anext(first), await collect(body), [piece async for piece in first]

    assert run(both()) == (b"a=1", b"a=1", [])


def test_a_body_tells_its_length_unless_it_came_in_chunks() -> None:
    assert (WholeBody(b"a=1").length, WholeBody(b"a=1", chunked=True).length) == (3, None)
    assert (WholeBody(b"").length, WholeBody(b"", chunked=True).length) == (0, None)
    assert WholeBody(b"a=1", chunked=True).whole == b"a=1"


def test_no_body_is_empty_and_may_be_sent_as_often_as_one_likes() -> None:
    assert (NO_BODY.whole, NO_BODY.length, NO_BODY.can_replay()) == (b"", 0, True)
    assert run(collect(NO_BODY)) == b""


def test_every_method_that_is_served_may_be_repeated_but_those_that_make_or_change_something() -> None:
    assert sorted(METHODS - IDEMPOTENT) == ["PATCH", "POST"]
    assert IDEMPOTENT < METHODS
    assert METHODS.isdisjoint({"CONNECT", "TRACE"})


def test_a_fresh_call_is_bounded_by_nothing_and_steered_by_nobody() -> None:
    call = make()
    assert {call.deadline_at, call.attempt_until, call.connect_s, call.body_idle_s} == {float("inf")}
    assert (call.retry, call.account, call.on_continue) == (True, None, None)
    assert (call.request_id, call.base, call.minted_key) == ("", "", "")
    assert (call.renewed, call.retries_spent, call.trace) == (False, False, None)


def test_an_outgoing_call_carries_all_that_one_attempt_needs_but_its_bounds() -> None:
    call = make()
    marks = {name: object() for name in Call.__slots__}
    for name, mark in marks.items():
        setattr(call, name, mark)
    copy = call.outgoing()
    assert {name for name, mark in marks.items() if getattr(copy, name) is mark} == CARRIED
    assert {name for name in Call.__slots__ if getattr(copy, name) == float("inf")} == OF_ONE_ATTEMPT
    assert set(Call.__slots__) == CARRIED | OF_ONE_ATTEMPT | OF_THE_WHOLE_CALL


def test_what_happens_to_an_outgoing_call_is_recorded_once_for_both() -> None:
    call = make()
    copy = call.outgoing()
    copy.record.attempts += 1
    copy.record.upstream_s += 0.5
    assert (call.record.attempts, call.record.upstream_s) == (1, 0.5)


def test_a_credential_on_an_outgoing_call_never_reaches_the_callers_own() -> None:
    call = make()
    copy = call.outgoing()
    copy.target += b"&key=sk_test_example"
    copy.headers = [*copy.headers, (b"X-Key", b"sk_test_example")]
    copy.body = WholeBody(b"sk_test_example")
    copy.attempt_until = 11.0
    assert call.body is NO_BODY
    assert (call.target, call.headers) == (b"/v1/charges?a=%2F", [(b"Host", b"x")])
    assert call.attempt_until == float("inf")


def test_a_fresh_reply_is_all_right_and_whole() -> None:
    reply = Reply(200, b"OK", [], b"{}")
    assert (reply.outcome, reply.stream, reply.trailers, reply.pause_s) == (Outcome.OK, None, [], 0.0)
    assert (reply.own, reply.renewed) == (False, False)


def test_a_discarded_reply_gives_up_the_rest_of_its_body() -> None:
    stream = ScriptedStream(b"more")
    Reply(200, b"OK", [], b"", stream).discard()
    assert stream.aborted


def test_a_discarded_reply_that_came_whole_stays_as_it_is() -> None:
    reply = Reply(200, b"OK", [], b"{}")
    reply.discard()
    assert reply.body == b"{}"


class Passing(Policy):
    """Passes each call on."""

    section = "passing"
    Config = Frozen

    def __init__(self, inner: Handler) -> None:
        self.inner = inner

    def __call__(self, call: Call) -> Awaitable[Reply]:
        return self.inner(call)


def test_policies_stand_around_one_another_and_around_what_sends() -> None:
    sent: list[Call] = []

    async def send(call: Call) -> Reply:
        sent.append(call)
        return Reply(204, b"", [], b"")

    async def go(call: Call) -> int:
        return (await Passing(Passing(send))(call)).status

    call = make()
    assert run(go(call)) == 204
    assert sent == [call]


def test_a_policy_in_which_nothing_moves_has_nothing_to_tell() -> None:
    async def send(call: Call) -> Reply:
        return Reply(204, b"", [], b"")

    assert Passing(send).snapshot(10.0) == {}


def test_a_policy_that_takes_no_calls_and_a_body_that_gives_none_do_not_exist() -> None:
    class Deaf(Policy):
        section = "deaf"

    class Mute(Body):
        def chunks(self) -> AsyncIterator[bytes]:
            raise NotImplementedError

    with pytest.raises(TypeError, match="__call__"):
        Deaf()  # type: ignore[abstract]  # that it can't be made is the point
    with pytest.raises(TypeError, match="can_replay"):
        Mute()  # type: ignore[abstract]  # that it can't be made is the point
