"""What the listener adds to answers for the caller's SDK, and how it leads URLs back."""

import asyncio
import gzip

import orjson
import pytest

from proxy.core.call import Call, Headers, Reply
from proxy.core.errors import CircuitOpen, RateLimited
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile, Urls
from proxy.edge.upstream.dial import Origin
from tests.support.answers import Answer
from tests.support.caller import run_on_uvloop
from tests.support.listening import Listening, listening
from tests.support.script import Script, ScriptedStream, Step, make_reply

STRIPE = Profile(should_retry="Stripe-Should-Retry", urls=Urls(fields=("next",)))
ACME = Origin("https", "api.acme.example", 443)


def ask(path: str = "/up/v1", host: str = "127.0.0.1:4780") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


def serve(step: Step, request: bytes = ask(), profile: Profile = STRIPE) -> tuple[Answer, Listening]:
    """Let a provider that plays one step answer one request."""

    async def scenario() -> tuple[Answer, Listening]:
        async with listening(Script(step), profile=profile, origin=ACME) as listener:
            answer = await listener.ask(request)
            await listener.until(lambda: listener.calls)
            assert listener.crashed == []
            return answer, listener

    return run_on_uvloop(scenario())


@pytest.mark.parametrize("error", [CircuitOpen("open"), RateLimited("full", retry_after_s=1.0)])
def test_an_answer_of_our_own_tells_the_sdk_not_to_try_again(error: Exception) -> None:
    assert serve(error)[0].values("stripe-should-retry") == [b"false"]
    assert serve(error, profile=Profile())[0].values("stripe-should-retry") == []


def spent(status: int) -> Step:
    def step(call: Call) -> Reply:
        call.retries_spent = True
        return make_reply(status, {"stripe-should-retry": "true", "Content-Length": "0"})

    return step


def test_a_provider_s_answer_tells_it_too_once_our_own_attempts_are_spent() -> None:
    answer, _ = serve(spent(503))
    assert (answer.status, answer.values("stripe-should-retry")) == (503, [b"false"])
    assert answer.values("tidegate-source") == [b"provider"]


def test_an_answer_that_a_quota_is_used_up_tells_it_too() -> None:
    answer, _ = serve(make_reply(429, {"Content-Length": "0"}, outcome=Outcome.EXHAUSTED))
    assert answer.values("stripe-should-retry") == [b"false"]


@pytest.mark.parametrize("status", [200, 503])
def test_else_the_provider_s_own_word_stands(status: int) -> None:
    answer, _ = serve(make_reply(status, {"Stripe-Should-Retry": "true", "Content-Length": "0"}))
    assert answer.values("stripe-should-retry") == [b"true"]


def minted(then: Reply | Exception) -> Step:
    def step(call: Call) -> Reply:
        call.minted_key = "made-here-1"
        if isinstance(then, Exception):
            raise then
        return then

    return step


def test_a_key_that_was_made_here_is_told_and_no_provider_can_pretend_one() -> None:
    headers = {"Tidegate-Idempotency-Key": "theirs", "Content-Length": "0"}
    assert serve(make_reply(200, headers))[0].values("tidegate-idempotency-key") == []
    assert serve(minted(make_reply(200, headers)))[0].values("tidegate-idempotency-key") == [b"made-here-1"]
    assert serve(minted(CircuitOpen("open")))[0].values("tidegate-idempotency-key") == [b"made-here-1"]


def test_an_answer_in_the_provider_s_place_says_that_it_is_ours() -> None:
    reply = make_reply(200, {"Content-Length": "2"}, b"{}")
    reply.own = True
    answer, listener = serve(reply)
    assert (answer.body, answer.values("tidegate-source")) == (b"{}", [b"sidecar"])
    (ended,) = listener.calls
    assert (ended.source, ended.reason, ended.call.record.response_bytes) == ("sidecar", "", 0)


@pytest.mark.parametrize(
    ("request_bytes", "base"),
    [
        (ask(), b"http://127.0.0.1:4780/up"),
        (ask("/v1", "up.localhost:4780"), b"http://up.localhost:4780"),
        (ask("/up?x"), b"http://127.0.0.1:4780/up"),
    ],
)
def test_links_lead_back_to_the_address_by_which_the_caller_came(request_bytes: bytes, base: bytes) -> None:
    link = b'<https://api.acme.example/r?page=2>; rel="next", <https://docs.example/>; rel="help"'
    headers: Headers = [(b"LINK", link), (b"X-Link", link), (b"Content-Length", b"0")]
    answer, _ = serve(Reply(200, b"Fine", headers, b""), request_bytes)
    assert answer.values("link") == [b'<%b/r?page=2>; rel="next", <https://docs.example/>; rel="help"' % base]
    assert answer.values("x-link") == [link]


def test_a_caller_that_named_no_host_gets_links_as_they_came() -> None:
    headers: Headers = [(b"Location", b"https://api.acme.example/r"), (b"Content-Length", b"0")]
    answer, _ = serve(Reply(201, b"Fine", headers, b""), b"GET /up/v1 HTTP/1.0\r\n\r\n")
    assert answer.values("location") == [b"https://api.acme.example/r"]


BODY = b'{"next":"https://api.acme.example/r?page=2","x":"https://api.acme.example/"}'
LED_BACK = b'{"next":"http://127.0.0.1:4780/up/r?page=2","x":"https://api.acme.example/"}'
JSON = (b"Content-Type", b"application/json")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"", [JSON, (b"Content-Length", b"%d" % len(BODY))], BODY),
        Reply(200, b"", [JSON, (b"Transfer-Encoding", b"chunked")], b"", ScriptedStream(BODY[:20], BODY[20:])),
        Reply(200, b"", [JSON, (b"Content-Encoding", b"gzip")], b"", ScriptedStream(gzip.compress(BODY))),
    ],
)
def test_a_body_with_urls_of_the_provider_is_sent_whole_and_framed_anew(reply: Reply) -> None:
    answer, _ = serve(reply)
    assert (answer.body, answer.ended) == (LED_BACK, True)
    assert answer.values("content-length") == [b"%d" % len(LED_BACK)]
    assert answer.values("transfer-encoding") == answer.values("content-encoding") == []


def test_a_body_that_is_too_large_streams_on_byte_for_byte() -> None:
    body = orjson.dumps({"next": "https://api.acme.example/", "rest": "x" * 2_000_000})
    pieces = [body[at : at + 60_000] for at in range(0, len(body), 60_000)]
    answer, _ = serve(Reply(200, b"", [JSON, (b"Transfer-Encoding", b"chunked")], b"", ScriptedStream(*pieces)))
    assert answer.body == body


def test_an_answer_that_leads_to_another_provider_is_not_passed_on() -> None:
    stream = ScriptedStream(b"a" * 60_000)
    fields: Headers = [(b"Location", b"http://localhost:4780/slack/api"), (b"Transfer-Encoding", b"chunked")]
    answer, listener = serve(Reply(302, b"Found", [*fields, (b"X-Theirs", b"1")], b"", stream))
    assert (answer.status, answer.values("location"), answer.values("x-theirs")) == (502, [], [])
    problem = orjson.loads(answer.body)
    assert (problem["reason"], problem["provider"]) == ("destination_refused", "up")
    assert "leads to the sidecar itself" in problem["detail"]
    assert answer.values("stripe-should-retry") == [b"false"]
    assert answer.values("tidegate-source") == [b"sidecar"]
    assert stream.aborted
    (ended,) = listener.calls
    assert (ended.reason, ended.call.record.response_bytes) == ("destination_refused", 0)


def test_a_caller_that_leaves_while_a_body_is_read_leaves_no_stream_behind() -> None:
    class Endless(ScriptedStream):
        async def read(self) -> bytes:
            await asyncio.sleep(60)
            return b""

    async def scenario() -> None:
        stream = Endless()
        reply = Reply(200, b"", [JSON, (b"Transfer-Encoding", b"chunked")], b"", stream)
        async with listening(Script(reply), profile=STRIPE, origin=ACME) as listener:
            async with listener.caller() as caller:
                await caller.send(ask())
                await listener.until(lambda: listener.egress.in_flight)
                await asyncio.sleep(0.05)
            await listener.until(lambda: stream.aborted)

    run_on_uvloop(scenario())
