"""What the listener makes of a request, and of what comes back; framing and connections: test_server.py."""

import asyncio
import dataclasses

import pytest

from proxy.core.call import Call, Headers, Reply
from proxy.core.errors import BulkheadFull, CircuitOpen, ConnectionDropped, ConnectTimeout, DeadlineExceeded
from proxy.core.events import CallEnded, Event
from proxy.core.profile import Profile
from proxy.edge.listener.routes import Route, Routes
from proxy.sansio.hosts import HostRule
from tests.support.answers import Answer
from tests.support.caller import run_on_uvloop
from tests.support.listening import KNOWN_SECRET, RULES, listening
from tests.support.script import Script, ScriptedStream, Step

HERE = "Host: localhost"


def get(*lines: str, start: str = "GET /up/v1/things?a=1 HTTP/1.1", body: bytes = b"") -> bytes:
    return "\r\n".join((start, HERE, "Connection: close", *lines, "", "")).encode("latin-1") + body


def serve(
    request: bytes, *steps: Step, profile: Profile | None = None, trace: bool = True
) -> tuple[Answer, list[Call]]:
    """Let a provider that plays the steps answer one request; return the answer and the calls that it saw."""
    provider = Script(*(steps or (200,)))

    async def scenario() -> Answer:
        async with listening(provider, profile=profile, trace=trace) as listener:
            answer = await listener.ask(request, request.partition(b" ")[0].decode())
            assert listener.crashed == []
            return answer

    return run_on_uvloop(scenario()), [call for _, call in provider.sends]


def told(request: bytes, *steps: Step) -> tuple[Answer, list[Event], list[BaseException]]:
    """Serve one request; return the answer, the events, and the bugs that were told."""

    async def scenario() -> tuple[Answer, list[Event], list[BaseException]]:
        async with listening(Script(*steps)) as listener:
            answer = await listener.ask(request)
            await listener.until(lambda: not listener.egress.in_flight)
            return answer, listener.events, listener.crashed

    return run_on_uvloop(scenario())


def reply(status: int = 200, headers: Headers | None = None, body: bytes = b"", reason: bytes = b"Fine") -> Reply:
    return Reply(status, reason, headers or [(b"Content-Length", b"%d" % len(body))], body)


def test_the_provider_gets_method_target_and_headers_as_they_were_sent() -> None:
    _, (call,) = serve(get("x-a: 1", "X-A: 2", "Accept:", start="PATCH /up//v1/%2f?q=%zz&q HTTP/1.1"))
    assert (call.provider, call.method, call.target) == ("up", "PATCH", b"//v1/%2f?q=%zz&q")
    assert call.headers == [(b"x-a", b"1"), (b"X-A", b"2"), (b"Accept", b"")]
    assert (call.body.whole, call.body.length) == (b"", 0)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_usual_methods_are_served(method: str) -> None:
    answer, (call,) = serve(get(start=f"{method} /up/x HTTP/1.1"))
    assert (answer.status, call.method) == (200, method)


def test_the_caller_gets_status_reason_headers_and_body_as_they_were_sent() -> None:
    headers = [
        (b"x-b", b"2"),
        (b"Content-Length", b"3"),
        (b"X-B", b"1"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
    ]
    answer, _ = serve(get(), reply(299, headers, b"abc", b"Quite Fine"))
    assert (answer.status, answer.reason, answer.body) == (299, b"Quite Fine", b"abc")
    assert answer.headers[:5] == headers
    assert answer.names[5:] == [b"X-Request-Id", b"Tidegate-Source", b"Tidegate-Attempts", b"Connection"]
    assert (answer.values("tidegate-source"), answer.values("tidegate-attempts")) == ([b"provider"], [b"1"])


def test_a_provider_can_not_speak_in_our_name() -> None:
    names = (b"X-Request-Id", b"tidegate-source", b"TIDEGATE-ATTEMPTS", b"Tidegate-Provider-Request-Id", b"Connection")
    answer, _ = serve(get(), reply(200, [(name, b"forged") for name in names]))
    assert [value for _, value in answer.headers if value == b"forged"] == []


@pytest.mark.parametrize("sent", ["r-1", "a" * 128, "!~"])
def test_the_callers_own_id_is_used_when_it_is_sane(sent: str) -> None:
    answer, (call,) = serve(get(f"X-Request-ID: {sent}"))
    assert (answer.values("x-request-id"), call.request_id) == ([sent.encode()], sent)


@pytest.mark.parametrize("sent", ["", "a b", "a" * 129, "\xe4", "a\tb"])
def test_an_id_that_is_not_sane_is_replaced(sent: str) -> None:
    answer, (call,) = serve(get(f"X-Request-ID: {sent}"))
    assert answer.values("x-request-id") == [call.request_id.encode()]
    assert len(call.request_id) == 32


def test_the_providers_own_id_is_told_where_its_profile_names_the_header() -> None:
    headers = [(b"Request-Id", b"req_1"), (b"Content-Length", b"0")]
    answer, _ = serve(get(), reply(200, headers), profile=Profile(request_id="request-id"))
    assert answer.values("tidegate-provider-request-id") == [b"req_1"]
    assert serve(get(), profile=Profile(request_id="request-id"))[0].values("tidegate-provider-request-id") == []


def test_a_trace_is_restarted_unless_it_shall_pass() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    lines = (f"traceparent: {parent}", "tracestate: a=1", "X-A: 1")
    _, (call,) = serve(get(*lines))
    assert [name for name, _ in call.headers] == [b"traceparent", b"X-A"]
    assert parent[3:35].encode() not in call.headers[0][1]
    _, (call,) = serve(get(*lines), trace=False)
    assert call.headers[:2] == [(b"traceparent", parent.encode()), (b"tracestate", b"a=1")]


def test_the_caller_steers_and_the_provider_does_not_see_it() -> None:
    _, (call,) = serve(get("Tidegate-Timeout: 1.5s", "tidegate-retry: off", "Tidegate-Priority: batch", "X-A: 1"))
    assert (call.deadline_at, call.retry) == (call.record.started_at + 1.5, False)
    assert call.headers == [(b"X-A", b"1")]


def test_a_wish_that_is_not_understood_is_refused_and_nothing_is_sent() -> None:
    answer, calls = serve(get("Tidegate-Retyr: off"))
    assert (answer.status, calls) == (400, [])
    assert str(answer.problem["detail"]).endswith(" Tidegate-Retry")


def test_the_guard_may_have_a_name_of_ours_and_is_no_wish() -> None:
    async def scenario() -> None:
        rules = dataclasses.replace(RULES, guard=(b"tidegate-guard", b"yes"))
        async with listening(Script(200), rules=rules) as listener:
            assert (await listener.ask(get("Tidegate-Guard: yes"))).status == 200
            assert (await listener.ask(get())).status == 403

    run_on_uvloop(scenario())


@pytest.mark.parametrize(
    ("error", "status", "source"),
    [
        (CircuitOpen("open", retry_after_s=3.0), 503, b"sidecar"),
        (BulkheadFull("full"), 503, b"sidecar"),
        (ConnectTimeout("no connection"), 504, b"network"),
        (ConnectionDropped("dropped"), 502, b"network"),
    ],
)
def test_what_went_wrong_is_answered_with_its_reason_and_the_id(error: Exception, status: int, source: bytes) -> None:
    answer, _ = serve(get("X-Request-Id: r-1"), error)
    assert (answer.status, answer.values("tidegate-source")) == (status, [source])
    assert (answer.problem["provider"], answer.problem["request_id"]) == ("up", "r-1")
    assert answer.values("x-request-id") == [b"r-1"]
    assert answer.values("retry-after") == ([b"3"] if isinstance(error, CircuitOpen) else [])


@pytest.mark.parametrize("line", ["Content_Length: 1", "Connection: host", "Host: other"])
def test_a_refusal_has_an_id_even_when_the_head_could_not_be_read(line: str) -> None:
    answer, _ = serve(get(line))
    assert answer.status == 400
    assert answer.values("x-request-id") == [str(answer.problem["request_id"]).encode()] != [b""]


def test_a_bug_costs_one_call_and_says_nothing_to_the_caller() -> None:
    answer, events, crashed = told(get(), ValueError("sk_test_example"))
    assert (answer.status, answer.problem["reason"]) == (500, "internal_error")
    assert b"sk_test_example" not in answer.body
    assert [str(error) for error in crashed] == ["sk_test_example"]
    assert [event.reason for event in events if isinstance(event, CallEnded)] == ["internal_error"]


def test_a_known_secret_in_an_error_does_not_reach_the_caller() -> None:
    answer, _ = serve(get(), ConnectionDropped(f"the provider said {KNOWN_SECRET}"))
    assert answer.problem["detail"] == "the provider said [secret]"
    assert answer.values("content-length") == [b"%d" % len(answer.body)]


def test_every_call_is_told_once_with_what_came_of_it() -> None:
    answer, (event,), _ = told(get(), reply(201, body=b"abc"))
    assert isinstance(event, CallEnded)
    assert (event.provider, event.source, event.reason, event.error) == ("up", "provider", "", "")
    assert event.reply is not None
    assert (event.reply.status, event.call.record.attempts, event.call.record.response_bytes) == (201, 1, 3)
    assert event.ended_at >= event.call.record.started_at
    assert answer.values("x-request-id") == [event.call.request_id.encode()]


def test_a_refused_request_is_a_call_that_named_no_provider() -> None:
    _, (event,), _ = told(get(start="GET /other/x HTTP/1.1"), 200)
    assert isinstance(event, CallEnded)
    assert (event.provider, event.source, event.reason) == ("-", "sidecar", "unknown_provider")


@pytest.mark.parametrize(("line", "status"), [("GET /up/x HTTP/2.0", 505), ("TRACE /up/x HTTP/1.1", 400)])
def test_other_versions_and_methods_are_refused(line: str, status: int) -> None:
    answer, calls = serve(get(start=line))
    assert (answer.status, calls, answer.closes) == (status, [], True)


def test_while_draining_every_answer_closes_its_connection() -> None:
    async def scenario() -> None:
        async with listening(Script(200)) as listener:
            listener.egress.draining = True
            answer = await listener.ask(f"GET /up/x HTTP/1.1\r\n{HERE}\r\n\r\n".encode())
            assert (answer.status, answer.closes) == (200, True)

    run_on_uvloop(scenario())


def test_new_rules_hold_from_the_next_request_on_a_connection_that_stays() -> None:
    one = f"GET /up/x HTTP/1.1\r\n{HERE}\r\n\r\n".encode()

    async def scenario() -> None:
        async with listening(Script(200)) as listener, listener.caller() as caller:
            assert (await caller.ask(one)).status == 200
            table = {"new": Route("new", Script(201), Profile(), restart_trace=True)}
            listener.egress.configure(Routes(lambda: table, HostRule()), RULES)
            assert (await caller.ask(one.replace(b"/up/", b"/new/"))).status == 201

    run_on_uvloop(scenario())


def test_a_stream_is_ended_with_its_answer() -> None:
    stream = ScriptedStream(b"ab", b"c")
    ended: list[Exception | None] = []
    stream.on_end(ended.append)
    answer, _ = serve(get(), Reply(200, b"", [], b"", stream))
    assert (answer.body, answer.ended, ended) == (b"abc", True, [None])


def test_requests_in_flight_are_counted() -> None:
    async def scenario() -> None:
        go_on = asyncio.Event()

        async def wait(_: Call) -> Reply:
            await go_on.wait()
            return reply()

        async with listening(wait) as listener:
            asking = [asyncio.create_task(listener.ask(get())) for _ in range(3)]
            await listener.until(lambda: listener.egress.in_flight == 3)
            go_on.set()
            await asyncio.gather(*asking)
            assert listener.egress.in_flight == 0

    run_on_uvloop(scenario())


@pytest.mark.parametrize(
    ("step", "notes"),
    [
        (CircuitOpen("it has been failing", retry_after_s=3.0), ["sidecar: it has been failing"]),
        (ConnectTimeout("no connection within 1 s"), ["network: no connection within 1 s"]),
        (Reply(200, b"", [], b"", ScriptedStream(b"a", error=ConnectionDropped("cut"))), ["network: cut"]),
        (200, []),
    ],
)
def test_why_a_call_was_not_answered_in_full_is_noted(step: Step, notes: list[str]) -> None:
    async def scenario() -> list[str]:
        async with listening(Script(step)) as listener:
            async with listener.caller() as caller:
                await caller.send(get())
                await caller.rest(5.0)
            await listener.until(lambda: listener.calls)
            return [f"{note.section}: {note.text}" for note in listener.calls[0].call.record.notes]

    assert run_on_uvloop(scenario()) == notes


def test_a_passed_deadline_is_noted_with_its_length() -> None:
    async def scenario() -> list[str]:
        async with listening(Script(DeadlineExceeded("too late"))) as listener:
            await listener.ask(get("Tidegate-Timeout: 5s"))
            return [f"{note.section}: {note.text}" for note in listener.calls[0].call.record.notes]

    assert run_on_uvloop(scenario()) == ["deadline: the call had 5.000 s in all", "sidecar: too late"]
