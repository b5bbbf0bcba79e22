"""The process as it stands, and what the service manager hears of it."""

import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.config import read
from proxy.process import Process
from tests.support.sidecar import Sidecar


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(Path(folder) / "notify"))  # pytest's own folders can be too long for a socket's name
        listening.settimeout(10)
        yield listening


def test_a_process_takes_calls_and_then_drains(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text("providers: {mock: {}}\n", encoding="utf-8")
    process = Process(file, read(file), time.time(), time.time())
    assert (process.started, process.draining) == (False, False)
    process.begin()
    assert (process.started, process.draining) == (True, False)
    process.end()
    assert (process.started, process.draining) == (True, True)


@pytest.mark.e2e
def test_the_service_manager_hears_that_it_is_ready_that_it_lives_and_that_it_stops(
    tmp_path: Path, manager: socket.socket
) -> None:
    with Sidecar(tmp_path, {"mock": {}}, env={"NOTIFY_SOCKET": manager.getsockname()}) as sidecar:
        assert manager.recv(100) == b"READY=1"
        assert sidecar.admin("/readyz")[0] == 200
        assert manager.recv(100) == b"WATCHDOG=1"
        sidecar.tell(signal.SIGTERM)
        while (told := manager.recv(100)) == b"WATCHDOG=1":
            continue
        assert told == b"STOPPING=1"
        assert sidecar.process.wait(20) == 0


@pytest.mark.e2e
def test_nobody_hears_of_readiness_when_the_start_is_refused(tmp_path: Path, manager: socket.socket) -> None:
    credential = {"scheme": "bearer", "token": "env:TIDEGATE_TEST_NOT_THERE"}
    providers = {"acme": {"base_url": "http://127.0.0.1:9", "credential": credential}}
    sidecar = Sidecar(tmp_path, providers, env={"NOTIFY_SOCKET": manager.getsockname()}).spawn()
    assert sidecar.process.wait(20) == 2
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)
