import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar
from tests.support.traffic import Traffic
from tests.support.wire import Wire, reply

pytestmark = pytest.mark.e2e

BREAKER = {"failures": 2, "open": "5m", "open_max": "5m"}


@asynccontextmanager
async def serving(tmp_path: Path, *scripts: bytes, **entry: Any) -> AsyncIterator[tuple[Sidecar, Wire]]:
    """Start a sidecar with the one provider `acme`."""
    async with Wire(*scripts) as wire:
        with Sidecar(tmp_path, {"acme": {"base_url": wire.url, **entry}}) as sidecar:
            yield sidecar, wire


async def status(sidecar: Sidecar, target: str) -> int:
    async with Caller(sidecar.port) as caller:
        return (await caller.ask(request("GET", target))).status


def reloads(sidecar: Sidecar) -> dict[str, int]:
    """Return how often a reload was taken or refused, from the metrics."""
    lines = sidecar.admin("/metrics")[1].decode().splitlines()
    found = [line for line in lines if line.startswith("tidegate_config_reloads_total{")]
    return {line.split('"')[1]: int(float(line.split()[1])) for line in found}


async def reloaded(sidecar: Sidecar, wire: Wire, result: str, times: int = 1) -> None:
    await wire.until(lambda: reloads(sidecar).get(result) == times)


def test_sighup_takes_up_a_new_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (sidecar, wire):
            assert await status(sidecar, "/other/") == 404
            sidecar.write({"other": {"base_url": wire.url}})
            sidecar.tell(signal.SIGHUP)
            await reloaded(sidecar, wire, "loaded")
            assert await status(sidecar, "/other/") == 200
            assert await status(sidecar, "/acme/") == 404

    run_on_uvloop(scenario())


@pytest.mark.parametrize("in_place", [True, False])
def test_a_changed_file_is_taken_up_without_a_signal(tmp_path: Path, *, in_place: bool) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (sidecar, wire):
            text = sidecar.config.read_text().replace("acme", "other")
            if in_place:
                sidecar.config.write_text(text)
            else:
                sidecar.write({"other": {"base_url": wire.url}})
            await reloaded(sidecar, wire, "loaded")
            assert await status(sidecar, "/other/") == 200

    run_on_uvloop(scenario())


def test_a_signal_and_the_watch_take_a_change_up_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (sidecar, wire):
            sidecar.write({"other": {"base_url": wire.url}})
            sidecar.tell(signal.SIGHUP)
            await reloaded(sidecar, wire, "loaded")
            await asyncio.sleep(1.3)  # the watch looks once a second
            assert reloads(sidecar) == {"loaded": 1}

    run_on_uvloop(scenario())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("providers: {acme: {base_url: 'http://127.0.0.1:9', retyr: off}}", "retry"),
        ("providers: [", "is not valid YAML"),
        ("providers: {acme: {base_url: 'http://127.0.0.1:9', credential: {scheme: bearer, token: env:NOT_SET_9}}}",
         "the variable is not set"),
        ("[" * 5000, "tidegate"),
        ("\0\1\2", "tidegate.yaml"),
    ],
    ids=["unknown-key", "broken-yaml", "variable-not-set", "deep", "binary"],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_reason_and_the_old_one_stays(tmp_path: Path, text: str, reason: str) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (sidecar, wire):
            good = sidecar.config.read_text()
            sidecar.config.write_text(text)
            sidecar.tell(signal.SIGHUP)
            await reloaded(sidecar, wire, "refused")
            assert await status(sidecar, "/acme/") == 200
            (line,) = [one for one in sidecar.log(all_of_it=True) if one.get("result") == "refused"]
            assert reason in json.dumps(line["problems"])
            sidecar.config.write_text(good)
            sidecar.tell(signal.SIGHUP)
            await reloaded(sidecar, wire, "loaded")
            assert await status(sidecar, "/acme/") == 200

    run_on_uvloop(scenario())


def test_a_file_that_vanishes_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (sidecar, wire):
            sidecar.config.unlink()
            sidecar.tell(signal.SIGHUP)
            await reloaded(sidecar, wire, "refused")
            assert await status(sidecar, "/acme/") == 200

    run_on_uvloop(scenario())


def test_a_hundred_reloads_under_load_fail_no_request_and_leave_an_unchanged_provider_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (sidecar, wire):
            acme = {"base_url": wire.url}
            async with Traffic(sidecar.port, "/acme/") as traffic:
                await traffic.more(20)
                for number in range(1, 101):
                    sidecar.write({"acme": acme, f"other-{number}": {"base_url": wire.url}})
                    sidecar.tell(signal.SIGHUP)
                    await wire.until(lambda: sum(reloads(sidecar).values()) == number)  # noqa: B023 - used at once
                    await traffic.more(4)
            assert reloads(sidecar) == {"loaded": 100}
            assert (list(traffic.statuses), traffic.failures) == ([200], [])
            assert len(wire.links) <= 4  # connections were kept all the time

    run_on_uvloop(scenario(), 50)


def test_reloads_that_change_a_provider_under_load_fail_no_request(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (sidecar, wire):
            async with Traffic(sidecar.port, "/acme/") as traffic:
                for number in range(1, 31):
                    sidecar.write({"acme": {"base_url": wire.url, "retry": {"attempts": 1 + number % 2}}})
                    sidecar.tell(signal.SIGHUP)
                    await wire.until(lambda: reloads(sidecar) == {"loaded": number})  # noqa: B023 - used at once
                    await traffic.more(8)
            assert (list(traffic.statuses), traffic.failures) == ([200], [])

    run_on_uvloop(scenario(), 40)


def test_an_unchanged_provider_keeps_its_open_breaker_and_a_changed_one_begins_closed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, reply(500), breaker=BREAKER, retry=False) as (sidecar, wire):
            acme = {"base_url": wire.url, "retry": False}
            assert [await status(sidecar, "/acme/") for _ in range(3)] == [500, 500, 503]
            sidecar.write({"acme": {**acme, "breaker": BREAKER}, "other": acme})
            sidecar.tell(signal.SIGHUP)
            await reloaded(sidecar, wire, "loaded")
            assert await status(sidecar, "/acme/") == 503
            sidecar.write({"acme": {**acme, "breaker": {**BREAKER, "failures": 3}}})
            sidecar.tell(signal.SIGHUP)
            await reloaded(sidecar, wire, "loaded", 2)
            assert await status(sidecar, "/acme/") == 500

    run_on_uvloop(scenario())


def test_an_unchanged_provider_keeps_what_its_limiter_has_given_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        limit = {"limits": ["20/1h"], "max_wait": "0s"}
        async with serving(tmp_path, rate_limit=limit) as (sidecar, wire):
            assert [await status(sidecar, "/acme/") for _ in range(3)] == [200, 200, 429]
            sidecar.write({"acme": {"base_url": wire.url, "rate_limit": limit}, "other": {"base_url": wire.url}})
            sidecar.tell(signal.SIGHUP)
            await reloaded(sidecar, wire, "loaded")
            assert await status(sidecar, "/acme/") == 429

    run_on_uvloop(scenario())
