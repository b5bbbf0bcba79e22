"""What a retry keeps of the provider's answer, in case that nothing better comes."""

import asyncio

import pytest

from proxy.core.call import WholeBody
from proxy.core.errors import CircuitOpen, ConnectFailed, ConnectionDropped, DeadlineExceeded, Refused
from proxy.policies.retry import Retry
from tests.support.calls import cancel
from tests.support.play import Play
from tests.support.script import Script, ScriptedStream, SlowStream, make_call, make_reply, make_runtime
from tests.support.virtual import run


@pytest.mark.parametrize("refusal", [CircuitOpen("open"), DeadlineExceeded("over")])
def test_our_own_refusal_does_not_hide_the_providers_reply(refusal: Refused) -> None:
    first = make_reply(503, body=b"maintenance")
    play = Play(first, refusal)

    assert play.reply is first
    assert len(play.script.sends) == 2


def test_a_reply_stays_in_hand_while_later_attempts_fail_without_one() -> None:
    first = make_reply(503)

    assert Play(first, ConnectFailed, CircuitOpen("open")).reply is first


def test_our_own_refusal_is_raised_when_no_reply_is_in_hand() -> None:
    refusal = CircuitOpen("open")

    assert Play(ConnectFailed, refusal).error is refusal
    assert Play(refusal).error is refusal


def test_a_body_that_was_still_coming_is_taken_in_hand_whole_with_its_trailers() -> None:
    stream = ScriptedStream(b"mainte", b"nance")
    stream.trailers = [(b"X-Sum", b"1")]
    play = Play(make_reply(503, {"Transfer-Encoding": "chunked"}, stream=stream), CircuitOpen("open"))

    assert play.reply is not None
    assert (play.status, play.reply.body, play.reply.stream) == (503, b"maintenance", None)
    assert play.reply.trailers == [(b"X-Sum", b"1")]
    assert not stream.aborted


@pytest.mark.parametrize(
    "stream",
    [
        ScriptedStream(b"x" * 64 * 1024, b"x"),
        ScriptedStream(b"half an error page", error=ConnectionDropped("cut")),
        SlowStream(0.2, b"too", b"slow"),
    ],
    ids=["too long", "cut short", "too slow"],
)
def test_a_body_that_takes_too_much_is_given_up_and_not_kept(stream: ScriptedStream) -> None:
    refusal = CircuitOpen("open")
    play = Play(make_reply(503, stream=stream), refusal)

    assert stream.ended
    assert play.error is refusal


def test_the_longest_body_that_is_taken_in_hand() -> None:
    reply = make_reply(503, stream=ScriptedStream(b"x" * 40_000, b"x" * (64 * 1024 - 40_000)))

    assert Play(reply, CircuitOpen("open")).reply is reply
    assert reply.body == b"x" * 64 * 1024


def test_the_reading_of_a_body_is_part_of_the_wait() -> None:
    reply = make_reply(429, stream=SlowStream(0.1, b"slow down"))
    play = Play(reply, 200)

    assert play.script.gaps == [0.5]
    assert play.call.record.backoff_s == pytest.approx(0.5)


def test_a_body_that_takes_longer_than_the_wait_puts_the_next_attempt_off() -> None:
    play = Play(make_reply(503, stream=SlowStream(0.1, b"unwell")), 200)

    assert play.script.gaps == [0.2]
    assert play.call.record.backoff_s == pytest.approx(0.2)


def test_a_body_is_given_up_at_once_while_the_request_may_still_be_going_out() -> None:
    class Arriving(WholeBody):
        whole = None  # type: ignore[assignment]  # as for a body that is passed on as it comes

        def __init__(self) -> None:
            self.length = None

    stream = SlowStream(0.1, b"error ", b"page")
    play = Play(make_reply(503, stream=stream), 200, call=make_call("PUT", body=Arriving()))

    assert stream.aborted
    assert play.script.gaps == [0.025]


def test_a_later_reply_that_could_not_be_kept_does_not_take_the_earlier_one_away() -> None:
    first = make_reply(503)
    stream = ScriptedStream(error=ConnectionDropped("cut"))

    assert Play(first, make_reply(502, stream=stream), CircuitOpen("open")).reply is first


def test_a_call_that_is_cancelled_while_it_reads_a_body_gives_the_body_up() -> None:
    stream = SlowStream(0.2, b"error page")
    policy = Retry(Script(make_reply(503, stream=stream)), Retry.Config(), make_runtime())

    async def leave() -> None:
        task = asyncio.ensure_future(policy(make_call()))
        await asyncio.sleep(0.1)
        await cancel(task)

    run(leave())
    assert stream.aborted


def test_a_reply_that_is_passed_on_keeps_its_stream() -> None:
    stream = ScriptedStream(b"error page")
    play = Play(make_reply(503, stream=stream), attempts=1)

    assert play.status == 503
    assert not stream.aborted
