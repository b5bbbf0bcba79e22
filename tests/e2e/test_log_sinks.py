import os
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.caller import run_on_uvloop
from tests.support.sidecar import Sidecar, free_port
from tests.support.traffic import Traffic
from tests.support.wire import Wire

pytestmark = pytest.mark.e2e


@contextmanager
def mute(tmp_path: Path, wire: Wire, log: dict[str, Any] | None = None, **popen: Any) -> Iterator[Sidecar]:
    """Start a sidecar that can't tell its ports in its log."""
    port, admin_port = free_port(), free_port()
    settings = {"egress": {"listen": f"127.0.0.1:{port}"}, "admin": {"listen": f"127.0.0.1:{admin_port}"}}
    sidecar = Sidecar(tmp_path, {"acme": {"base_url": wire.url}}, {**settings, "log": log or {}}).spawn(**popen)
    sidecar.port, sidecar.admin_port = port, admin_port
    try:
        yield sidecar
    finally:
        sidecar.kill()


async def is_unhurt(sidecar: Sidecar, wire: Wire) -> None:
    """See that calls go on, that the lines are counted as lost, and that it still ends in order."""
    await wire.until(lambda: answers(sidecar))
    async with Traffic(sidecar.port, "/acme/", pause_s=0) as traffic:
        await traffic.more(600)
    assert (list(traffic.statuses), traffic.failures) == ([200], [])
    assert sidecar.stop() == 0


def answers(sidecar: Sidecar) -> bool:
    try:
        return sidecar.admin("/readyz")[0] == 200
    except urllib.error.URLError:
        assert sidecar.process.poll() is None
        return False


def dropped(sidecar: Sidecar) -> float:
    lines = sidecar.admin("/metrics")[1].decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("tidegate_log_dropped_total "))


def test_a_full_disk_costs_lines_and_no_calls(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Wire() as wire:
            with mute(tmp_path, wire, {"file": "/dev/full"}) as sidecar:
                await wire.until(lambda: answers(sidecar))
                async with Traffic(sidecar.port, "/acme/", pause_s=0) as traffic:
                    await traffic.more(300)
                await wire.until(lambda: dropped(sidecar) >= 300)
                await is_unhurt(sidecar, wire)

    run_on_uvloop(scenario())


def test_a_reader_of_the_log_that_has_gone_costs_lines_and_no_calls(tmp_path: Path) -> None:
    async def scenario() -> None:
        reading, writing = os.pipe()
        os.close(reading)
        async with Wire() as wire:
            with mute(tmp_path, wire, stdout=writing) as sidecar:
                os.close(writing)
                await is_unhurt(sidecar, wire)

    run_on_uvloop(scenario())


def test_a_reader_of_the_log_that_stopped_holds_no_call_up_and_not_the_end_either(tmp_path: Path) -> None:
    async def scenario() -> None:
        reading, writing = os.pipe()
        async with Wire() as wire:
            with mute(tmp_path, wire, stdout=writing) as sidecar:
                os.close(writing)
                await is_unhurt(sidecar, wire)  # 600 lines are more than the pipe's 64 KiB
        assert len(os.read(reading, 1 << 20)) < 600 * 200
        os.close(reading)

    run_on_uvloop(scenario())


def test_a_log_file_gets_every_call_and_stdout_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        file = tmp_path / "log"
        async with Wire() as wire:
            with mute(tmp_path, wire, {"file": str(file)}) as sidecar:
                await is_unhurt(sidecar, wire)
            assert file.read_text().count('"/') >= 600
            assert sidecar.stdout.read_bytes() == b""
            assert file.stat().st_mode & 0o077 in (0o040, 0o000)

    run_on_uvloop(scenario())
