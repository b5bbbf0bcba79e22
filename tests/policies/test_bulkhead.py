"""The bulkhead: places, the queue for them, and every way in which a place comes back."""

import asyncio

import pytest

from proxy.core.errors import BulkheadFull, ConnectFailed
from proxy.core.events import Event, WouldRefuse
from proxy.policies.bulkhead import Bulkhead
from tests.support.calls import cancel, recorded_timers, start
from tests.support.script import Script, ScriptedStream, after, make_call, make_reply, make_runtime
from tests.support.virtual import START, run

IDLE: dict[str, object] = {"in_flight": 0, "queued": 0, "mode": "enforce"}


def bulkhead(provider: Script, events: list[Event] | None = None, **config: object) -> Bulkhead:
    """Make a bulkhead before a provider; one place and one in the queue unless told otherwise."""
    settings = {"in_flight": 1, "queue": 1, **config}
    return Bulkhead(provider, Bulkhead.Config.model_validate(settings), make_runtime(events))


def test_calls_beyond_the_places_wait_and_go_in_order() -> None:
    async def scene() -> None:
        provider = Script(after(0.1, 200))
        policy = bulkhead(provider, in_flight=2, queue=3)
        calls = [make_call(target=b"/%d" % n) for n in range(5)]
        await asyncio.gather(*map(policy, calls))

        assert [call.target for _, call in provider.sends] == [b"/0", b"/1", b"/2", b"/3", b"/4"]
        assert provider.gaps == pytest.approx([0.0, 0.1, 0.0, 0.1], abs=1e-5)
        assert [round(call.record.queue_s, 5) for call in calls] == [0.0, 0.0, 0.1, 0.1, 0.2]
        assert policy.snapshot(0.0) == IDLE

    run(scene())


def test_all_places_that_come_free_at_once_are_given_at_once() -> None:
    async def scene() -> None:
        provider = Script(after(0.1, 200))
        policy = bulkhead(provider, in_flight=4, queue=4)
        await asyncio.gather(*(start(policy) for _ in range(8)))

        assert provider.gaps == pytest.approx([0, 0, 0, 0.1, 0, 0, 0], abs=1e-5)

    run(scene())


def test_a_call_that_finds_the_queue_full_is_refused_at_once() -> None:
    async def scene() -> None:
        policy = bulkhead(Script(after(0.1, 200)))
        inside, queued = start(policy), start(policy)
        await asyncio.sleep(0)
        assert policy.snapshot(0.0) == {**IDLE, "in_flight": 1, "queued": 1}
        with pytest.raises(BulkheadFull) as refusal:
            await policy(make_call())
        assert refusal.value.retry_after_s == 1.0
        await asyncio.gather(inside, queued)

    run(scene())


def test_without_a_queue_nobody_waits() -> None:
    async def scene() -> None:
        policy = bulkhead(Script(make_reply(200, stream=ScriptedStream())), queue=0)
        await policy(make_call())

        with pytest.raises(BulkheadFull):
            await policy(make_call())

    run(scene())


def test_a_call_waits_no_longer_than_it_may() -> None:
    async def scene() -> None:
        provider = Script(after(10.0, 200))
        policy = bulkhead(provider)
        inside = start(policy)
        await asyncio.sleep(0)
        call = make_call()
        with pytest.raises(BulkheadFull):
            await policy(call)

        assert call.record.queue_s == pytest.approx(0.5, abs=1e-5)
        assert len(provider.sends) == 1
        await inside
        assert policy.snapshot(0.0) == IDLE

    run(scene())


def test_a_later_call_with_a_nearer_deadline_is_refused_when_its_own_time_is_up() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        policy = bulkhead(Script(after(10.0, 200)), queue=3)
        inside, patient, hasty = start(policy), start(policy), start(policy, START + 0.2)

        with pytest.raises(BulkheadFull):
            await hasty
        assert loop.time() - START == pytest.approx(0.2, abs=1e-5)
        with pytest.raises(BulkheadFull):
            await patient
        assert loop.time() - START == pytest.approx(0.5, abs=1e-5)
        await inside

    run(scene())


def test_a_call_whose_deadline_has_passed_does_not_wait() -> None:
    async def scene() -> None:
        policy = bulkhead(Script(make_reply(200, stream=ScriptedStream())))
        await policy(make_call())

        with pytest.raises(BulkheadFull):
            await start(policy, START)
        assert asyncio.get_running_loop().time() - START < 0.001

    run(scene())


def test_a_place_is_held_until_the_body_has_ended() -> None:
    async def scene() -> None:
        stream = ScriptedStream(b"piece")
        policy = bulkhead(Script(make_reply(200, stream=stream), 200))
        await policy(make_call())
        waiting = start(policy)
        await asyncio.sleep(0.3)

        assert policy.snapshot(0.0) == {**IDLE, "in_flight": 1, "queued": 1}
        while await stream.read():
            pass
        assert (await waiting).status == 200
        assert policy.snapshot(0.0) == IDLE

    run(scene())


@pytest.mark.parametrize("failing", [False, True], ids=["given up", "cut short"])
def test_a_body_that_never_ends_well_gives_the_place_back(failing: bool) -> None:
    async def scene() -> None:
        stream = ScriptedStream(error=ConnectionResetError("scripted"))
        policy = bulkhead(Script(make_reply(200, stream=stream)))
        await policy(make_call())
        if failing:
            with pytest.raises(ConnectionResetError):
                await stream.read()
        stream.abort()
        assert policy.snapshot(0.0) == IDLE

    run(scene())


def test_a_call_that_fails_gives_the_place_back() -> None:
    async def scene() -> None:
        policy = bulkhead(Script(ConnectFailed))
        with pytest.raises(ConnectFailed):
            await policy(make_call())
        assert policy.snapshot(0.0) == IDLE

    run(scene())


def test_a_call_cancelled_in_flight_gives_its_place_to_the_next() -> None:
    async def scene() -> None:
        provider = Script(after(0.4, 200))
        policy = bulkhead(provider)
        inside, queued = start(policy), start(policy)
        await asyncio.sleep(0.1)
        await cancel(inside)

        assert (await queued).status == 200
        assert provider.gaps == pytest.approx([0.1], abs=1e-5)
        assert policy.snapshot(0.0) == IDLE

    run(scene())


def test_a_call_cancelled_in_the_queue_leaves_its_place_there_to_another() -> None:
    async def scene() -> None:
        provider = Script(after(0.1, 200))
        policy = bulkhead(provider)
        inside, queued = start(policy), start(policy)
        await asyncio.sleep(0.05)
        await cancel(queued)

        assert policy.snapshot(0.0) == {**IDLE, "in_flight": 1}
        await asyncio.gather(inside, start(policy))
        assert len(provider.sends) == 2
        assert policy.snapshot(0.0) == IDLE

    run(scene())


def test_a_call_cancelled_just_after_it_was_given_a_place_passes_it_on() -> None:
    async def scene() -> None:
        stream = ScriptedStream()
        provider = Script(make_reply(200, stream=stream), 200)
        policy = bulkhead(provider, queue=2)
        await policy(make_call())
        unlucky, next_in_line = start(policy), start(policy)
        await asyncio.sleep(0.1)
        stream.abort()  # gives the place to the first in the queue, which has not run yet
        await cancel(unlucky)

        assert (await next_in_line).status == 200
        assert len(provider.sends) == 2
        assert policy.snapshot(0.0) == IDLE

    run(scene())


def test_a_place_that_comes_free_goes_past_a_call_that_was_just_cancelled_in_the_queue() -> None:
    async def scene() -> None:
        stream = ScriptedStream()
        provider = Script(make_reply(200, stream=stream), 200)
        policy = bulkhead(provider, queue=2)
        await policy(make_call())
        unlucky, next_in_line = start(policy), start(policy, target=b"/next")
        await asyncio.sleep(0.1)
        unlucky.cancel()
        stream.abort()  # before the cancelled call has run
        assert (await next_in_line).status == 200

        assert unlucky.cancelled()
        assert [call.target for _, call in provider.sends[1:]] == [b"/next"]
        assert policy.snapshot(0.0) == IDLE

    run(scene())


@pytest.mark.parametrize("early_s", [0.0, 5e-10], ids=["just after", "just before"])
def test_a_call_cancelled_as_its_time_is_up_gives_back_no_place(early_s: float) -> None:
    async def scene() -> None:
        policy = bulkhead(Script(after(10.0, 200)))
        inside, queued = start(policy), start(policy, START + 0.2)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(START + 0.2 - early_s, queued.cancel)  # in the pass that refuses it
        with pytest.raises(asyncio.CancelledError):
            await queued

        assert policy.snapshot(0.0) == {**IDLE, "in_flight": 1}
        await inside

    run(scene())


def test_a_call_that_comes_while_a_place_is_being_handed_over_does_not_take_it() -> None:
    async def scene() -> None:
        stream = ScriptedStream()
        provider = Script(make_reply(200, stream=stream), after(0.1, 200))
        policy = bulkhead(provider, queue=2)
        await policy(make_call())
        first = start(policy, target=b"/first")
        await asyncio.sleep(0.1)
        stream.abort()
        await asyncio.gather(policy(make_call(target=b"/later")), first)

        assert [call.target for _, call in provider.sends[1:]] == [b"/first", b"/later"]

    run(scene())


def test_no_timer_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        stream = ScriptedStream()
        policy = bulkhead(Script(make_reply(200, stream=stream), 200), queue=2)
        timers = recorded_timers(monkeypatch)
        await policy(make_call())
        queued, impatient = start(policy), start(policy, START + 0.2)
        await asyncio.sleep(0)
        await cancel(impatient)
        stream.abort()
        await queued

        assert timers
        assert all(timer.cancelled() for timer in timers)

    run(scene())


def test_report_mode_counts_what_would_be_refused_and_lets_it_through_without_a_wait() -> None:
    async def scene() -> None:
        events: list[Event] = []
        provider = Script(after(0.1, 200))
        policy = bulkhead(provider, events, mode="report")
        calls = [make_call() for _ in range(4)]
        await asyncio.gather(*map(policy, calls))

        assert provider.gaps == pytest.approx([0, 0, 0], abs=1e-5)
        assert [call.record.queue_s for call in calls] == [0, 0, 0, 0]
        assert events == [WouldRefuse("acme", "bulkhead", "bulkhead_full")] * 2
        assert policy.snapshot(0.0) == {**IDLE, "mode": "report"}

    run(scene())


def test_the_defaults_hold_sixty_four_and_let_as_many_wait() -> None:
    config = Bulkhead.Config()

    assert (config.in_flight, config.queue, config.max_wait, config.mode) == (64, 64, 0.5, "enforce")
