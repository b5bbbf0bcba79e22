"""What becomes of calls and probes while a real process starts, reloads, gets new secrets, drains and is killed."""

import asyncio
import contextlib
import re
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar, free_port
from tests.support.traffic import Traffic
from tests.support.wire import HOLD, Script, Wire, reply

pytestmark = pytest.mark.e2e

ASK = request("GET", "/acme/")
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS: Script = [SSE, *(step for n in range(8) for step in (b"7\r\ndata: %d\r\n" % n, 0.1)), b"0\r\n\r\n"]


class Probes:
    """Asks `/readyz` and `/livez` without a pause, as a kubelet in a hurry would. seen: their answers, counted."""

    def __init__(self, port: int) -> None:
        self.seen: Counter[tuple[str, int]] = Counter()
        self._port = port

    async def __aenter__(self) -> Self:
        self._task = asyncio.ensure_future(self._ask())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _ask(self) -> None:
        with contextlib.suppress(ConnectionRefusedError):  # the process has ended
            while True:
                for path in ("/readyz", "/livez"):
                    self.seen[path, await probe(self._port, path)] += 1
                await asyncio.sleep(0.02)


async def probe(port: int, path: str) -> int:
    async with Caller(port) as caller:
        return (await caller.ask(request("GET", path))).status


@asynccontextmanager
async def serving(tmp_path: Path, *scripts: Script, **settings: Any) -> AsyncIterator[tuple[Sidecar, Wire]]:
    async with Wire(*scripts) as wire:
        with Sidecar(tmp_path, {"acme": {"base_url": wire.url}}, settings) as sidecar:
            yield sidecar, wire


def test_an_app_that_starts_first_is_refused_until_the_sidecar_is_ready_and_then_served(tmp_path: Path) -> None:
    (tmp_path / "secret.sh").write_text(f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; echo sk_test_example")

    async def app(port: int, refused: asyncio.Event) -> list[int]:
        seen = []
        while True:
            try:
                async with Caller(port) as caller:
                    seen.append((await caller.ask(ASK)).status)
            except ConnectionRefusedError:
                refused.set()
                await asyncio.sleep(0.005)
            else:
                return seen

    async def scenario() -> None:
        async with Wire() as wire:
            port, admin, refused = free_port(), free_port(), asyncio.Event()
            settings = {
                "egress": {"listen": f"127.0.0.1:{port}"},
                "admin": {"listen": f"127.0.0.1:{admin}"},
                "secrets": {"exec": True},
            }
            credential = {"scheme": "bearer", "token": f"exec:/bin/sh {tmp_path}/secret.sh"}
            sidecar = Sidecar(tmp_path, {"acme": {"base_url": wire.url, "credential": credential}}, settings)
            sidecar.admin_port = admin
            calls = asyncio.ensure_future(app(port, refused))
            try:
                sidecar.spawn()
                await wire.until(lambda: listens(admin))
                refused.clear()
                await refused.wait()  # it has its sockets, and a caller is not let in to a process that can't serve
                assert sidecar.admin("/livez")[0] == 200
                assert sidecar.admin("/readyz") == (503, b'{"ready":false,"problems":["starting"]}\n')
                (tmp_path / "go").touch()
                assert await calls == [200]
                assert sidecar.admin("/readyz")[0] == 200
            finally:
                sidecar.kill()

    run_on_uvloop(scenario())


def listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    return False


def test_streams_come_whole_through_a_drain_that_probes_see_at_once(tmp_path: Path) -> None:
    async def stream(port: int) -> bytes:
        async with Caller(port) as caller:
            answer = await caller.ask(ASK)
            assert answer.whole
            return answer.body

    async def scenario() -> None:
        async with serving(tmp_path, EVENTS) as (sidecar, wire):
            streams = [asyncio.ensure_future(stream(sidecar.port)) for _ in range(20)]
            await wire.until(lambda: len(wire.requests) == 20)
            async with Probes(sidecar.admin_port) as probes:
                await wire.until(lambda: probes.seen["/readyz", 200] > 1)
                sidecar.tell(signal.SIGTERM)
                await wire.until(lambda: probes.seen["/readyz", 503] > 1)
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection("127.0.0.1", sidecar.port)
                whole = b"".join(b"data: %d" % n for n in range(8))
                assert await asyncio.gather(*streams) == [whole] * 20
            assert await asyncio.to_thread(sidecar.process.wait, 10) == 0
            assert set(probes.seen) == {("/readyz", 200), ("/readyz", 503), ("/livez", 200)}

    run_on_uvloop(scenario())


def test_a_request_on_a_connection_that_was_idle_when_the_drain_began_is_answered_and_told_to_close(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, reply()) as (sidecar, wire), Caller(sidecar.port) as caller:
            assert (await caller.ask(ASK)).value(b"connection") is None
            sidecar.tell(signal.SIGTERM)
            await wire.until(lambda: sidecar.admin("/readyz")[0] == 503)
            late = await caller.ask(ASK)
            assert (late.status, late.value(b"connection")) == (200, b"close")
            assert await caller.rest() == (b"", "closed")
            assert await asyncio.to_thread(sidecar.process.wait, 10) == 0

    run_on_uvloop(scenario())


def test_a_thousand_reloads_under_load_fail_no_call_and_no_probe(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (sidecar, wire):
            other = {"base_url": wire.url}
            async with (
                Probes(sidecar.admin_port) as probes,
                Traffic(sidecar.port, "/acme/", callers=2) as traffic,
                Caller(sidecar.admin_port) as admin,
            ):
                done = 0
                while done < 1000:
                    # Every third one changes the provider that is called.
                    acme = {**other, "retry": {"attempts": 2 + done // 3 % 2}}
                    sidecar.write({"acme": acme, f"other-{done}": other})
                    sidecar.tell(signal.SIGHUP)
                    done = await one_more(admin, done)
                await traffic.more(20)
            told = sidecar.admin("/metrics")[1]
            counted = dict(
                re.findall(rb'^tidegate_config_reloads_total\{result="(\w+)"\} ([0-9]+)', told, re.MULTILINE)
            )
            assert list(counted) == [b"loaded"]
            assert int(counted[b"loaded"]) in range(1000, 1010)  # the watch may see the last one too
            assert (list(traffic.statuses), traffic.failures) == ([200], [])
            assert set(probes.seen) == {("/readyz", 200), ("/livez", 200)}

    run_on_uvloop(scenario(), 90)


async def one_more(admin: Caller, done: int) -> int:
    """Wait until a further configuration was taken, and return how many have been; asked on a connection that stays."""
    while True:
        await asyncio.sleep(0.004)  # it takes longer than that, and to ask costs as much
        body = (await admin.ask(request("GET", "/metrics"))).body
        found = re.search(rb'^tidegate_config_reloads_total\{result="loaded"\} ([0-9]+)', body, re.MULTILINE)
        if found and int(found[1]) > done:
            return int(found[1])


def publish(folder: Path, version: int) -> str:
    """Write a secret as the kubelet does: a dated folder, and `..data` led there in one step. Returns: the secret."""
    dated = folder / f"..{version}"
    dated.mkdir(parents=True)
    (dated / "token").write_text(f"sk_test_example_{version}")
    (folder / "..data_tmp").symlink_to(dated.name)
    (folder / "..data_tmp").rename(folder / "..data")
    if not (folder / "token").is_symlink():
        (folder / "token").symlink_to("..data/token")
    return f"Bearer sk_test_example_{version}"


def test_a_secret_that_the_kubelet_swaps_under_load_fails_no_call_and_no_probe(tmp_path: Path) -> None:
    folder = tmp_path / "creds"
    sent = [publish(folder, 0)]

    async def scenario() -> None:
        async with Wire() as wire:
            credential = {"scheme": "bearer", "token": f"file:{folder}/token"}
            with Sidecar(tmp_path, {"acme": {"base_url": wire.url, "credential": credential}}) as sidecar:
                await swap_under_load(sidecar, wire)
            assert list(dict.fromkeys(bearer(wire, place) for place in range(len(wire.requests)))) == sent

    async def swap_under_load(sidecar: Sidecar, wire: Wire) -> None:
        async with Probes(sidecar.admin_port) as probes, Traffic(sidecar.port, "/acme/") as traffic:
            for version in range(1, 4):
                await traffic.more(50)
                sent.append(publish(folder, version))
                await wire.until(lambda: bearer(wire) == sent[-1])
        assert (list(traffic.statuses), traffic.failures) == ([200], [])
        assert set(probes.seen) == {("/readyz", 200), ("/livez", 200)}

    run_on_uvloop(scenario())


def bearer(wire: Wire, place: int = -1) -> str:
    return dict(wire.requests[place].fields)[b"Authorization"].decode()


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 100\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
    ids=["length", "chunked"],
)
def test_a_kill_never_ends_half_an_answer_cleanly_and_the_next_process_serves(tmp_path: Path, head: bytes) -> None:
    async def scenario() -> None:
        half: Script = [b"HTTP/1.1 200 OK\r\n" + head, HOLD]
        port = free_port()
        async with serving(tmp_path, half, reply(), egress={"listen": f"127.0.0.1:{port}"}) as (sidecar, wire):
            async with Caller(port) as caller, Caller(port) as idle:
                await caller.send(ASK)
                await wire.until(lambda: len(wire.requests) == 1)
                answer = asyncio.ensure_future(caller.answer())
                await asyncio.sleep(0.1)
                sidecar.kill()
                assert (await answer).status == 200
                assert not (await answer).whole
                assert await idle.rest() in [(b"", "closed"), (b"", "reset")]
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            sidecar.spawn().wait_until_ready()
            async with Caller(port) as again:
                assert (await again.ask(ASK)).status == 200

    run_on_uvloop(scenario())
