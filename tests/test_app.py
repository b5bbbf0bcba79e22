import asyncio
import gc
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from proxy import app as module
from proxy.app import App, main
from proxy.config import Loaded, read
from proxy.core.errors import ConfigError
from proxy.edge.mock import start_mock
from proxy.listeners import Listeners
from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.sidecar import free_port
from tests.support.wire import Wire

CONFIG = """
egress: {{listen: "127.0.0.1:0"}}
admin: {{listen: "127.0.0.1:0", hosts: [tide.internal]}}
log: {{file: "{log}"}}
providers:
  mock: {{{mock}}}
"""


class Running:
    """An App at work in this process, told what to do by signals as a real one."""

    def __init__(self, folder: Path, mock: str = "", more: str = "") -> None:
        self.path = folder / "tidegate.yaml"
        self.log = folder / "log"
        self.write(mock, more)
        self.app = App(self.path, read(self.path))

    def write(self, mock: str = "", more: str = "") -> None:
        self.path.write_text(CONFIG.format(log=self.log, mock=mock) + more)

    @property
    def port(self) -> int:
        found = re.search(r"ready on http://127.0.0.1:(\d+)", self.log.read_text())
        assert found is not None
        return int(found[1])

    def tell(self, number: signal.Signals) -> None:
        os.kill(os.getpid(), number)

    def reloads(self, result: str) -> int:
        mark = f'tidegate_config_reloads_total{{result="{result}"}} '
        lines = self.app.control.metrics("")[0].decode().splitlines()
        return sum(int(float(line.removeprefix(mark))) for line in lines if line.startswith(mark))

    async def status(self, target: str, port: int = 0) -> int:
        async with Caller(port or self.port) as caller:
            return (await caller.ask(request("GET", target))).status


@asynccontextmanager
async def running(folder: Path, mock: str = "", more: str = "") -> AsyncIterator[Running]:
    one = Running(folder, mock, more)
    life = asyncio.ensure_future(one.app.run())
    try:
        await until(lambda: life.done() or (not one.app.control.readiness() and "ready on" in one.log.read_text()))
        yield one
        if not life.done():
            one.tell(signal.SIGTERM)
        assert await life == 0
    finally:
        life.cancel()
        await asyncio.wait([life])
        gc.unfreeze()


async def until(true: object) -> None:
    assert callable(true)
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - any condition, not one that could set an event
            await asyncio.sleep(0.002)


def test_it_is_ready_once_it_serves_and_not_while_it_drains(tmp_path: Path) -> None:
    async def scenario() -> None:
        assert Running(tmp_path / "..").app.control.readiness() == ["starting"]
        async with running(tmp_path) as one:
            assert await one.status("/mock/status/204") == 204
            assert one.app.control.readiness() == []
            async with Caller(one.port) as caller:
                await caller.send(request("GET", "/mock/delay/0.1"))
                await until(
                    lambda: one.app.control.snapshots(one.app.control.now())["mock"]["bulkhead"]["in_flight"] == 1
                )
                one.tell(signal.SIGTERM)
                await until(lambda: one.app.control.readiness() == ["draining"])
                assert (await caller.answer()).status == 200

    run_on_uvloop(scenario())


def test_the_admin_pages_see_names_of_hosts_state_and_metrics(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as one:
            await one.status("/mock/status/200")
            assert one.app.control.hosts == ("tide.internal",)
            assert one.app.control.snapshots(one.app.control.now())["mock"]["breaker"]["state"] == "closed"
            body, kind = one.app.control.metrics("")
            assert kind.startswith("text/plain")
            assert b'tidegate_requests_total{code="200",method="GET",provider="mock"' in body

    run_on_uvloop(scenario())


def test_signals_that_come_at_once_open_a_new_address_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as one:
            own = free_port()
            one.write(mock=f'listen: "127.0.0.1:{own}"')
            one.tell(signal.SIGHUP)
            await asyncio.gather(*[one.app._reload() for _ in range(3)])  # the watch and the signal meet
            assert one.reloads("refused") == 0
            assert await one.status("/status/204", own) == 204

    run_on_uvloop(scenario())


def test_a_variable_that_is_not_set_is_refused_at_start_and_on_reload(tmp_path: Path) -> None:
    more = "  stripe: {credential: {token: env:TIDEGATE_TEST_UNSET}}\n"

    async def scenario() -> None:
        async with running(tmp_path) as one:
            one.write(more=more)
            one.tell(signal.SIGHUP)
            await until(lambda: one.reloads("refused"))
            assert one.app.control.readiness() == []

    run_on_uvloop(scenario())
    with pytest.raises(ConfigError, match="TIDEGATE_TEST_UNSET: the variable is not set"):
        main(tmp_path / "tidegate.yaml")


def test_a_bug_while_reading_costs_one_reload_and_not_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> Loaded:
        raise ZeroDivisionError

    async def scenario() -> None:
        async with running(tmp_path) as one:
            with monkeypatch.context() as patch:
                patch.setattr(module, "read", broken)
                one.tell(signal.SIGHUP)
                await until(lambda: one.reloads("refused"))
            assert await one.status("/mock/status/204") == 204
            await until(lambda: "ZeroDivisionError" in one.log.read_text())
            one.tell(signal.SIGHUP)
            await until(lambda: one.reloads("loaded"))

    run_on_uvloop(scenario())


def test_a_configuration_that_becomes_a_loop_of_links_is_refused_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCH_S", 0.01)

    async def scenario() -> None:
        async with running(tmp_path) as one:
            one.path.unlink()
            one.path.symlink_to(one.path.name)
            await until(lambda: one.reloads("refused"))
            assert await one.status("/mock/status/204") == 204
            one.path.unlink()
            one.write()
            await until(lambda: one.reloads("loaded"))
            assert "Too many levels of symbolic links" in one.log.read_text()

    run_on_uvloop(scenario())


def test_a_bug_while_looking_at_the_file_costs_one_look_and_not_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "WATCH_S", 0.01)

    async def scenario() -> None:
        async with running(tmp_path) as one:
            with monkeypatch.context() as patch:
                patch.setattr(module, "stamp_of", broken)
                await until(lambda: "bug while looking at" in one.log.read_text())
                one.tell(signal.SIGHUP)
                await until(lambda: one.reloads("refused"))
            one.write(mock="retry: off")
            await until(lambda: one.reloads("loaded"))
            assert await one.status("/mock/status/204") == 204

    run_on_uvloop(scenario())


def test_the_mock_runs_only_once_somebody_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    async def noted() -> tuple[str, web.AppRunner]:
        url, runner = await start_mock()
        started.append(url)
        return url, runner

    monkeypatch.setattr(module, "start_mock", noted)

    async def scenario() -> None:
        async with running(tmp_path, "base_url: 'http://127.0.0.1:9'") as one:
            assert started == []
            one.write()
            one.tell(signal.SIGHUP)
            await until(lambda: started)
            await until(lambda: one.reloads("loaded") == 1)
            one.write(more="  other: {preset: mock}\n")
            one.tell(signal.SIGHUP)
            await until(lambda: one.reloads("loaded") == 2)
            assert [await one.status(f"/{name}/status/204") for name in ("mock", "other")] == [204, 204]
            assert len(started) == 1
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", int(started[0].rpartition(":")[2]))

    run_on_uvloop(scenario())


def test_a_file_that_is_still_being_written_is_read_when_it_lies_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCH_S", 0.01)

    async def scenario() -> None:
        async with running(tmp_path) as one:
            whole = one.path.read_text()
            for end in range(0, len(whole), 8):  # cut anywhere it is another file, an empty one among them
                one.path.write_text(whole[:end])
                await asyncio.sleep(0.01)
            one.path.write_text(whole + "  other: {preset: mock}\n")
            await until(lambda: one.reloads("loaded"))
            assert one.reloads("refused") == 0
            assert await one.status("/other/status/204") == 204

    run_on_uvloop(scenario())


def test_an_address_in_use_leaves_nothing_open(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Wire() as wire:
            one = Running(tmp_path)
            text = one.path.read_text().replace(
                'egress: {listen: "127.0.0.1:0"}', f"egress: {{listen: '{wire.url[7:]}'}}"
            )
            one.path.write_text(text)
            with pytest.raises(ConfigError, match=r"egress\.listen: can't listen there: Address already in use"):
                await App(one.path, read(one.path)).run()
            assert len(asyncio.all_tasks()) == 1

    run_on_uvloop(scenario())


def test_a_life_that_is_cut_short_still_closes_its_listeners(tmp_path: Path) -> None:
    async def scenario() -> None:
        one = Running(tmp_path)
        life = asyncio.ensure_future(one.app.run())
        await until(lambda: "ready on" in one.log.read_text())
        life.cancel()
        await asyncio.wait([life])
        gc.unfreeze()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", one.port)

    run_on_uvloop(scenario())


def test_an_admin_address_in_use_is_told_before_any_caller_is_drawn_from_the_process_that_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(_: Listeners) -> None:
        pytest.fail("callers were let in")

    monkeypatch.setattr(Listeners, "serve", serve)
    path = tmp_path / "tidegate.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        admin = f'admin: {{listen: "127.0.0.1:{taken.getsockname()[1]}"}}'
        path.write_text(f'egress: {{listen: "127.0.0.1:0", reuse_port: true}}\n{admin}\nproviders: {{mock: {{}}}}\n')
        with pytest.raises(ConfigError, match="can't listen there: Address already in use"):
            run_on_uvloop(App(path, read(path)).run())
