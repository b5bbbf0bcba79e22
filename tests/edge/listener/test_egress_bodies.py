"""Bodies through the listener, both ways: what the provider may read, and what the caller gets of one cut short."""

import asyncio
import dataclasses
from typing import Final

import pytest

from proxy.core.call import Call, Reply
from proxy.core.errors import CircuitOpen, ConnectionDropped
from tests.support.answers import only
from tests.support.caller import Caller, run_on_uvloop
from tests.support.listening import RULES, listening
from tests.support.script import Script, ScriptedStream

SHORT: Final = dataclasses.replace(RULES, body_idle_s=0.2)
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"


def post(*lines: bytes, version: bytes = b"1.1", close: bool = True) -> bytes:
    fields = b"".join(line + b"\r\n" for line in (*lines, *[b"Connection: close"] * close))
    return b"POST /up/x HTTP/" + version + b"\r\nHost: localhost\r\n" + fields + b"\r\n"


async def echo(call: Call) -> Reply:
    """Send the body back, once all of it has come, and tell its declared length."""
    body = b"".join([piece async for piece in call.body.chunks()])
    fields = [(b"Content-Length", b"%d" % len(body)), (b"X-Length", str(call.body.length).encode())]
    return Reply(200, b"", fields, body)


def ask(*pieces: bytes, method: str = "GET") -> tuple[int, bytes, list[bytes]]:
    """Send the pieces one by one to the echo; return status, body and declared length."""

    async def scenario() -> tuple[int, bytes, list[bytes]]:
        async with listening(echo) as listener, listener.caller() as caller:
            for piece in pieces:
                await caller.send(piece)
                await asyncio.sleep(0.01)
            answer = only((await caller.rest())[0], method)
            return answer.status, answer.body, answer.values("x-length")

    return run_on_uvloop(scenario())


def test_a_body_of_known_length_arrives_with_its_length() -> None:
    assert ask(post(b"Content-Length: 5") + b"hello") == (200, b"hello", [b"5"])
    assert ask(post(b"Content-Length: 5"), b"he", b"llo") == (200, b"hello", [b"5"])
    assert ask(post(b"Content-Length: 0")) == (200, b"", [b"0"])


def test_a_body_in_chunks_arrives_without_one() -> None:
    assert ask(post(CHUNKED[:-2]) + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n") == (200, b"hello", [b"None"])
    assert ask(post(CHUNKED[:-2]), b"2\r\nhe\r\n", b"3\r\nllo\r\n0\r\n\r\n") == (200, b"hello", [b"None"])


def test_a_large_body_arrives_whole() -> None:
    data = bytes(range(256)) * 2048
    assert ask(post(b"Content-Length: %d" % len(data)), data) == (200, data, [b"%d" % len(data)])


def test_a_compressed_body_stays_compressed() -> None:
    assert ask(post(b"Content-Encoding: gzip", b"Content-Length: 5") + b"\x1f\x8b\x08xx")[1] == b"\x1f\x8b\x08xx"


def test_a_body_is_passed_on_while_the_rest_is_still_to_come() -> None:
    async def scenario() -> None:
        seen: asyncio.Queue[bytes] = asyncio.Queue()

        async def provider(call: Call) -> Reply:
            async for piece in call.body.chunks():
                seen.put_nowait(piece)
            return Reply(200, b"", [], b"")

        async with listening(provider) as listener, listener.caller() as caller:
            await caller.send(post(CHUNKED[:-2]) + b"3\r\none\r\n")
            assert await seen.get() == b"one"
            await caller.send(b"3\r\ntwo\r\n0\r\n\r\n")
            assert await seen.get() == b"two"
            assert only((await caller.rest())[0]).status == 200

    run_on_uvloop(scenario())


@pytest.mark.parametrize("head", [post(b"Content-Length: 5"), post(CHUNKED[:-2]), post(b"Content-Length: 99999999")])
def test_a_body_that_stalls_is_answered_408_and_the_connection_closed(head: bytes) -> None:
    async def scenario() -> None:
        async with listening(echo, rules=SHORT) as listener, listener.caller() as caller:
            answer = await caller.ask(head + (b"2\r\nhe\r\n" if b"chunked" in head else b"he"))
            assert (answer.status, answer.value(b"connection")) == (408, b"close")
            await listener.until(lambda: listener.calls)
            assert [ended.reason for ended in listener.calls] == ["request_timeout"]

    run_on_uvloop(scenario())


@pytest.mark.parametrize("tail", [b"zz\r\n", b"-1\r\n", b"2\r\nabc\r\n"])
def test_a_body_whose_framing_breaks_later_on_is_the_callers_fault(tail: bytes) -> None:
    async def scenario() -> None:
        started = asyncio.Event()

        async def provider(call: Call) -> Reply:
            started.set()
            return await echo(call)

        async with listening(provider) as listener, listener.caller() as caller:
            await caller.send(post(CHUNKED[:-2], close=False) + b"3\r\none\r\n")
            await started.wait()
            await caller.send(tail)
            said, end = await caller.rest()
            assert end == "closed"
            assert only(said).status == 400
            await listener.until(lambda: listener.calls)
            assert [ended.reason for ended in listener.calls] == ["caller_gone"]
            assert listener.crashed == []

    run_on_uvloop(scenario())


def test_a_refusal_does_not_wait_for_the_body() -> None:
    async def scenario() -> None:
        async with listening(Script(CircuitOpen("open", retry_after_s=1.0))) as listener, listener.caller() as caller:
            answer = await caller.ask(post(b"Content-Length: 99999999", close=False))
            assert (answer.status, answer.value(b"connection")) == (503, b"close")

    run_on_uvloop(scenario())


async def wants_it(call: Call) -> Reply:
    """Say 100 Continue as the engine does when the provider does, then echo."""
    assert call.on_continue is not None
    call.on_continue()
    return await echo(call)


def test_a_caller_that_waits_hears_100_continue_before_it_sends_its_body() -> None:
    async def scenario() -> None:
        async with listening(wants_it) as listener, listener.caller() as caller:
            await caller.send(post(b"Expect: 100-continue", b"Content-Length: 5"))
            assert (await caller.answer()).status == 100
            await caller.send(b"hello")
            assert (await caller.answer()).body == b"hello"

    run_on_uvloop(scenario())


def test_a_caller_that_waits_hears_a_refusal_instead() -> None:
    async def scenario() -> None:
        async with listening(Script(417)) as listener, listener.caller() as caller:
            await caller.send(post(b"Expect: 100-continue", b"Content-Length: 5"))
            answer = await caller.answer()
            # It may keep the body to itself now, so nobody could tell where the next request begins.
            assert (answer.status, answer.value(b"connection")) == (417, b"close")

    run_on_uvloop(scenario())


def test_a_caller_that_speaks_1_0_never_hears_100() -> None:
    async def scenario() -> None:
        async def provider(call: Call) -> Reply:
            assert call.on_continue is None
            return await echo(call)

        async with listening(provider) as listener:
            head = post(b"Expect: 100-continue", b"Content-Length: 5", version=b"1.0")
            assert (await listener.ask(head + b"hello")).body == b"hello"

    run_on_uvloop(scenario())


async def get(caller: Caller, version: bytes = b"1.1", method: bytes = b"GET") -> tuple[bytes, str]:
    await caller.send(method + b" /up/x HTTP/" + version + b"\r\nHost: localhost\r\n\r\n")
    return await caller.rest()


CUT: Final = ConnectionDropped("cut")


@pytest.mark.parametrize(
    ("field", "version"),
    [(b"Content-Length: 9", b"1.1"), (b"Transfer-Encoding: chunked", b"1.1"), (b"X: until close", b"1.1"),
     (b"Content-Length: 9", b"1.0"), (b"Transfer-Encoding: chunked", b"1.0"), (b"X: until close", b"1.0")],
)  # fmt: skip
def test_a_body_that_is_cut_short_never_ends_cleanly(field: bytes, version: bytes) -> None:
    async def scenario() -> None:
        name, _, value = field.partition(b": ")
        reply = Reply(200, b"", [(name, value)], b"", ScriptedStream(b"abc", error=CUT))
        async with listening(Script(reply)) as listener, listener.caller() as caller:
            said, end = await get(caller, version)
            assert end == "reset"  # an orderly end would be the end of the body to a caller that reads until it
            assert b"HTTP/1.1" not in said[1:]
            assert not said.endswith(b"0\r\n\r\n")
            await listener.until(lambda: listener.calls)
            assert [(ended.reason, ended.error) for ended in listener.calls] == [("", "connection_dropped")]

    run_on_uvloop(scenario())


def test_a_bug_in_the_middle_of_an_answer_resets_it_and_is_told_once() -> None:
    async def scenario() -> None:
        stream = ScriptedStream(b"abc", error=ValueError("a bug"))
        reply = Reply(200, b"", [(b"Transfer-Encoding", b"chunked")], b"", stream)
        async with listening(Script(reply)) as listener, listener.caller() as caller:
            said, end = await get(caller)
            assert (end, said.endswith(b"0\r\n\r\n")) == ("reset", False)
            await listener.until(lambda: listener.calls)
            assert [(ended.reason, ended.error) for ended in listener.calls] == [("", "internal_error")]
            assert [str(error) for error in listener.crashed] == ["a bug"]

    run_on_uvloop(scenario())


def test_a_caller_that_knows_no_chunks_gets_the_body_and_its_end() -> None:
    async def scenario() -> None:
        reply = Reply(200, b"", [(b"Transfer-Encoding", b"chunked")], b"", ScriptedStream(b"ab", b"cd"))
        async with listening(Script(reply)) as listener, listener.caller() as caller:
            said, end = await get(caller, b"1.0")
            assert (only(said).body, end) == (b"abcd", "closed")

    run_on_uvloop(scenario())


def test_a_stream_that_waits_is_passed_on_piece_by_piece() -> None:
    async def scenario() -> None:
        go_on = asyncio.Event()

        class Slow(ScriptedStream):
            async def read(self) -> bytes:
                await go_on.wait()
                go_on.clear()
                return await super().read()

        reply = Reply(200, b"", [(b"Content-Type", b"text/event-stream")], b"", Slow(b"data: 1\n\n", b"data: 2\n\n"))
        async with listening(Script(reply)) as listener, listener.caller() as caller:
            await caller.send(b"GET /up/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await caller.reader.readuntil(b"\r\n\r\n")
            for event in (b"data: 1\n\n", b"data: 2\n\n"):
                go_on.set()
                assert await caller.reader.readexactly(len(event) + 5) == b"9\r\n" + event + b"\r\n"
            go_on.set()
            assert await caller.reader.readexactly(5) == b"0\r\n\r\n"

    run_on_uvloop(scenario())


def test_the_answer_to_head_has_no_body_and_the_connection_stays() -> None:
    async def scenario() -> None:
        reply = Reply(200, b"", [(b"Content-Length", b"9")], b"")
        async with listening(Script(reply, 201)) as listener, listener.caller() as caller:
            first = await caller.ask(b"HEAD /up/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            second = await caller.ask(b"HEAD /up/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (first.status, first.value(b"content-length"), second.status) == (200, b"9", 201)

    run_on_uvloop(scenario())


def test_the_connection_stays_after_a_body_that_has_come() -> None:
    async def scenario() -> None:
        async with (
            listening(Script(CircuitOpen("open", retry_after_s=1.0), 200)) as listener,
            listener.caller() as caller,
        ):
            for status in (503, 200):
                answer = await caller.ask(post(b"Content-Length: 5", close=False) + b"hello")
                assert (answer.status, answer.value(b"connection")) == (status, None)

    run_on_uvloop(scenario())
