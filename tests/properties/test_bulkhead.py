"""The bulkhead never has more in flight than it may, and gets every place back, however calls end."""

import asyncio
import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.call import Call, Reply
from proxy.core.errors import BulkheadFull, ConnectFailed
from proxy.policies.bulkhead import Bulkhead
from tests.support.script import ScriptedStream, make_call, make_reply, make_runtime
from tests.support.virtual import run

instants = st.sampled_from([0.0, 0.0, 0.01, 0.1, 0.5, 0.50001, 1.0])
endings = st.sampled_from(["whole", "stream", "aborted", "error"])
calls = st.lists(st.tuples(instants, instants, endings, st.none() | instants), max_size=60)


class Provider:
    """Takes its time, ends as it is told, and keeps count."""

    def __init__(self) -> None:
        self.in_flight = self.most = 0

    async def answer(self, takes_s: float, ending: str) -> Reply:
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await asyncio.sleep(takes_s)
        except asyncio.CancelledError:
            self.in_flight -= 1
            raise
        if ending in ("stream", "aborted"):
            stream = ScriptedStream(b"piece")
            stream.on_end(self._ended)
            return make_reply(200, stream=stream)
        self.in_flight -= 1
        if ending == "error":
            raise ConnectFailed("scripted")
        return make_reply(200)

    def _ended(self, error: Exception | None) -> None:
        self.in_flight -= 1


async def _finish(reply: Reply, takes_s: float, ending: str) -> None:
    if reply.stream is None:
        return
    try:
        await asyncio.sleep(takes_s)
        while ending == "stream" and await reply.stream.read():
            pass
    finally:
        reply.discard()  # what the listener does for a caller that has gone


async def _play(plans: list[tuple[float, float, str, float | None]]) -> tuple[int, int, dict[str, object]]:
    provider = Provider()
    steps: dict[Call, tuple[float, str]] = {}

    async def inner(call: Call) -> Reply:
        return await provider.answer(*steps[call])

    policy = Bulkhead(inner, Bulkhead.Config(in_flight=3, queue=4, max_wait=0.5), make_runtime())

    async def one(takes_s: float, ending: str) -> None:
        call = make_call()
        steps[call] = takes_s, ending
        await _finish(await policy(call), takes_s, ending)

    async def patient(takes_s: float, ending: str, patience_s: float | None) -> None:
        with contextlib.suppress(BulkheadFull, ConnectFailed, TimeoutError):
            await asyncio.wait_for(one(takes_s, ending), patience_s)

    async with asyncio.TaskGroup() as group:
        for gap, takes_s, ending, patience_s in plans:
            await asyncio.sleep(gap / 10)
            group.create_task(patient(takes_s, ending, patience_s))
    return provider.most, provider.in_flight, policy.snapshot(0.0)


@settings(max_examples=200)
@given(plans=calls)
def test_never_more_in_flight_than_allowed_and_nothing_leaks(
    plans: list[tuple[float, float, str, float | None]],
) -> None:
    most, left, snapshot = run(_play(plans))

    assert most <= 3
    assert left == 0
    assert snapshot == {"in_flight": 0, "queued": 0, "mode": "enforce"}
