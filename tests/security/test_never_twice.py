"""A call that may do something is never sent twice, whatever goes wrong: counted at the provider."""

from collections.abc import Iterator

import pytest

from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar, free_port
from tests.support.wire import BODY, CLOSE, HALF_CLOSE, HOLD, RESET, Script, Wire, reply

pytestmark = pytest.mark.security

ATTEMPTS = 3
BODY_SENT = b'{"amount": 1}'

FAULTS: dict[str, Script] = {
    "reset before the body is read": [RESET, BODY],
    "close before the body is read": [CLOSE, BODY],
    "reset after the request": [RESET],
    "close after the request": [CLOSE],
    "half-close after the request": [HALF_CLOSE, HOLD],
    "close in the head": [b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE],
    "close after 100 Continue": [b"HTTP/1.1 100 Continue\r\n\r\n", CLOSE],
    "garbage": [b"\x00garbage\r\n\r\n", CLOSE],
    "silence": [HOLD],
    "500": reply(500),
    "502": reply(502),
    "503": reply(503),
    "503 with Retry-After": reply(503, b"", b"Retry-After: 0"),
    "503 and the connection closed": [reply(503, b"", b"Connection: close"), CLOSE],
    "504": reply(504),
    "429": reply(429),
    "429 with Retry-After": reply(429, b"", b"Retry-After: 0"),
    "429 with Retry-After-Ms": reply(429, b"", b"Retry-After-Ms: 10"),
}
LATE_FAULTS: dict[str, Script] = {
    "truncated body": [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", CLOSE],
    "truncated chunks": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", RESET],
    "bytes behind the answer": [reply() + reply(), HOLD],
}
UNREPEATABLE = [("POST", ()), ("PATCH", ()), ("POST", ("X-Idempotency-Key: 1",)), ("POST", ("Idempotency-Key:",))]
REPEATABLE = [
    ("GET", ()),
    ("PUT", ()),
    ("DELETE", ()),
    ("POST", ("Idempotency-Key: a",)),
    ("PATCH", ("idempotency-key: a",)),
]


@pytest.fixture(scope="module")
def sidecar(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    settings = {
        "timeout": {"attempt": "100ms", "body_idle": "100ms"},
        "retry": {"attempts": ATTEMPTS, "base": "1ms", "throttled_base": "1ms", "budget": {"capacity": 100_000}},
        "breaker": False,
        "rate_limit": False,
    }
    nobody = f"http://127.0.0.1:{free_port()}"
    providers = {"acme": {"base_url": wire.url, **settings}, "nobody": {"base_url": nobody, **settings}}
    with Sidecar(tmp_path_factory.mktemp("twice"), providers) as sidecar:
        yield sidecar


async def sends(wire: Wire, port: int, script: Script, method: str, lines: tuple[str, ...]) -> int:
    """Return how often the provider got the call; a clean call goes first, so that its connection is a pooled one."""
    body = b"" if method == "GET" else BODY_SENT
    wire.play(reply(), script)
    async with Caller(port) as caller:
        await caller.ask(request("GET", "/acme/warm"))
        before = len(wire.requests)
        answer = await caller.ask(request(method, "/acme/call", *lines, body=body))
    got = wire.requests[before:]
    assert {(one.method, one.target) for one in got} == {(method.encode(), b"/call")}
    assert answer.value(b"tidegate-attempts") == b"%d" % len(got)
    assert all(one.body == body for one in got if one.whole)
    return len(got)


@pytest.mark.parametrize(("method", "lines"), UNREPEATABLE)
@pytest.mark.parametrize("fault", FAULTS | LATE_FAULTS)
def test_a_call_without_a_key_is_sent_once(
    wire: Wire, sidecar: Sidecar, fault: str, method: str, lines: tuple[str, ...]
) -> None:
    script = (FAULTS | LATE_FAULTS)[fault]
    assert run_on_uvloop(sends(wire, sidecar.port, script, method, lines)) == 1


@pytest.mark.parametrize(("method", "lines"), REPEATABLE)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_call_that_can_be_repeated_is_sent_as_often_as_configured(
    wire: Wire, sidecar: Sidecar, fault: str, method: str, lines: tuple[str, ...]
) -> None:
    assert run_on_uvloop(sends(wire, sidecar.port, FAULTS[fault], method, lines)) == ATTEMPTS


@pytest.mark.parametrize(("method", "lines"), REPEATABLE)
@pytest.mark.parametrize("fault", LATE_FAULTS)
def test_nothing_is_sent_again_once_an_answer_has_begun(
    wire: Wire, sidecar: Sidecar, fault: str, method: str, lines: tuple[str, ...]
) -> None:
    assert run_on_uvloop(sends(wire, sidecar.port, LATE_FAULTS[fault], method, lines)) == 1


@pytest.mark.parametrize("fault", ["reset after the request", "503", "silence"])
def test_the_caller_can_forbid_repeating(wire: Wire, sidecar: Sidecar, fault: str) -> None:
    assert run_on_uvloop(sends(wire, sidecar.port, FAULTS[fault], "GET", ("Tidegate-Retry: off",))) == 1


def test_a_body_that_comes_in_pieces_is_the_same_in_every_attempt(wire: Wire, sidecar: Sidecar) -> None:
    async def test() -> None:
        wire.play(reply(503), reply(503), reply(200, b"done"))
        before = len(wire.requests)
        async with Caller(sidecar.port) as caller:
            await caller.send(request("PUT", "/acme/pieces", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
            await wire.until(lambda: len(wire.requests) > before)
            await caller.send(b"2\r\nde\r\n0\r\n\r\n")
            answer = await caller.answer()
        assert (answer.status, answer.body) == (200, b"done")
        assert [one.body for one in wire.requests[before:]] == [b"abcde"] * 3

    run_on_uvloop(test())


def test_a_body_too_large_to_be_kept_is_sent_once(wire: Wire, sidecar: Sidecar) -> None:
    async def test() -> None:
        wire.play(reply(503))
        before = len(wire.requests)
        async with Caller(sidecar.port) as caller:
            answer = await caller.ask(request("PUT", "/acme/large", body=b"x" * 100_000))
        assert (answer.status, len(wire.requests) - before) == (503, 1)

    run_on_uvloop(test())


@pytest.mark.parametrize(("method", "lines"), UNREPEATABLE + REPEATABLE)
def test_what_was_never_sent_may_be_tried_again_whatever_it_is(
    sidecar: Sidecar, method: str, lines: tuple[str, ...]
) -> None:
    async def test() -> None:
        async with Caller(sidecar.port) as caller:
            answer = await caller.ask(request(method, "/nobody/", *lines, body=BODY_SENT))
            assert (answer.status, answer.value(b"tidegate-attempts")) == (502, b"%d" % ATTEMPTS)
            assert b"connect_failed" in answer.body

    run_on_uvloop(test())
