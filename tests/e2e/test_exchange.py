"""One exchange through the whole sidecar, in the shapes in which HTTP allows caller and provider to overlap."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar
from tests.support.wire import BODY, CLOSE, HOLD, Link, Script, Wire, reply

pytestmark = pytest.mark.e2e

OK = b"HTTP/1.1 200 OK\r\n"
MIB = 1024 * 1024
EXPECTING = request("POST", "/acme/", "Expect: 100-continue", "Content-Length: 3")


@pytest.fixture(scope="module")
def sidecar(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with Sidecar(tmp_path_factory.mktemp("exchange"), {"acme": {"base_url": wire.url, "breaker": False}}) as sidecar:
        yield sidecar


def resident_bytes(sidecar: Sidecar) -> int:
    """Return how much memory the sidecar holds."""
    pages = Path(f"/proc/{sidecar.process.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096


async def deaf(link: Link) -> None:
    """Stop taking bytes."""
    link.writer.transport.pause_reading()  # type: ignore[attr-defined]  # typed for writing only


async def listening(link: Link) -> None:
    """Take bytes again."""
    link.writer.transport.resume_reading()  # type: ignore[attr-defined]  # typed for writing only


@pytest.mark.parametrize(
    ("script", "body", "framing"),
    [
        ([OK + b"\r\nuntil", 0.01, b" close", CLOSE], b"until close", b"transfer-encoding"),
        ([b"HTTP/1.0 200 OK\r\n\r\nold", CLOSE], b"old", b"content-length"),
        ([OK + b"Transfer-Encoding: chunked\r\n\r\n", 0.01, b"2\r\nab\r\n0\r\n\r\n"], b"ab", b"transfer-encoding"),
        ([OK + b"Content-Length: 4\r\n\r\nab", 0.01, b"cd"], b"abcd", b"content-length"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + reply(200, b"last"), b"last", b"content-length"),
    ],
)
def test_a_body_arrives_whole_in_one_framing(
    wire: Wire, sidecar: Sidecar, script: Script, body: bytes, framing: bytes
) -> None:
    async def test() -> None:
        wire.play(script)
        async with Caller(sidecar.port) as caller:
            for _ in range(2):  # the caller's connection outlives the provider's
                answer = await caller.ask(request("GET", "/acme/"))
                assert (answer.status, answer.body, answer.whole) == (200, body, True)
                sent = [name.lower() for name, _ in answer.fields]
                assert [name for name in sent if name in (b"content-length", b"transfer-encoding")] in (
                    [framing], [b"transfer-encoding"],
                )  # fmt: skip

    run_on_uvloop(test())


@pytest.mark.parametrize(
    ("method", "script", "length"),
    [
        ("HEAD", OK + b"Content-Length: 1000\r\n\r\n", b"1000"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", None),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", b"1000"),
    ],
)
def test_an_answer_without_a_body_leaves_the_connection_in_step(
    wire: Wire, sidecar: Sidecar, method: str, script: bytes, length: bytes | None
) -> None:
    async def test() -> None:
        wire.play(script, reply(200, b"next"))
        async with Caller(sidecar.port) as caller:
            first = await caller.ask(request(method, "/acme/"))
            assert (first.status, first.value(b"content-length")) == (int(script.split()[1]), length)
            assert (await caller.ask(request("GET", "/acme/"))).body == b"next"

    run_on_uvloop(test())


def test_100_continue_comes_from_the_provider_and_before_the_body(wire: Wire, sidecar: Sidecar) -> None:
    async def test() -> None:
        wire.play([0.02, b"HTTP/1.1 100 Continue\r\n\r\n", BODY, reply(201)])
        async with Caller(sidecar.port) as caller:
            assert (await caller.ask(EXPECTING)).status == 100
            assert wire.requests[-1].whole is False
            assert (await caller.ask(b"abc")).status == 201
            assert wire.requests[-1].body == b"abc"

    run_on_uvloop(test())


@pytest.mark.parametrize("status", [417, 401])
def test_a_final_answer_instead_of_100_is_the_only_one(wire: Wire, sidecar: Sidecar, status: int) -> None:
    async def test() -> None:
        wire.play([reply(status, b"no"), HOLD, BODY], reply(200, b"next"))
        async with Caller(sidecar.port) as caller:
            answer = await caller.ask(EXPECTING)
            assert (answer.status, answer.body) == (status, b"no")
            link = wire.links[wire.requests[-1].link]
            await wire.until(lambda: link.ended)
            assert link.received.endswith(b"\r\n\r\n")  # nothing of the body
        async with Caller(sidecar.port) as caller:
            assert (await caller.ask(request("GET", "/acme/"))).body == b"next"

    run_on_uvloop(test())


def test_an_early_answer_reaches_a_caller_that_is_still_sending(wire: Wire, sidecar: Sidecar) -> None:
    async def test() -> None:
        wire.play([reply(413, b"too much"), HOLD, BODY], reply(200, b"next"))
        async with Caller(sidecar.port) as caller:
            await caller.send(request("POST", "/acme/", "Content-Length: 1000000") + b"x" * 1000)
            answer = await caller.answer()
            assert (answer.status, answer.body) == (413, b"too much")
            await wire.until(lambda: wire.links[wire.requests[-1].link].ended)
        async with Caller(sidecar.port) as caller:
            assert (await caller.ask(request("GET", "/acme/"))).body == b"next"

    run_on_uvloop(test())


def test_a_caller_that_leaves_closes_the_provider_s_connection(wire: Wire, sidecar: Sidecar) -> None:
    async def test() -> None:
        scripts: tuple[Script, ...] = ([HOLD], [OK + b"Content-Length: 9\r\n\r\nabc", HOLD])
        for script in scripts:
            wire.play(script)
            before = len(wire.requests)
            async with Caller(sidecar.port) as caller:
                await caller.send(request("GET", "/acme/"))
                await wire.until(lambda before=before: len(wire.requests) > before)  # type: ignore[misc]  # mypy can't type the default
                await asyncio.sleep(0.02)
            link = wire.links[wire.requests[-1].link]
            await wire.until(lambda link=link: link.ended, within_s=3.0)  # type: ignore[misc]  # mypy can't type the default

    run_on_uvloop(test())


def test_a_caller_that_does_not_read_costs_no_memory(wire: Wire, sidecar: Sidecar) -> None:
    async def test() -> None:
        size = 100 * MIB
        wire.play(reply(200, b"x" * size))
        async with Caller(sidecar.port) as caller:
            caller.writer.transport.pause_reading()  # type: ignore[attr-defined]  # typed for writing only
            before = resident_bytes(sidecar)
            await caller.send(request("GET", "/acme/"))
            await asyncio.sleep(0.25)
            assert resident_bytes(sidecar) - before < 16 * MIB
            caller.writer.transport.resume_reading()  # type: ignore[attr-defined]  # typed for writing only
            assert len((await caller.answer()).body) == size

    run_on_uvloop(test(), within_s=40.0)


def test_a_provider_that_does_not_read_costs_no_memory(wire: Wire, sidecar: Sidecar) -> None:
    async def test() -> None:
        size = 60 * MIB
        wire.play([deaf, 0.25, listening, BODY, reply()])
        async with Caller(sidecar.port) as caller:
            before = resident_bytes(sidecar)
            sending = asyncio.create_task(caller.send(request("PUT", "/acme/", body=b"x" * size)))
            await asyncio.sleep(0.2)
            assert resident_bytes(sidecar) - before < 16 * MIB
            await sending
            assert (await caller.answer()).status == 200
        assert len(wire.requests[-1].body) == size

    run_on_uvloop(test(), within_s=40.0)
