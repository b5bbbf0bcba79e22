"""The sidecar as a user starts it: `python -m proxy run`, on free ports, in a process of its own.

with Sidecar(tmp_path, providers={"acme": {"base_url": wire.url}}) as sidecar:
    ... talk to sidecar.port (egress) and sidecar.admin_port ...
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import yaml

from tests.support.rules import ROOT

_READY: Final = re.compile(r"ready on (\S+), admin on ([^\s\"]+)")


def free_port() -> int:
    """Return a TCP port on which nothing listens, for settings that can't be 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Sidecar:
    """A running sidecar. Both listeners take free ports unless `settings` say otherwise.

    folder: for configuration and log. providers: as in the file. settings: further sections, such as
    {"log": {"level": "debug"}}; the log is JSON at info or lower, because the ready line tells the ports.
    env: set on top of the test's own environment.
    """

    port: int
    admin_port: int
    process: subprocess.Popen[bytes]

    def __init__(
        self,
        folder: Path,
        providers: Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "tidegate.yaml"
        self.stdout = folder / "stdout"
        self.stderr = folder / "stderr"
        self._env = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
        self.write(providers, settings)

    def write(self, providers: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> None:
        """Write the configuration in one step; a running sidecar sees it within a second or at SIGHUP."""
        sections: dict[str, Any] = {key: dict(value) if isinstance(value, Mapping) else value
                                    for key, value in (settings or {}).items()}  # fmt: skip
        for name in ("egress", "admin"):
            sections.setdefault(name, {}).setdefault("listen", "127.0.0.1:0")
        apart = json.loads(json.dumps({**sections, "providers": providers}))  # else shared parts become YAML aliases
        text = yaml.safe_dump(apart, sort_keys=False)
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.config)

    def spawn(self, *further: str, **popen: Any) -> Self:
        """Start the process without waiting for it; further arguments go to `run`, keywords to Popen."""
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "proxy", "run", "--config", str(self.config), *further],
                **{"cwd": ROOT, "env": self._env, "stdout": out, "stderr": err, "stdin": subprocess.DEVNULL, **popen},
            )
        return self

    def wait_until_ready(self, within_s: float = 20.0) -> Self:
        """Wait for the ready line and learn the ports from it. Raises: AssertionError with what it said instead."""
        ends_at = time.monotonic() + within_s
        while (found := _READY.search(self.stdout.read_text("utf-8", "replace"))) is None:
            said = self.stderr.read_text("utf-8", "replace")
            assert self.process.poll() is None, f"exit {self.process.returncode}: {said}"
            assert time.monotonic() < ends_at, f"not ready within {within_s} s: {said}"
            time.sleep(0.01)
        self.port, self.admin_port = (int(url.rpartition(":")[2]) if "//" in url else 0 for url in found.groups())
        return self

    def __enter__(self) -> Self:
        self.spawn()
        try:
            return self.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """Where callers find it; a provider is at `{url}/NAME`."""
        return f"http://127.0.0.1:{self.port}"

    def log(self, *, all_of_it: bool = False) -> list[dict[str, Any]]:
        """Return the log lines of calls and events; `all_of_it` waits for what is buffered."""
        if all_of_it:
            time.sleep(0.3)  # the log is written in batches
        return [json.loads(line) for line in self.stdout.read_text("utf-8").splitlines()]

    def admin(self, path: str) -> tuple[int, bytes]:
        """GET a path of the admin listener: status and body."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}{path}", timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def tell(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def stop(self, within_s: float = 20.0) -> int:
        """Ask it to drain and return its exit status."""
        self.tell(signal.SIGTERM)
        return self.process.wait(within_s)

    def kill(self) -> None:
        """End it now; harmless when it has ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
