"""Plays hostile bytes through listener and engine to a provider that records, and judges what came of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proxy.edge.listener.server import Bounds
from tests.security.oracle import check_forwarded
from tests.security.payloads import Payload
from tests.support import answers
from tests.support.caller import run_on_uvloop
from tests.support.listening import engine_to, listening
from tests.support.wire import BODY, CLOSE, Wire, reply

AT_ONCE: Final = 48
BOUNDS: Final = Bounds(connections=100, header_s=0.5, idle_s=1.0)


@dataclass(frozen=True)
class Seen:
    """What came of one payload: the answers, what reached the provider by connection, and what was counted."""

    said: list[answers.Answer]
    forwarded: list[bytes]
    host: bytes
    sends: int
    crashed: list[BaseException]


def play_all(payloads: Sequence[Payload]) -> list[Seen | BaseException]:
    """Play them at the same time, because most of them end in a wait."""

    async def scenario() -> list[Seen | BaseException]:
        turn = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(*(_play(payload, turn) for payload in payloads), return_exceptions=True)

    return run_on_uvloop(scenario(), 50.0)


async def _play(payload: Payload, turn: asyncio.Semaphore) -> Seen:
    # A connection for each request, so that whatever stands behind one is plainly to be seen.
    async with turn, Wire([BODY, reply(200, b"ok", b"Connection: close"), CLOSE]) as wire:
        engine = engine_to(wire)
        async with listening(engine, bounds=BOUNDS) as listener:
            async with listener.caller() as caller:
                await caller.send(payload.data)
                said, end = await caller.rest(15.0)
            assert end != "open", payload.name
            await listener.until(lambda: not listener.egress.in_flight)
            sends = sum(ended.call.record.attempts for ended in listener.calls)
            await wire.until(lambda: wire.open == 0)
        engine.close()
        forwarded = [bytes(link.received) for link in wire.links]
        first = "HEAD" if payload.data.startswith(b"HEAD") else "GET"
        said_to = answers.split(said, [first, *["GET"] * 20])
        return Seen(said_to, forwarded, b"127.0.0.1:%d" % wire.port, sends, listener.crashed)


def judge(seen: Seen | BaseException) -> int:
    """Check that every request that was sent on is whole and single, or cut off, and answered once.

    Returns: how many were sent on. Raises: AssertionError or a parser's error.
    """
    assert isinstance(seen, Seen), seen
    assert seen.crashed == []
    whole = [check_forwarded(data, seen.host) for data in seen.forwarded]
    assert len(whole) == seen.sends, "the provider saw what was not counted"
    answered = [answer.status for answer in seen.said]
    assert answered.count(200) == whole.count(True), "answered once each"
    assert all(400 <= status <= 505 for status in answered if status != 200), answered
    if answered and answered[-1] != 200:
        assert seen.said[-1].closes
        assert all(status == 200 for status in answered[:-1]), "nothing is served behind a refusal"
    return len(whole)
