import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.core.errors import ConfigError
from proxy.core.units import Listen, parse_listen
from proxy.edge.predecessor import Predecessor

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="hand-over needs Linux")

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start processes that sleep under a name."""
    started: list[subprocess.Popen[bytes]] = []

    def sleep(name: str = "tidegate", *arguments: str) -> subprocess.Popen[bytes]:
        script = tmp_path / name
        script.write_text("import time; print(flush=True); time.sleep(60)")
        process = subprocess.Popen([sys.executable, str(script), *arguments], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield sleep
    for process in started:
        process.kill()
        process.communicate()


def test_a_running_tidegate_is_told_to_drain(start: Start) -> None:
    process = start("tidegate", "run", "--config", "x")
    assert Predecessor(process.pid).tell_to_drain()
    assert process.wait(10) == -signal.SIGTERM


def test_one_that_has_ended_meanwhile_is_no_error_whoever_has_its_number_now(start: Start) -> None:
    process = start("tidegate", "run")
    predecessor = Predecessor(process.pid)
    process.kill()
    process.wait()
    assert not predecessor.tell_to_drain()


@pytest.mark.parametrize(("name", "arguments"), [("editor", ["tidegate", "run"]), ("tidegate", ["tail"])])
def test_what_is_no_running_tidegate_is_refused(start: Start, name: str, arguments: list[str]) -> None:
    process = start(name, *arguments)
    with pytest.raises(ConfigError, match=f"--replace {process.pid}: is no running tidegate"):
        Predecessor(process.pid)
    assert process.poll() is None


def test_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no running tidegate"):
        Predecessor(os.getpid())


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1, 10**30])
def test_a_number_of_no_process_is_refused(pid: int) -> None:
    with pytest.raises(ConfigError, match="there is no such process"):
        Predecessor(pid)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root to start as another user")
def test_another_user_s_is_refused() -> None:
    with subprocess.Popen(
        ["setpriv", "--reuid", "65534", "sh", "-c", "echo; sleep 60; :", "run"], stdout=-1
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(ConfigError, match="belongs to another user"):
            Predecessor(process.pid)
        process.kill()


def test_it_must_answer_where_the_new_one_will_listen(start: Start, tmp_path: Path) -> None:
    predecessor = Predecessor(start("tidegate", "run").pid)
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        here = parse_listen(f"127.0.0.1:{tcp.getsockname()[1]}")
        predecessor.answers_at(here)
        predecessor.answers_at(Listen("0.0.0.0", here.port))
        predecessor.answers_at(parse_listen(f"unix:{tmp_path}/s"))
    for gone in (here, parse_listen(f"unix:{tmp_path}/s")):
        with pytest.raises(ConfigError, match="does not listen on"):
            predecessor.answers_at(gone)
    with pytest.raises(ConfigError, match="write a fixed one"):
        predecessor.answers_at(parse_listen("127.0.0.1:0"))


def test_a_refusal_says_that_it_serves_on_and_why(start: Start) -> None:
    process = start("tidegate", "run")
    (line,) = Predecessor(process.pid).refuse("no secret").problems
    assert line == f"tidegate: --replace {process.pid}: serves on, because the new one can't take over: no secret"
