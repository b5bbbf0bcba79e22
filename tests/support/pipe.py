"""A log that writes into a pipe."""

import os
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from proxy.edge.observe.lines import Level
from proxy.edge.observe.log import Log
from proxy.edge.observe.recent import Recent

SECRET: Final = "sk_test_example"
"""What every such log takes out."""


@dataclass
class Sampling:
    """The `log.sample` section."""

    first: int
    every: int


@dataclass
class Settings:
    """The `log` section."""

    format: Literal["json", "console"] = "json"
    level: Level = "info"
    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    sample: Sampling | None = None


def redact(data: bytes) -> bytes:
    """Take the secret out."""
    return data.replace(SECRET.encode(), b"[secret]")


class Pipe:
    """A log that writes into a pipe, and what came out of it."""

    def __init__(self, **settings: Any) -> None:
        self.source, self.sink = os.pipe()
        self.batches: list[bytes] = []
        self.settings = Settings(**settings)
        self.recent = Recent(100)
        self.log = Log(self._redact, self.settings, wall=lambda: 1.5, fd=self.sink, recent=self.recent)

    def _redact(self, data: bytes) -> bytes:
        self.batches.append(data)
        return redact(data)

    def lines(self) -> list[dict[str, Any]]:
        """Close the log and return what it wrote."""
        return [orjson.loads(line) for line in self.raw().splitlines()]

    def raw(self) -> bytes:
        """Close the log and return its bytes; there must be some."""
        assert self.log.close()
        return os.read(self.source, 10_000_000)
