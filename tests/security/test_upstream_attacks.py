"""A hostile or broken provider behind the whole sidecar: one true answer, or an aborted connection."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.caller import Answer, Caller, request, run_on_uvloop
from tests.support.hostile import HOSTILE_ANSWERS
from tests.support.sidecar import Sidecar
from tests.support.wire import CLOSE, HALF_CLOSE, HOLD, RESET, Script, Wire, reply

pytestmark = pytest.mark.security

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = OK + b"Content-Length: 9\r\n\r\n"
NEXT = reply(200, b"next")


@pytest.fixture(scope="module")
def sidecar(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    bare = dict.fromkeys(("retry", "breaker", "rate_limit", "bulkhead", "deadline"), False)
    acme = {"base_url": wire.url, "timeout": {"attempt": "250ms", "body_idle": "250ms"}, **bare}
    with Sidecar(tmp_path_factory.mktemp("attacks"), {"acme": acme}) as sidecar:
        yield sidecar


class Verdict:
    """What one caller got from one call. answer: None when the connection broke before any."""

    answer: Answer | None = None
    rest = b""


async def call(port: int, method: str = "GET") -> Verdict:
    """Make one call on a connection of its own, and hear it to its end."""
    verdict = Verdict()
    async with Caller(port) as caller:
        await caller.send(request(method, "/acme/", "Connection: close"))
        try:
            verdict.answer = await caller.answer(head_only=method == "HEAD")
        except (asyncio.IncompleteReadError, ConnectionError):
            return verdict
        verdict.rest, ending = await caller.rest()
        assert ending != "open"
    return verdict


async def is_well_again(wire: Wire, port: int, used: int) -> None:
    """See that the suspect connection is ended, and that the next call goes over a new one."""
    await wire.until(lambda: wire.links[used].ended)
    second = (await call(port)).answer
    assert second is not None
    assert (second.status, second.body) == (200, b"next")
    assert wire.requests[-1].link != used


def halves(raw: bytes) -> list[bytes | float]:
    """Cut an answer in two that do not arrive together."""
    return [raw[: len(raw) // 2], 0.005, raw[len(raw) // 2 :]]


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("name", HOSTILE_ANSWERS)
def test_a_malformed_answer_is_a_502_or_an_aborted_connection(
    wire: Wire, sidecar: Sidecar, name: str, cut: bool
) -> None:
    async def test() -> None:
        raw = HOSTILE_ANSWERS[name]
        wire.play([*(halves(raw) if cut else [raw]), HOLD], NEXT)
        got = await call(sidecar.port)
        assert got.rest == b""
        if got.answer is not None and got.answer.whole:
            assert got.answer.status == 502
            assert got.answer.value(b"content-type") == b"application/problem+json"
            assert got.answer.value(b"tidegate-source") == b"network"
            assert json.loads(got.answer.body)["reason"] == "upstream_protocol_error"
        await is_well_again(wire, sidecar.port, wire.requests[-1].link)

    run_on_uvloop(test())


@pytest.mark.parametrize(
    ("script", "status", "reason"),
    [
        ([CLOSE], 502, "connection_dropped"),
        ([RESET], 502, "connection_dropped"),
        ([HALF_CLOSE, HOLD], 502, "connection_dropped"),
        ([OK + b"Content-Le", CLOSE], 502, "connection_dropped"),
        ([OK + b"Content-Le", RESET], 502, "connection_dropped"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", CLOSE], 502, "connection_dropped"),
        ([HOLD], 504, "response_timeout"),
        ([OK + b"Content-Le", HOLD], 504, "response_timeout"),
        ([b"HTTP/1.1 102 Processing\r\n\r\n", HOLD], 504, "response_timeout"),
    ],
)
def test_a_provider_that_fails_before_its_answer_is_told(
    wire: Wire, sidecar: Sidecar, script: Script, status: int, reason: str
) -> None:
    async def test() -> None:
        wire.play(script, NEXT)
        got = await call(sidecar.port)
        assert got.answer is not None
        assert (got.answer.status, json.loads(got.answer.body)["reason"], got.rest) == (status, reason, b"")
        await is_well_again(wire, sidecar.port, wire.requests[-1].link)

    run_on_uvloop(test())


@pytest.mark.parametrize(
    "script",
    [
        [LENGTH + b"abc", CLOSE],
        [LENGTH + b"abc", RESET],
        [LENGTH + b"abc", HALF_CLOSE, HOLD],
        [LENGTH + b"abc", HOLD],
        [LENGTH, CLOSE],
        [CHUNKED + b"3\r\nabc\r\n", CLOSE],
        [CHUNKED + b"3\r\nabc\r\n", RESET],
        [CHUNKED + b"3\r\nabc\r\n", HOLD],
        [CHUNKED + b"9\r\nabc", CLOSE],
        [CHUNKED + b"3\r\nabc\r\n0\r\n", CLOSE],
        [CHUNKED + b"3\r\nabc\r\n", 0.01, b"zz\r\n", HOLD],
        [CHUNKED + b"3\r\nabc\r\n", 0.01, reply(200, b"evil"), HOLD],
        [CHUNKED + b"3\r\nabc\r\n", 0.01, b"0\r\n" + b"X: 1\r\n" * 5000 + b"\r\n", HOLD],
        [OK + b"\r\nabc", 0.02, RESET],
        [OK + b"\r\nabc", HOLD],
        [b"HTTP/1.0 200 OK\r\n\r\nabc", 0.02, RESET],
    ],
)
def test_an_answer_that_breaks_off_never_ends_cleanly(wire: Wire, sidecar: Sidecar, script: Script) -> None:
    async def test() -> None:
        wire.play(script, NEXT)
        got = await call(sidecar.port)
        if got.answer is not None:
            assert (got.answer.status, got.answer.whole, got.rest) == (200, False, b"")
            assert got.answer.value(b"content-length") or got.answer.value(b"transfer-encoding")
        await is_well_again(wire, sidecar.port, wire.requests[-1].link)

    run_on_uvloop(test())


@pytest.mark.parametrize("gap", [[], [0.005]])
@pytest.mark.parametrize(
    ("method", "answer", "more"),
    [
        ("GET", reply(), reply(200, b"evil")),
        ("GET", reply(), b"x"),
        ("GET", CHUNKED + b"2\r\nok\r\n0\r\n\r\n", reply(200, b"evil")),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", b"evil"),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n", b"evil"),
        ("GET", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\nevil\r\n0\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", b"evil"),
        ("HEAD", LENGTH, b"evil data"),
        ("HEAD", OK + b"Content-Length: 0\r\n\r\n", reply(200, b"evil")),
        ("HEAD", CHUNKED, b"4\r\nevil\r\n0\r\n\r\n"),
    ],
)
def test_what_comes_behind_an_answer_reaches_nobody(
    wire: Wire, sidecar: Sidecar, method: str, answer: bytes, more: bytes, gap: list[float]
) -> None:
    async def test() -> None:
        wire.play([answer, *gap, more, HOLD] if gap else [answer + more, HOLD], NEXT)
        got = await call(sidecar.port, method)
        assert got.answer is not None
        assert b"evil" not in got.answer.head + got.answer.body + got.rest
        assert (got.answer.status, got.answer.whole, got.rest) == (int(answer.split()[1]), True, b"")
        await is_well_again(wire, sidecar.port, wire.requests[-1].link)

    run_on_uvloop(test())


def test_late_bytes_never_answer_the_next_caller(wire: Wire, sidecar: Sidecar) -> None:
    async def test() -> None:
        async with Caller(sidecar.port) as caller:
            for number in range(100):
                late: Script = [reply(200, b"true"), (0.0, 0.001, 0.004)[number % 3], reply(200, b"evil"), HOLD]
                wire.play(late, NEXT)
                assert (await caller.ask(request("GET", "/acme/"))).body == b"true"
                link = wire.links[wire.requests[-1].link]
                await wire.until(lambda link=link: link.ended)  # type: ignore[misc]  # mypy can't type the default
                assert (await caller.ask(request("POST", "/acme/"))).body == b"next"

    run_on_uvloop(test())


def test_names_that_only_tidegate_may_use_are_taken_out_of_answers(
    wire: Wire, sidecar: Sidecar, tmp_path: Path
) -> None:
    async def test() -> None:
        wire.play(reply(200, b"ok", b"Tidegate-Source: sidecar", b"X-Request-Id: theirs", b"Tidegate-Attempts: 99"))
        got = (await call(sidecar.port)).answer
        assert got is not None
        assert got.value(b"tidegate-source") == b"provider"
        assert got.value(b"tidegate-attempts") == b"1"
        assert got.value(b"x-request-id") != b"theirs"

    run_on_uvloop(test())
