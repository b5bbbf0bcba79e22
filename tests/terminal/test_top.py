"""`tidegate top`: against a stand-in, and under a terminal of its own against a live tidegate."""

import argparse
import builtins
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from proxy.terminal.client import Refused
from proxy.terminal.rows import COLUMNS
from proxy.terminal.top import frame, top
from tests.support.rules import ROOT
from tests.support.sidecar import Sidecar
from tests.terminal.stand_in import Admin, serving

_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]")


def told(*names: str, **more: Any) -> dict[str, Any]:
    providers = [{"name": name, "sections": {"breaker": {"state": "closed"}}} for name in names]
    return {"version": "1.2", "now_ts": 9.0, "started_ts": 4.0, "ready": True, "providers": providers, **more}


def text(state: dict[str, Any], width: int = 200, height: int | None = None, problem: str = "") -> list[str]:
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(frame(state, problem, width, height))
    return [line.rstrip() for line in capture.get().splitlines()]


def arguments(admin: str, **more: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"admin": admin, "token": None, "config": None, "once": True, **more})


def test_a_frame_is_the_head_the_titles_and_a_row_per_provider() -> None:
    head, titles, *rest = text(told("acme", "billing"))
    assert head.startswith("tidegate 1.2 · ready · up 5s")
    assert titles.split("  ")[0] == "provider"
    assert all(title in titles for title, _ in COLUMNS)
    assert [line.split()[0] for line in rest] == ["acme", "billing"]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120])
def test_columns_give_way_where_there_is_no_room_and_nothing_is_wider_than_the_terminal(width: int) -> None:
    lines = text(told("a-provider-with-quite-a-name"), width)
    assert max(map(len, lines)) <= width
    assert "provider" in lines[1]
    if width >= 60:
        assert "breaker" in lines[1]


def test_providers_for_which_there_is_no_room_are_counted() -> None:
    lines = text(told(*(f"p{number:02}" for number in range(50))), height=24)
    assert len(lines) <= 23
    assert lines[-1] == "30 more"
    assert text(told("a", "b"), height=24)[-1].startswith("b ")


def test_without_providers_it_says_so() -> None:
    assert text(told())[-1] == "no providers"


def test_a_lost_connection_is_the_first_line() -> None:
    assert text(told("acme"), problem="refused")[0] == "connection lost: refused; trying again"


def test_markup_in_a_name_is_no_markup() -> None:
    assert any("[red]x[/red]" in line for line in text(told("[red]x[/red]")))


def test_once_prints_a_frame_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Admin(state=told("acme"))) as admin:
        assert top(arguments(admin.url)) == 0
    out = capsys.readouterr().out
    assert "acme" in out
    assert "\x1b" not in out


def test_without_a_terminal_it_prints_once_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Admin(state=told("acme"))) as admin:
        assert top(arguments(admin.url, once=False)) == 0
        assert admin.asked == ["/api/state"]
    assert "acme" in capsys.readouterr().out


def test_where_nothing_answers_it_says_so_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert top(arguments("127.0.0.1:1")) == 1
    assert "127.0.0.1:1 can't be read: Connection refused; is tidegate running there?" in capsys.readouterr().err


def test_without_rich_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.startswith("rich"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(Refused, match=re.escape("pip install 'tidegate[terminal]'")):
        top(arguments("127.0.0.1:1"))


class Terminal:
    """A command at a terminal of its own. shown: everything that it has written."""

    def __init__(self, *command: str, columns: int = 100) -> None:
        ours, theirs = pty.openpty()
        self._fd = ours
        self.shown = b""
        self.resize(columns)
        self.before = termios.tcgetattr(ours)
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": ""}
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "proxy", *command],
            cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def until(self, condition: Callable[[bytes], object], within_s: float = 20.0) -> None:
        ends_at = time.monotonic() + within_s
        while not condition(self.shown):
            assert time.monotonic() < ends_at, self.shown[-2000:]
            if select.select([self._fd], [], [], 0.05)[0]:
                self._read()

    def _read(self) -> None:
        try:
            self.shown += os.read(self._fd, 65536)
        except OSError:  # the other end is closed
            assert self.process.wait(10) is not None

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._fd)


def fetch(sidecar: Sidecar, path: str) -> None:
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://127.0.0.1:{sidecar.port}{path}", timeout=10).close()


@pytest.mark.e2e
def test_it_follows_a_live_tidegate_until_q_and_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    providers = {"mock": {"retry": False, "breaker": {"failures": 1, "open": "5m", "open_max": "5m"}}}
    with Sidecar(tmp_path, providers) as sidecar:
        terminal = Terminal("top", "--admin", f"127.0.0.1:{sidecar.admin_port}")
        try:
            terminal.until(lambda shown: b"closed" in shown and b"ready" in shown)
            assert b"\x1b[?1049h" in terminal.shown  # a screen of its own
            fetch(sidecar, "/mock/status/503")
            terminal.until(lambda shown: re.search(rb"\x1b\[1;31mopen \d", shown))
            terminal.shown = b""
            terminal.resize(40)
            terminal.process.send_signal(signal.SIGWINCH)
            terminal.until(lambda shown: b"breaker" in shown and b"credential" not in shown)
            sidecar.kill()
            terminal.until(lambda shown: b"connection lost" in shown)
            terminal.press(b"q")
            assert terminal.process.wait(10) == 0
            terminal.until(lambda shown: b"\x1b[?1049l" in shown)
            assert termios.tcgetattr(terminal._fd)[:4] == terminal.before[:4]
        finally:
            terminal.close()


@pytest.mark.e2e
@pytest.mark.parametrize("command", ["top", "tail"])
def test_ctrl_c_ends_it_without_a_traceback(tmp_path: Path, command: str) -> None:
    with Sidecar(tmp_path, {"mock": {}}) as sidecar:
        fetch(sidecar, "/mock/anything")
        terminal = Terminal(command, "--admin", f"127.0.0.1:{sidecar.admin_port}")
        try:
            terminal.until(lambda shown: b"mock" in shown)
            os.killpg(terminal.process.pid, signal.SIGINT)
            assert terminal.process.wait(10) in (0, 130)
            assert b"Traceback" not in terminal.shown
        finally:
            terminal.close()
