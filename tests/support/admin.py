"""A stand-in for the process behind the admin pages, whose every answer a test sets."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp.test_utils import TestClient

from proxy.core.errors import BadRequest
from proxy.edge.observe.recent import Recent

Client = TestClient[Any, Any]
Open = Callable[..., Awaitable[Client]]
"""Serves a view, a plain one where none is given, and returns a client."""


@dataclass
class View:
    """See `proxy/edge/admin/view.py`. token: None for none configured. acted: what was asked for, in order."""

    hosts: tuple[str, ...] = ("tidegate.internal",)
    problems: list[str] = field(default_factory=list)
    at: float = 100.0
    providers: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    failing: bool = False
    protect: Literal["actions", "all"] = "actions"
    token: str | None = None
    recent: Recent = field(default_factory=lambda: Recent(16))
    told: dict[str, object] = field(default_factory=dict)
    slo: list[Mapping[str, object]] = field(default_factory=list)
    stacks: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    known: dict[str, Mapping[str, object]] = field(default_factory=dict)
    acted: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def admits(self, token: str | None) -> bool | None:
        return None if self.token is None else token == self.token

    def snapshots(self, at: float) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
        if self.failing:
            raise RuntimeError("key sk_test_example refused")
        assert at == self.at
        return self.providers

    def state(self) -> Mapping[str, object]:
        return self.told

    def objectives(self) -> list[Mapping[str, object]]:
        return self.slo

    def stack(self, provider: str) -> list[tuple[str, str, str]] | None:
        return self.stacks.get(provider)

    def call(self, request_id: str) -> Mapping[str, object] | None:
        return self.known.get(request_id)

    def readiness(self) -> list[str]:
        return self.problems

    def metrics(self, accept: str) -> tuple[bytes, str]:
        return b"accepted " + accept.encode(), "text/plain; version=0.0.4; charset=utf-8"

    def redact(self, data: bytes) -> bytes:
        return data.replace(b"sk_test_example", b"[secret]")

    def refuse_action(self, peer: str, problem: str) -> None:
        self.refused.append((peer, problem))

    def act(self, action: str, target: Mapping[str, str], peer: str) -> str:
        if action != "reload":
            raise BadRequest(f"no action {action!r}")
        self.acted.append((action, dict(target)))
        return "read again"
