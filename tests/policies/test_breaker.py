"""The breaker on the virtual loop: what reaches the provider, and what is told."""

import asyncio

import pytest

from proxy.core.call import Reply
from proxy.core.errors import (
    CircuitOpen,
    ConnectFailed,
    ConnectionDropped,
    DeadlineExceeded,
    RateLimited,
    TidegateError,
)
from proxy.core.events import BreakerChanged, Event, WouldRefuse
from proxy.core.outcome import Outcome
from proxy.policies.breaker import Breaker
from tests.support.script import Script, ScriptedStream, Step, after, make_call, make_reply, make_runtime
from tests.support.virtual import run

OPENED = BreakerChanged("acme", "closed", "open", "consecutive failures", 5.0)
PROBING = BreakerChanged("acme", "open", "half_open", "probing", 0.0)


def fair_deadline() -> DeadlineExceeded:
    """Build the error of a provider that had enough time and did not answer."""
    error = DeadlineExceeded("over")
    error.outcome = Outcome.FAILED
    return error


class Rig:
    """A breaker that opens at the first failure, over a script."""

    def __init__(self, *steps: Step, **config: object) -> None:
        self.events: list[Event] = []
        self.script = Script(*steps)
        settings = Breaker.Config.model_validate({"failures": 1, "successes": 1, **config})
        self.policy = Breaker(self.script, settings, make_runtime(self.events))

    async def send(self) -> Reply | TidegateError:
        try:
            return await self.policy(make_call())
        except TidegateError as error:
            return error


@pytest.mark.parametrize("step", [503, ConnectFailed, fair_deadline()])
def test_a_failure_opens_it_and_the_next_call_is_not_sent(step: Step) -> None:
    rig = Rig(step)

    async def calls() -> Reply | TidegateError:
        await rig.send()
        await asyncio.sleep(2)
        return await rig.send()

    refused = run(calls())
    assert isinstance(refused, CircuitOpen)
    assert refused.retry_after_s == pytest.approx(3.0)
    assert len(rig.script.sends) == 1
    assert rig.events == [OPENED]


def test_a_successful_probe_closes_it() -> None:
    rig = Rig(500, 200)

    async def calls() -> list[Reply | TidegateError]:
        await rig.send()
        await asyncio.sleep(5)
        return [await rig.send() for _ in range(3)]

    assert [reply.status for reply in run(calls())] == [200] * 3
    assert rig.events == [OPENED, PROBING, BreakerChanged("acme", "half_open", "closed", "probes succeeded", 0.0)]


def test_while_a_probe_is_in_flight_other_calls_are_refused() -> None:
    rig = Rig(500, after(1, 200))

    async def calls() -> list[Reply | TidegateError]:
        await rig.send()
        await asyncio.sleep(5)
        return list(await asyncio.gather(rig.send(), rig.send(), rig.send()))

    assert [result.status for result in run(calls())] == [200, 503, 503]
    assert len(rig.script.sends) == 2


@pytest.mark.parametrize("step", [429, 408, 404, 401, RateLimited("full", retry_after_s=1.0), DeadlineExceeded])
def test_what_is_no_ill_health_never_opens_it(step: Step) -> None:
    rig = Rig(step)

    async def calls() -> None:
        for _ in range(50):
            await rig.send()

    run(calls())
    assert len(rig.script.sends) == 50
    assert rig.events == []


def test_our_own_refusal_of_a_probe_gives_the_permit_back() -> None:
    rig = Rig(500, RateLimited("full", retry_after_s=1.0), 200)

    async def calls() -> Reply | TidegateError:
        await rig.send()
        await asyncio.sleep(5)
        await rig.send()
        return await rig.send()

    assert run(calls()).status == 200


@pytest.mark.parametrize("bug", [None, RuntimeError("a bug below")])
def test_a_cancelled_or_broken_probe_gives_the_permit_back(bug: RuntimeError | None) -> None:
    rig = Rig(500, after(60, bug or 200), 200)

    async def calls() -> Reply | TidegateError:
        await rig.send()
        await asyncio.sleep(5)
        probe = asyncio.ensure_future(rig.send())
        await asyncio.sleep(1 if bug is None else 60)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        return await rig.send()

    assert run(calls()).status == 200
    assert len(rig.script.sends) == 3


@pytest.mark.parametrize(("error", "events"), [(ConnectionDropped("cut"), [OPENED]), (None, [])])
def test_a_body_counts_against_the_provider_when_it_fails_after_its_head(
    error: Exception | None, events: list[Event]
) -> None:
    rig = Rig(make_reply(200, stream=ScriptedStream(b"half", error=error)))

    async def read() -> None:
        reply = await rig.policy(make_call())
        assert reply.stream is not None
        assert rig.events == []
        await reply.stream.read()
        await asyncio.gather(reply.stream.read(), return_exceptions=True)

    run(read())
    assert rig.events == events


def test_a_body_that_the_caller_gave_up_does_not_count() -> None:
    rig = Rig(make_reply(200, stream=ScriptedStream(b"half")))

    async def leave() -> None:
        (await rig.policy(make_call())).discard()

    run(leave())
    assert rig.events == []


def test_a_failed_reply_counts_once_though_its_body_fails_too() -> None:
    rig = Rig(make_reply(500, stream=ScriptedStream(error=ConnectionDropped("cut"))), failures=2)

    async def read() -> None:
        reply = await rig.policy(make_call())
        assert reply.stream is not None
        await asyncio.gather(reply.stream.read(), return_exceptions=True)

    run(read())
    assert rig.policy.snapshot(0.0)["consecutive_failures"] == 1


def test_report_mode_lets_through_and_tells_what_it_would_have_refused() -> None:
    rig = Rig(500, mode="report")

    async def calls() -> list[Reply | TidegateError]:
        return [await rig.send() for _ in range(3)]

    assert [reply.status for reply in run(calls())] == [500] * 3
    assert rig.events == [OPENED, *[WouldRefuse("acme", "breaker", "circuit_open")] * 2]


def test_it_tells_its_live_state() -> None:
    rig = Rig(500)

    async def calls() -> dict[str, object]:
        await rig.send()
        return rig.policy.snapshot(asyncio.get_running_loop().time() + 2)

    assert run(calls()) == {
        "state": "open", "consecutive_failures": 1, "failure_ratio": 1.0, "opens_for_s": pytest.approx(3.0),
        "mode": "enforce",
    }  # fmt: skip


def test_its_defaults_suit_quiet_and_busy_providers() -> None:
    assert Breaker.Config().model_dump(mode="json") == {
        "failures": 5, "ratio": 0.5, "window": "30s", "min_requests": 20, "open": "5s", "open_max": "1m",
        "probes": 1, "successes": 3, "probe_timeout": "30s", "mode": "enforce",
    }  # fmt: skip


@pytest.mark.parametrize(("config", "sends"), [({}, 1), ({"open": "6s"}, 2), ({"mode": "report"}, 2)])
def test_a_reload_keeps_the_state_where_the_settings_are_the_same(config: dict[str, str], sends: int) -> None:
    async def calls() -> int:
        old, new = Rig(503), Rig(200, **config)
        await old.send()
        new.policy.adopt(old.policy)
        await new.send()
        return len(old.script.sends) + len(new.script.sends)

    assert run(calls()) == sends


def test_a_call_that_a_reload_overtook_still_counts() -> None:
    async def calls() -> list[Reply | TidegateError]:
        old, new = Rig(after(1, 503)), Rig(200)
        under_way = asyncio.ensure_future(old.send())
        await asyncio.sleep(0.5)
        new.policy.adopt(old.policy)
        return [await new.send(), await under_way, await new.send()]

    first, _, last = run(calls())
    assert first.status == 200
    assert isinstance(last, CircuitOpen)
