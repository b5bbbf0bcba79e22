import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.rules import ROOT
from tests.support.sidecar import Sidecar
from tests.support.wire import Wire, in_thread

pytestmark = pytest.mark.e2e

MOCK: dict[str, Any] = {"mock": {}}


def close_standard_descriptors() -> None:
    os.closerange(0, 3)


def refused(sidecar: Sidecar) -> str:
    """Start a sidecar that must not start; returns what it complained of, which is all that it said."""
    sidecar.spawn()
    try:
        assert sidecar.process.wait(20) == 2
    finally:
        sidecar.kill()
    assert sidecar.stdout.read_bytes() == b""
    return sidecar.stderr.read_text()


def test_it_tells_when_it_is_ready_and_where_and_serves_the_mock(tmp_path: Path) -> None:
    with Sidecar(tmp_path, MOCK) as sidecar:
        ready = next(line for line in sidecar.log() if "ready" in line.get("message", ""))
        assert ready["message"] == f"ready on {sidecar.url}, admin on http://127.0.0.1:{sidecar.admin_port}"
        assert sidecar.admin("/readyz")[0] == 200

        async def scenario() -> None:
            async with Caller(sidecar.port) as caller:
                assert (await caller.ask(request("GET", "/mock/status/204"))).status == 204

        run_on_uvloop(scenario())
        assert sidecar.stop() == 0
        assert sidecar.stderr.read_bytes() == b""


def test_for_people_it_writes_how_to_use_it(tmp_path: Path) -> None:
    sidecar = Sidecar(tmp_path, MOCK, {"log": {"format": "console"}}).spawn()
    try:
        while "curl" not in (said := sidecar.stdout.read_text()):
            assert sidecar.process.poll() is None
        assert "tidegate is ready" in said
        assert "/mock -> builtin:mock" in said
        assert "\n  console      http://127.0.0.1:" in said
        assert sidecar.stop() == 0
    finally:
        sidecar.kill()


@pytest.mark.parametrize("section", ["egress", "admin"])
def test_an_address_in_use_is_one_line_and_exit_2(tmp_path: Path, section: str) -> None:
    with in_thread(Wire()) as wire:
        taken = f"127.0.0.1:{wire.port}"
        said = refused(Sidecar(tmp_path, MOCK, {section: {"listen": taken}}))
    line = (tmp_path / "tidegate.yaml").read_text().splitlines().index(f"  listen: {taken}") + 1
    key = f"{tmp_path}/tidegate.yaml:{line}: {section}.listen"
    assert said == f"{key}: can't listen there: Address already in use; write another address\n"


def test_an_own_port_in_use_names_its_provider(tmp_path: Path) -> None:
    with in_thread(Wire()) as wire:
        said = refused(Sidecar(tmp_path, {"mock": {"listen": f"127.0.0.1:{wire.port}"}}))
    assert said.count("\n") == 1
    assert ": providers.mock.listen: can't listen there: Address already in use" in said


def test_a_variable_that_is_not_set_is_one_line_and_exit_2(tmp_path: Path) -> None:
    said = refused(Sidecar(tmp_path, {"stripe": {"credential": {"token": "env:TIDEGATE_TEST_UNSET"}}}))
    assert said.count("\n") == 1
    assert "providers.stripe.credential.token: env:TIDEGATE_TEST_UNSET: the variable is not set" in said


def test_a_log_file_that_can_t_be_opened_is_one_line_and_exit_2(tmp_path: Path) -> None:
    said = refused(Sidecar(tmp_path, MOCK, {"log": {"file": f"{tmp_path}/absent/log"}}))
    assert said.count("\n") == 1
    assert "log.file: can't write there: No such file or directory" in said


def test_a_configuration_that_does_not_hold_is_told_line_by_line(tmp_path: Path) -> None:
    said = refused(Sidecar(tmp_path, {"mock": {"retyr": False}, "billing": {}}))
    assert [line.split(": ")[1] for line in said.splitlines()] == ["providers.mock.retyr", "providers.billing.base_url"]


def test_a_configuration_that_is_not_there_is_one_line_and_exit_2(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "proxy", "run", "--config", f"{tmp_path}/absent"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr.count(b"\n")) == (2, b"", 1)


def test_a_missing_secret_file_fails_its_provider_and_readiness_until_it_appears(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Wire() as wire:
            file = tmp_path / "token"
            poor = {"base_url": wire.url, "credential": {"scheme": "bearer", "token": f"file:{file}"}}
            with Sidecar(tmp_path, {"poor": poor, "rich": {"base_url": wire.url}}) as sidecar:
                async with Caller(sidecar.port) as caller:
                    answer = await caller.ask(request("GET", "/poor/"))
                    assert (answer.status, b'"credential_missing"' in answer.body) == (503, True)
                    assert (await caller.ask(request("GET", "/rich/"))).status == 200
                    status, body = sidecar.admin("/readyz")
                    assert (status, f"poor: file:{file}: No such file" in body.decode()) == (503, True)
                    assert sidecar.admin("/livez")[0] == 200
                    file.write_text("sk_test_example\n")
                    await wire.until(lambda: sidecar.admin("/readyz")[0] == 200)
                    assert (await caller.ask(request("GET", "/poor/"))).status == 200
            assert (b"Authorization", b"Bearer sk_test_example") in wire.requests[-1].fields

    run_on_uvloop(scenario())


async def ask_twenty_times(path: Path) -> None:
    """Ask over a connection that stays open until the log has been written, and see plain answers only."""
    reader, writer = await asyncio.open_unix_connection(path)
    for _ in range(20):
        writer.write(request("GET", "/"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(2) == b"ok"
    await asyncio.sleep(0.15)
    writer.close()


def test_without_standard_descriptors_nothing_of_the_log_reaches_a_socket(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Wire() as wire:
            sidecar = Sidecar(tmp_path, {"acme": {"base_url": wire.url, "listen": f"unix:{tmp_path}/socket"}})
            sidecar.spawn(preexec_fn=close_standard_descriptors)
            try:
                await wire.until((tmp_path / "socket").exists)
                for _ in range(3):
                    await ask_twenty_times(tmp_path / "socket")
                descriptors = Path(f"/proc/{sidecar.process.pid}/fd")
                assert {str((descriptors / str(fd)).readlink()) for fd in range(3)} == {"/dev/null"}
                assert sidecar.stop() == 0
            finally:
                sidecar.kill()
            assert len(wire.requests) == 60
            assert all(link.received.count(b"\r\n\r\n") == 60 for link in wire.links)

    run_on_uvloop(scenario())
