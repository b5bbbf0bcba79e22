"""A real Prometheus that scrapes a sidecar every second.

with Prometheus(folder, targets=[f"127.0.0.1:{port}"], rules=text) as prometheus:
    assert prometheus.ask("up") != []
"""

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from tests.support.programs import program
from tests.support.sidecar import free_port


class Prometheus:
    """The server, with a folder for its configuration and data. rules: a rules file's text."""

    process: subprocess.Popen[bytes]

    def __init__(self, folder: Path, targets: Sequence[str], rules: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rules.yaml").write_text(rules, encoding="utf-8")
        jobs = [{"job_name": "tidegate", "static_configs": [{"targets": list(targets)}]}]
        every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config = {"global": every, "rule_files": ["rules.yaml"], "scrape_configs": jobs}
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self._folder = folder
        self._port = free_port()

    def __enter__(self) -> Self:
        with (self._folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    program("prometheus"),
                    f"--config.file={self._folder}/prometheus.yaml",
                    f"--storage.tsdb.path={self._folder}/data",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self.until(lambda: bool(self.ask("up == 1")))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def until(self, true: Callable[[], bool], within_s: float = 20.0) -> None:
        """Wait until something holds. Raises: AssertionError with Prometheus' log."""
        ends_at = time.monotonic() + within_s
        while not self._holds(true):
            assert time.monotonic() < ends_at, (self._folder / "log").read_text("utf-8", "replace")
            time.sleep(0.1)

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """Return the series that an instant query finds. Raises: AssertionError with what is wrong in it."""
        found: list[dict[str, Any]] = self._get("query", query=expr)["result"]
        return found

    def ask_range(self, expr: str, seconds: int) -> list[dict[str, Any]]:
        """Return the series that a query finds in the last seconds, one point for each."""
        now = time.time()
        span = {"start": f"{now - seconds:.3f}", "end": f"{now:.3f}", "step": "1"}
        found: list[dict[str, Any]] = self._get("query_range", query=expr, **span)["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule with its health."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _holds(self, true: Callable[[], bool]) -> bool:
        try:
            return true()
        except OSError:  # it does not listen yet
            return False

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        asked = f"{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/{asked}", timeout=10) as answer:
                told: dict[str, Any] = json.load(answer)["data"]
                return told
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 503:  # it is starting
                    raise OSError(error.code) from None
                raise AssertionError(json.load(error)["error"]) from None
