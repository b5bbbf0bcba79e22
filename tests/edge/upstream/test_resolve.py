"""A name is looked up once for all who wait, aside of every other name; a literal address never."""

import asyncio
import gc
import socket
import threading
import time
from typing import Any

import pytest

from proxy.edge.upstream.resolve import KEEP_S, Resolver
from tests.support.caller import run_on_uvloop
from tests.support.names import Names
from tests.support.upstream import Clock

PUBLIC = "93.184.215.14"


def resolver(host: str) -> Resolver:
    return Resolver(host, 443, time.monotonic)


async def addresses(one: Resolver) -> list[tuple[Any, ...]]:
    """Return the socket addresses that a resolver finds."""
    return [info[4] for info in await one.resolve()]


async def asked(names: Names, times: int = 1) -> None:
    """Wait until lookups have begun."""
    while len(names.asked) < times:  # noqa: ASYNC110 - asked from a thread, which sets no event of the loop's
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", ("127.0.0.1", 443)), ("::1", ("::1", 443, 0, 0))])
def test_a_literal_address_is_never_looked_up(
    host: str, address: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        names = Names(monkeypatch)
        one = resolver(host)
        assert [await addresses(one) for _ in range(2)] == [[address], [address]]
        assert names.asked == []

    run_on_uvloop(test())


def test_a_name_that_hangs_delays_no_other_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        names = Names(monkeypatch, PUBLIC)
        hanging = [asyncio.create_task(resolver(f"sick{number}.example").resolve()) for number in range(40)]
        await asked(names, 40)
        assert await addresses(resolver("fine.example")) == [(PUBLIC, 443)]
        assert not any(task.done() for task in hanging)
        names.release()
        assert len(await asyncio.gather(*hanging)) == 40

    run_on_uvloop(test())


def test_all_who_wait_for_a_name_share_one_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        names, one = Names(monkeypatch, PUBLIC), resolver("sick.example")
        waiting = [asyncio.create_task(addresses(one)) for _ in range(5)]
        await asked(names)
        names.release()
        assert await asyncio.gather(*waiting) == [[(PUBLIC, 443)]] * 5
        assert names.asked == ["sick.example"]

    run_on_uvloop(test())


def test_a_waiter_that_is_cancelled_leaves_the_lookup_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        names, one = Names(monkeypatch, PUBLIC), resolver("sick.example")
        first, second = asyncio.create_task(addresses(one)), asyncio.create_task(addresses(one))
        await asked(names)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        names.release()
        assert await second == [(PUBLIC, 443)]
        assert names.asked == ["sick.example"]

    run_on_uvloop(test())


def test_a_lookup_outlives_its_last_waiter_and_serves_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        names, one = Names(monkeypatch, PUBLIC), resolver("sick.example")
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(one.resolve(), 0.01)
        names.release()
        assert await addresses(one) == [(PUBLIC, 443)]
        assert names.asked == ["sick.example"]

    run_on_uvloop(test())


def test_a_lookup_that_fails_with_nobody_waiting_is_forgotten_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        names, one = Names(monkeypatch), resolver("sick.example")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.resolve(), 0.01)
        names.release()
        await _ended("sick.example")
        gc.collect()
        assert complaints == []
        names.addresses = (PUBLIC,)
        assert await addresses(one) == [(PUBLIC, 443)]

    run_on_uvloop(test())


def test_what_was_found_is_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        names, clock = Names(monkeypatch, PUBLIC), Clock()
        one = Resolver("acme.example", 443, clock)
        await one.resolve()
        names.addresses = ("93.184.215.15",)
        clock.at += KEEP_S - 0.1
        assert await addresses(one) == [(PUBLIC, 443)]
        clock.at += 0.2
        assert await addresses(one) == [("93.184.215.15", 443)]
        assert len(names.asked) == 2

    run_on_uvloop(test())


def test_a_failure_is_told_to_all_who_wait_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        names, one = Names(monkeypatch), resolver("acme.example")
        told = await asyncio.gather(one.resolve(), one.resolve(), return_exceptions=True)
        assert [type(error) for error in told] == [socket.gaierror] * 2
        names.addresses = (PUBLIC,)
        assert await addresses(one) == [(PUBLIC, 443)]
        assert len(names.asked) == 2

    run_on_uvloop(test())


def test_a_lookup_that_outlives_the_loop_ends_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolver("sick.example").resolve(), 0.01)

    complaints: list[object] = []
    monkeypatch.setattr(threading, "excepthook", complaints.append)
    names = Names(monkeypatch, PUBLIC)
    run_on_uvloop(test())
    lookup = _thread("sick.example")
    assert lookup is not None
    assert lookup.daemon  # it holds up no exit
    names.release()
    lookup.join(10)
    assert complaints == []


def _thread(host: str) -> threading.Thread | None:
    return next((one for one in threading.enumerate() if one.name == f"resolve {host}"), None)


async def _ended(host: str) -> None:
    while _thread(host) is not None:  # noqa: ASYNC110 - the end of a thread sets no event of the loop's
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.001)  # what it handed over
