from pathlib import Path

import pytest

from tests.support.caller import run_on_uvloop
from tests.support.sidecar import Sidecar
from tests.support.traffic import Traffic
from tests.support.wire import Wire, reply

pytestmark = pytest.mark.e2e

LIMIT = 50
MEASURED_S = 0.7
"""Shorter than the limit's window of 1 s: what left in time may arrive bunched when the machine was busy."""


def most_in_a_window(times: list[float]) -> int:
    return max(sum(start <= at < start + MEASURED_S for at in times) for start in times)


def test_no_window_at_the_provider_sees_more_than_the_limit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Wire() as wire:
            acme = {"base_url": wire.url, "rate_limit": {"limits": [f"{LIMIT}/1s"], "max_wait": "10s"}}
            with Sidecar(tmp_path, {"acme": acme}) as sidecar:
                async with Traffic(sidecar.port, "/acme/", callers=16) as traffic:
                    await traffic.more(3 * LIMIT)
            times = [one.at for one in wire.requests]
            assert most_in_a_window(times) <= LIMIT
            # Over all of it bunching does not matter: a tenth at once, and nine tenths of the limit per second.
            assert len(times) <= 0.1 * LIMIT + 0.9 * LIMIT * (times[-1] - times[0] + 0.25) + 1
            assert list(traffic.statuses) == [200]

    run_on_uvloop(scenario())


def test_a_storm_of_429_is_met_with_a_pause_and_never_with_more_than_the_limit(tmp_path: Path) -> None:
    async def scenario() -> None:
        throttled = reply(429, b"slow down", b"Retry-After: 1")
        callers = 8
        async with Wire(*[throttled] * callers, reply()) as wire:
            acme = {"base_url": wire.url, "rate_limit": {"limits": [f"{LIMIT}/1s"], "max_wait": "10s"}}
            with Sidecar(tmp_path, {"acme": acme}) as sidecar:
                async with Traffic(sidecar.port, "/acme/", callers) as traffic:
                    await traffic.more(2 * callers, 200)
            times = [one.at for one in wire.requests]
            assert most_in_a_window(times) <= LIMIT
            # Only what was already under way arrives before the second is over that the first 429 asked for.
            assert sum(at < times[0] + MEASURED_S for at in times) <= callers
            assert traffic.failures == []

    run_on_uvloop(scenario(), 40)
