"""The service manager is told, and can't hurt."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.edge.notify import notify


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        address = str(Path(folder) / "notify")  # pytest's own folders can be too long for a socket's name
        manager.bind(address)
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield manager


def test_the_manager_hears_what_is_told(listening: socket.socket) -> None:
    notify("READY=1")
    notify("STOPPING=1")
    assert [listening.recv(100), listening.recv(100)] == [b"READY=1", b"STOPPING=1"]


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="names outside of the file system are Linux's")
def test_a_name_outside_of_the_file_system_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"tidegate-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify("WATCHDOG=1")
        assert manager.recv(100) == b"WATCHDOG=1"


def test_a_manager_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")


def test_a_manager_that_does_not_read_blocks_nobody(listening: socket.socket) -> None:
    for _ in range(5_000):  # far more than a socket's buffer takes
        notify("WATCHDOG=1")
    assert listening.recv(100) == b"WATCHDOG=1"


def test_without_a_manager_nothing_is_sent(monkeypatch: pytest.MonkeyPatch, listening: socket.socket) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")
    with pytest.raises(BlockingIOError):
        listening.recv(100)
