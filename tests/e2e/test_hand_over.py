"""One process takes over from another while calls come without a pause: none may fail."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.framing import LIMIT
from tests.support.sidecar import Sidecar, free_port
from tests.support.traffic import Traffic
from tests.support.wire import HOLD, Wire, reply

pytestmark = pytest.mark.e2e

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
ASK = request("GET", "/acme/")


class Knocking:
    """Callers that make a connection for every call. failures: whatever was not a whole 200."""

    def __init__(self, connect: Connect, callers: int = 4) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self._connect = connect
        self._stopping = False
        self._tasks = [asyncio.ensure_future(self._call()) for _ in range(callers)]

    async def end(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _call(self) -> None:
        while not self._stopping:
            try:
                await self._ask(*await self._connect())
            except (OSError, asyncio.IncompleteReadError) as error:
                self.failures.append(repr(error))
            await asyncio.sleep(0.001)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(ASK)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(2)
            self.answered += 1
            if not head.startswith(b"HTTP/1.1 200 ") or body != b"ok":
                self.failures.append(repr(head))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class Line:
    """Sidecars that follow one another at the same addresses."""

    def __init__(self, folder: Path, providers: dict[str, Any], **settings: Any) -> None:
        self.port, self.admin_port = free_port(), free_port()
        self.all: list[Sidecar] = []
        self._folder = folder
        self.providers = providers
        self._settings = {
            "egress": {"listen": f"127.0.0.1:{self.port}", "reuse_port": True},
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"},
            **settings,
        }

    def next(self, *arguments: str, **settings: Any) -> Sidecar:
        """Start one more, without waiting for it."""
        sidecar = Sidecar(self._folder / str(len(self.all)), self.providers, {**self._settings, **settings})
        self.all.append(sidecar.spawn(*arguments))
        return sidecar

    async def hand_over(self) -> None:
        """Start one that replaces the last, and wait until that one has ended."""
        old = self.all[-1]
        new = self.next("--replace", str(old.process.pid))
        await asyncio.to_thread(new.wait_until_ready)
        assert await asyncio.to_thread(old.process.wait, 20) == 0

    def calls(self) -> list[int]:
        return [sum(line["event"] == "call" for line in one.log(all_of_it=True)) for one in self.all]


@asynccontextmanager
async def line(tmp_path: Path, *scripts: Any, own: str = "", **settings: Any) -> AsyncIterator[tuple[Line, Wire]]:
    """Start the first one."""
    async with Wire(*scripts) as wire:
        acme = {"base_url": wire.url, "bulkhead": False, "rate_limit": False}
        providers = {"acme": acme, **({"own": {**acme, "listen": own}} if own else {})}
        sidecars = Line(tmp_path, providers, **settings)
        try:
            await asyncio.to_thread(sidecars.next().wait_until_ready)
            yield sidecars, wire
        finally:
            for one in sidecars.all:
                one.kill()


def test_three_hand_overs_under_load_fail_no_call(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def scenario() -> None:
        async with line(tmp_path, own=f"unix:{path}") as (sidecars, _):
            port = sidecars.port
            fresh = Knocking(lambda: asyncio.open_connection("127.0.0.1", port, limit=LIMIT), 8)
            unix = Knocking(lambda: asyncio.open_unix_connection(path, limit=LIMIT), 2)
            async with Traffic(port, "/acme/", callers=8) as kept:
                for _ in range(3):
                    await kept.more(300)
                    await sidecars.hand_over()
                await kept.more(300)
            await asyncio.gather(fresh.end(), unix.end())
            assert fresh.failures + unix.failures + kept.failures == []
            assert kept.statuses == Counter({200: len(kept.answers)})
            assert min(fresh.answered, unix.answered, len(kept.answers)) > 1000
            assert min(sidecars.calls()) > 100
            assert [one.process.poll() for one in sidecars.all] == [0, 0, 0, None]

    run_on_uvloop(scenario(), 60)


def test_a_call_under_way_ends_where_it_began_and_every_new_one_goes_to_the_new_process(tmp_path: Path) -> None:
    async def scenario() -> None:
        go_on = asyncio.Event()

        async def wait(_: object) -> None:
            await go_on.wait()

        slow = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfi", wait, b"sh"]
        async with line(tmp_path, slow, reply(), drain_delay="2s") as (sidecars, _), Caller(sidecars.port) as caller:
            old = sidecars.all[0]
            await caller.send(ASK)
            await caller.reader.readuntil(b"fi")
            new = sidecars.next("--replace", str(old.process.pid))
            await asyncio.to_thread(new.wait_until_ready)
            for _ in range(40):  # the old one still listens
                async with Caller(sidecars.port) as other:
                    assert (await other.ask(ASK)).status == 200
            assert old.process.poll() is None
            go_on.set()
            assert await caller.rest() == (b"sh", "closed")
            assert await asyncio.to_thread(old.process.wait, 20) == 0
            assert sidecars.calls() == [1, 40]

    run_on_uvloop(scenario())


def test_what_can_t_do_the_work_takes_nothing_over(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with line(tmp_path) as (sidecars, wire):
            old = sidecars.all[0]
            absent = {"base_url": wire.url, "credential": {"scheme": "bearer", "token": f"file:{tmp_path}/absent"}}
            sidecars.providers["poor"] = absent
            new = sidecars.next("--replace", str(old.process.pid))
            assert await asyncio.to_thread(new.process.wait, 20) == 2
            assert "serves on, because the new one can't take over: poor: file:" in new.stderr.read_text()
            async with Traffic(sidecars.port, "/acme/") as traffic:
                await traffic.more(40)
            assert (list(traffic.statuses), traffic.failures) == ([200], [])

    run_on_uvloop(scenario())


def test_a_process_that_does_not_share_its_port_is_not_replaced_and_serves_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with line(tmp_path) as (sidecars, _):
            alone = {"listen": f"127.0.0.1:{free_port()}"}
            settled = sidecars.next(egress=alone, admin={"listen": "127.0.0.1:0"})
            await asyncio.to_thread(settled.wait_until_ready)
            pid = str(settled.process.pid)
            for egress, reason in (
                ({**alone, "reuse_port": True}, "egress.listen: can't listen there: Address already in use"),
                (alone, "egress.reuse_port: must be true, here and in the process that is replaced"),
                ({"listen": f"127.0.0.1:{free_port()}", "reuse_port": True}, "does not listen on 127.0.0.1:"),
                ({"listen": "127.0.0.1:0", "reuse_port": True}, "write a fixed one"),
            ):
                new = sidecars.next("--replace", pid, egress=egress, admin={"listen": "127.0.0.1:0"})
                assert await asyncio.to_thread(new.process.wait, 20) == 2
                assert reason in new.stderr.read_text()
            assert settled.process.poll() is None
            assert settled.admin("/readyz")[0] == 200

    run_on_uvloop(scenario())


def test_the_admin_pages_are_the_new_process_s_from_its_readiness_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        held = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfi", HOLD]
        async with line(tmp_path, held, admin={"listen": f"unix:{tmp_path}/a"}) as (sidecars, _):
            async with Caller(sidecars.port) as caller:
                await caller.send(ASK)
                await caller.reader.readuntil(b"fi")
                new = sidecars.next("--replace", str(sidecars.all[0].process.pid))
                await asyncio.to_thread(new.wait_until_ready)
                reader, writer = await asyncio.open_unix_connection(f"{tmp_path}/a")
                writer.write(request("GET", "/readyz"))
                assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
                writer.close()
                assert sidecars.all[0].process.poll() is None
            assert await asyncio.to_thread(sidecars.all[0].process.wait, 20) == 0
            assert (tmp_path / "a").is_socket()  # the old one has not taken the new one's away

    run_on_uvloop(scenario())
