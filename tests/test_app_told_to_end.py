"""What a reload that takes its time must not hold up: the sign of life, and the end."""

import asyncio
import signal
import sys
import time
from pathlib import Path

import pytest

from proxy import app as module
from proxy.process import Process
from tests.support.caller import run_on_uvloop
from tests.test_app import running, until


def test_while_a_command_is_slow_to_tell_a_secret_it_shows_life_and_can_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, lives = tmp_path / "asked", 0
    command = tmp_path / "slow"
    command.write_text(
        f"#!{sys.executable}\nimport pathlib, time\npathlib.Path({str(asked)!r}).touch()\ntime.sleep(60)\n"
    )
    command.chmod(0o755)

    def tick(_: Process) -> None:
        nonlocal lives
        lives += 1

    monkeypatch.setattr(module, "WATCH_S", 0.01)
    monkeypatch.setattr(Process, "tick", tick)

    async def scenario() -> None:
        async with running(tmp_path) as one:
            one.write(
                f'listen: "unix:{tmp_path}/s", credential: {{scheme: bearer, token: "exec:{command}"}}',
                "secrets: {exec: true, exec_timeout: 60s}\n",
            )
            one.tell(signal.SIGHUP)
            await until(asked.exists)
            before = lives
            await until(lambda: lives > before + 2)
            one.tell(signal.SIGTERM)
            async with asyncio.timeout(1):
                await until(lambda: one.app.control.readiness() == ["draining"])
            assert (one.reloads("loaded"), one.reloads("refused")) == (0, 0)

    began_at = time.monotonic()
    run_on_uvloop(scenario())
    assert time.monotonic() - began_at < 20  # nor does the process wait for the command
    assert list(tmp_path.glob("s.*")) == []  # nor is the socket left behind that was to be opened
