import asyncio
import time

import pytest

from proxy.core.call import Call
from proxy.core.errors import (
    BulkheadFull,
    ConnectFailed,
    ConnectionDropped,
    ConnectTimeout,
    DeadlineExceeded,
    ResponseTimeout,
)
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile, Rule
from proxy.edge.upstream.dial import Origin
from proxy.edge.upstream.engine import Engine
from proxy.edge.upstream.pool import FRESH_S, PoolConfig
from proxy.sansio.classify import Classifier
from tests.support.caller import run_on_uvloop
from tests.support.script import make_call
from tests.support.sidecar import free_port
from tests.support.upstream import Clock, engine_at, make_engine, whole
from tests.support.wire import CLOSE, HOLD, RESET, Act, Script, Wire, reply


def test_calls_one_after_another_share_a_connection_and_calls_at_once_do_not() -> None:
    async def test() -> None:
        async with Wire([0.01, reply()]) as wire:
            engine = make_engine(wire)
            for _ in range(3):
                await engine(make_call())
            assert len(wire.links) == 1
            await asyncio.gather(*(engine(make_call()) for _ in range(5)))
            assert len(wire.links) == 5
            assert engine.snapshot() == {"origin": wire.url, "connections": 5, "idle": 5}

    run_on_uvloop(test())


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.OK),
        (404, Outcome.REFUSED),
        (401, Outcome.UNAUTHORISED),
        (429, Outcome.THROTTLED),
        (503, Outcome.FAILED),
    ],
)
def test_every_reply_carries_its_verdict(status: int, outcome: Outcome) -> None:
    async def test() -> None:
        async with Wire(reply(status)) as wire:
            assert (await make_engine(wire)(make_call())).outcome is outcome

    run_on_uvloop(test())


def test_a_verdict_of_the_profile_is_noted_with_its_rule_and_one_of_the_plain_status_is_not() -> None:
    profile = Profile(failed=(Rule(status=200, field="ok", equals="false"), Rule(status=404, header="x-down")))

    async def notes(answer: bytes) -> list[str]:
        async with Wire(answer) as wire:
            call = make_call()
            origin = Origin("http", "127.0.0.1", wire.port)
            await Engine(origin, PoolConfig(), Classifier(profile), time.monotonic)(call)
            return [f"{note.section}: {note.text}" for note in call.record.notes]

    async def test() -> None:
        by_body = reply(200, b'{"ok": false}', b"Content-Type: application/json")
        assert await notes(by_body) == ["verdict: failed: 200 with ok = false"]
        assert await notes(reply(404, b"", b"X-Down: 1")) == ["verdict: failed: 404 with header x-down"]
        for status in (200, 404, 429, 503):
            assert await notes(reply(status)) == []

    run_on_uvloop(test())


def test_the_record_tells_attempts_and_phases() -> None:
    async def test() -> None:
        async with Wire([0.02, reply()]) as wire:
            engine, call = make_engine(wire), make_call()
            await engine(call)
            record = call.record
            assert record.attempts == 1
            assert record.connect_s > 0
            assert 0.015 <= record.first_byte_s <= record.upstream_s < 5
            await engine(call)
            assert (record.attempts, record.dns_s, record.connect_s, record.tls_s) == (2, 0.0, 0.0, 0.0)
            assert record.upstream_s >= 0.03

    run_on_uvloop(test())


def test_no_more_connections_are_opened_than_may_be_and_none_is_lost_from_the_count() -> None:
    async def test() -> None:
        async with Wire([HOLD]) as wire:
            engine = make_engine(wire, pool=PoolConfig(max_connections=2))
            calls = [asyncio.create_task(engine(make_call())) for _ in range(2)]
            await wire.until(lambda: len(wire.requests) == 2)
            refused = make_call("POST")
            with pytest.raises(BulkheadFull, match=r"pool\.max_connections is 2"):
                await engine(refused)
            assert refused.record.attempts == 0
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert engine.snapshot()["connections"] == 0
            wire.play(reply())
            assert (await engine(make_call())).status == 200

    run_on_uvloop(test())


def test_a_call_that_needs_a_new_connection_is_not_refused_while_one_is_idle() -> None:
    async def test() -> None:
        clock = Clock()
        async with Wire() as wire:
            engine = engine_at(Origin("http", "127.0.0.1", wire.port), PoolConfig(max_connections=1), clock)
            await engine(make_call())
            clock.at += FRESH_S + 0.1
            assert (await engine(make_call("POST"))).status == 200
            await wire.until(lambda: wire.links[0].ended)
            assert (len(wire.links), engine.snapshot()["connections"]) == (2, 1)

    run_on_uvloop(test())


def test_the_phases_of_an_earlier_attempt_are_not_told_as_those_of_the_last() -> None:
    async def test() -> None:
        async with Wire(reply(503), [HOLD]) as wire:
            engine, call = make_engine(wire), make_call()
            await engine(call)
            call.record.body_s = 0.5
            call.attempt_until = time.monotonic() + 0.02
            with pytest.raises(ResponseTimeout):
                await engine(call)
            record = call.record
            assert (record.dns_s, record.connect_s, record.first_byte_s, record.body_s) == (0.0, 0.0, 0.0, 0.0)

    run_on_uvloop(test())


def test_a_call_whose_deadline_has_passed_is_not_sent() -> None:
    async def test() -> None:
        async with Wire() as wire:
            engine, call = make_engine(wire), make_call()
            call.deadline_at = time.monotonic()
            with pytest.raises(DeadlineExceeded):
                await engine(call)
            assert (call.record.attempts, wire.links) == (0, [])

    run_on_uvloop(test())


def test_a_failed_dial_leaves_nothing_behind() -> None:
    async def test() -> None:
        engine, call = engine_at(Origin("http", "127.0.0.1", free_port())), make_call()
        for _ in range(3):
            with pytest.raises(ConnectFailed):
                await engine(call)
        assert (engine.snapshot()["connections"], call.record.attempts) == (0, 3)
        assert call.record.upstream_s > 0

    run_on_uvloop(test())


@pytest.mark.parametrize("bound", ["connect_s", "attempt_until"])
def test_a_dial_has_the_least_of_connect_and_attempt_time(bound: str) -> None:
    async def test() -> None:
        async with Wire(greeting=[HOLD]) as wire:
            call = make_call()
            setattr(call, bound, 0.05 + (time.monotonic() if bound == "attempt_until" else 0.0))
            engine = engine_at(Origin("https", "127.0.0.1", wire.port))
            with pytest.raises(ConnectTimeout):
                await engine(call)
            assert engine.snapshot()["connections"] == 0

    run_on_uvloop(test())


@pytest.mark.parametrize("attempt", [True, False])
def test_a_dial_that_the_deadline_ended_says_nothing_about_the_provider(attempt: bool) -> None:
    async def test() -> None:
        async with Wire(greeting=[HOLD]) as wire:
            call = make_call()
            call.deadline_at = time.monotonic() + 0.05
            if attempt:
                call.connect_s, call.attempt_until = 3.5, call.deadline_at  # what the timeout policy sets
            engine = engine_at(Origin("https", "127.0.0.1", wire.port))
            with pytest.raises(DeadlineExceeded) as caught:
                await engine(call)
            assert caught.value.outcome is Outcome.IGNORED
            assert (engine.snapshot()["connections"], call.record.attempts) == (0, 1)

    run_on_uvloop(test())


@pytest.mark.parametrize(("method", "links"), [("GET", 1), ("PUT", 1), ("DELETE", 1), ("POST", 2), ("PATCH", 2)])
def test_what_must_not_be_repeated_gets_a_new_connection_once_the_old_one_may_be_stale(method: str, links: int) -> None:
    async def test() -> None:
        clock = Clock()
        async with Wire() as wire:
            engine = engine_at(Origin("http", "127.0.0.1", wire.port), now=clock)
            await engine(make_call())
            clock.at += FRESH_S + 0.1
            await engine(make_call(method))
            assert len(wire.links) == links

    run_on_uvloop(test())


@pytest.mark.parametrize("ending", [CLOSE, RESET])
def test_a_connection_that_the_provider_ended_while_it_was_free_is_not_used(ending: Act) -> None:
    async def test() -> None:
        async with Wire([reply(), ending], reply(200, b"second")) as wire:
            engine = make_engine(wire)
            await engine(make_call())
            await wire.until(lambda: wire.links[0].ours)
            assert (await engine(make_call("POST"))).body == b"second"  # whether or not the loop has heard of it

    run_on_uvloop(test())


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize(
    "script",
    [[CLOSE], [RESET], [b"HTTP/1.1 200 OK\r\n", CLOSE], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", RESET]],
)
def test_the_engine_never_sends_anything_twice(method: str, script: Script) -> None:
    async def test() -> None:
        async with Wire(reply(), script, reply()) as wire:
            engine = make_engine(wire)
            await engine(make_call())  # so that the fault hits a pooled connection, too
            with pytest.raises(ConnectionDropped):
                await whole(await engine(make_call(method)))
            assert len(wire.requests) == 2

    run_on_uvloop(test())


def test_a_redirect_is_an_answer_like_any_other() -> None:
    async def test() -> None:
        async with Wire(reply(307, b"", b"Location: http://127.0.0.1:1/")) as wire:
            assert (await make_engine(wire)(make_call())).status == 307
            assert len(wire.requests) == 1

    run_on_uvloop(test())


def test_a_closed_engine_closes_busy_connections_after_their_exchange() -> None:
    async def test() -> None:
        async with Wire(reply(), [0.02, reply()]) as wire:
            engine = make_engine(wire)
            await engine(make_call())
            busy = asyncio.create_task(engine(make_call()))
            await wire.until(lambda: len(wire.requests) == 2)
            engine.close()
            assert (await busy).status == 200
            await wire.until(lambda: wire.open == 0)
            assert engine.snapshot()["connections"] == 0

    run_on_uvloop(test())


@pytest.mark.parametrize(("delay_s", "rounds"), [(0.0, 400), (0.001, 400), (0.01, 200)])
def test_late_bytes_are_never_the_answer_to_the_next_call(delay_s: float, rounds: int) -> None:
    async def one(wire: Wire, number: int) -> Call:
        # A smuggled answer follows the true one, on a connection that the next call would use.
        engine = make_engine(wire)
        assert (await engine(make_call(target=b"/%d" % number))).body == b"true"
        await asyncio.sleep(delay_s + 0.005)  # the provider, on this same loop, has its turn first
        call = make_call(target=b"/%d" % number)
        assert (await engine(call)).body == b"true"
        engine.close()
        return call

    async def test() -> None:
        late = reply(200, b"evil")
        async with Wire([reply(200, b"true"), delay_s, late] if delay_s else [reply(200, b"true"), late]) as wire:
            for start in range(0, rounds, 20):
                calls = await asyncio.gather(*(one(wire, start + number) for number in range(20)))
                assert all(call.record.connect_s > 0 for call in calls) or delay_s == 0.0

    run_on_uvloop(test())
