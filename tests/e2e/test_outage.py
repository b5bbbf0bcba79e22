import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar
from tests.support.traffic import Traffic
from tests.support.wire import HOLD, Script, Wire, reply

pytestmark = pytest.mark.e2e

FAILURES = 5
BREAKER = {"failures": FAILURES, "open": "300ms", "open_max": "300ms", "successes": 1}
CALLERS = 4

STREAMING = """
import asyncio

async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
    while True:
        writer.write(b"5\\r\\nfirst\\r\\n")
        await writer.drain()
        await asyncio.sleep(0.01)

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


@contextmanager
def streaming_process() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a provider that streams for ever in a process of its own; yields it and its port."""
    with subprocess.Popen([sys.executable, "-c", STREAMING], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_a_dead_provider_is_refused_after_the_breaker_s_rule_and_traffic_comes_back_by_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        wire = Wire()
        async with wire:
            acme = {"base_url": wire.url, "retry": False, "breaker": BREAKER}
            sidecar = Sidecar(tmp_path, {"acme": acme}).spawn().wait_until_ready()
        try:
            async with Traffic(sidecar.port, "/acme/", CALLERS) as traffic:
                await traffic.more(5, 503)
                # Those that were under way when the circuit opened fail too.
                assert traffic.statuses[502] < FAILURES + CALLERS
                refused = next(answer for answer in traffic.answers if answer.status == 503)
                assert b'"reason":"circuit_open"' in refused.body
                assert refused.value(b"retry-after") == b"1"
                async with wire:
                    await traffic.more(50, 200)
                    heard = len(traffic.answers)
                    await traffic.more(50)
                    assert {answer.status for answer in traffic.answers[heard:]} == {200}
            assert traffic.failures == []
            assert sidecar.stop() == 0
        finally:
            sidecar.kill()

    run_on_uvloop(scenario())


def test_killing_the_provider_under_load_costs_no_caller_its_connection(tmp_path: Path) -> None:
    async def scenario() -> None:
        wire = Wire([0.01, reply()])
        await wire.__aenter__()
        with Sidecar(tmp_path, {"acme": {"base_url": wire.url, "retry": False, "breaker": BREAKER}}) as sidecar:
            async with Traffic(sidecar.port, "/acme/", CALLERS) as traffic:
                await traffic.more(50, 200)
                await wire.__aexit__()
                await traffic.more(5, 503)
                async with wire:
                    await traffic.more(20, 200)
            assert set(traffic.statuses) == {200, 502, 503}
            assert traffic.failures == []

    run_on_uvloop(scenario())


def test_a_provider_killed_in_the_middle_of_a_stream_leaves_no_clean_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        with (
            streaming_process() as (provider, port),
            Sidecar(tmp_path, {"acme": {"base_url": f"http://127.0.0.1:{port}"}, "mock": {}}) as sidecar,
        ):
            async with Caller(sidecar.port) as caller:
                await caller.send(request("GET", "/acme/"))
                await caller.reader.readuntil(b"first\r\n")
                provider.send_signal(signal.SIGKILL)
                data, end = await caller.rest()
                assert (end != "open", data.endswith(b"0\r\n\r\n")) == (True, False)
            async with Caller(sidecar.port) as caller:
                assert (await caller.ask(request("GET", "/mock/status/200"))).status == 200
            (line,) = [one for one in sidecar.log(all_of_it=True) if one.get("provider") == "acme"]
            assert (line["status"], "connection_dropped" in str(line)) == (200, True)

    run_on_uvloop(scenario())


@pytest.mark.parametrize("script", [[HOLD], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", HOLD]])
def test_a_caller_that_leaves_takes_its_call_to_the_provider_with_it(tmp_path: Path, script: Script) -> None:
    async def scenario() -> None:
        async with Wire(script) as wire:
            with Sidecar(tmp_path, {"acme": {"base_url": wire.url}}) as sidecar:
                async with Caller(sidecar.port) as caller:
                    await caller.send(request("GET", "/acme/"))
                    await wire.until(lambda: wire.requests)
                await wire.until(lambda: wire.open == 0)

    run_on_uvloop(scenario())
