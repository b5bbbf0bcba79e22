"""Every place where somebody looks at a running sidecar, and all that stands there."""

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from tests.security.hunted import ENVIRONMENT, SCHEMES, SECRETS
from tests.support.rules import ROOT
from tests.support.sidecar import Sidecar

PAGES: Final = (
    *("/", "/livez", "/readyz", "/metrics", "/api/providers", "/api/state", "/api/slo", "/api/calls", "/api/changes"),
    *("/api/calls/r-1", "/api/config", "/api/", "/nothing?key=x"),
    *(f"/api/stack/{name.replace('_', '-')}" for name in SCHEMES),
)
WITH_HEADERS: Final = frozenset({"log", "explained", "/api/calls", "/api/calls/r-1", "stream", "tail --json"})
"""The places that show header fields, where the operator allows it."""

VARIABLES: Final = {f"CANARY_{name.upper()}": value for name, value in ENVIRONMENT.items()}

_TAIL_S: Final = 3.0
_TOKEN: Final = ("--token", "env:CANARY_ADMIN")


def settings(folder: Path, collector: str) -> dict[str, Any]:
    """Return the sections by which as much is told as can be. collector: its URL."""
    shown = ["x-api-key", "authorization", "location", "x-request-id"]
    return {
        "admin": {"token": "env:CANARY_ADMIN"},
        "audit": {"file": str(folder / "audit"), "caller": "x-other", "key": "env:CANARY_AUDIT"},
        "log": {"level": "debug", "headers": shown, "query": ["q"]},
        "tracing": {"endpoint": collector, "sample": 1, "headers": {"X-Key": "env:CANARY_COLLECTOR"}},
    }


def running(sidecar: Sidecar) -> dict[str, bytes]:
    """Return what is seen while it runs, by place."""
    port = sidecar.admin_port
    client = ("--admin", f"http://127.0.0.1:{port}", *_TOKEN)
    places = {"actions": b"".join(_answers(port))}
    places |= {path: sidecar.admin(path)[1] for path in PAGES}
    places["exemplars"] = _asked(port, "/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})
    places["stream"] = _streamed(port)
    places["cmdline"] = Path(f"/proc/{sidecar.process.pid}/cmdline").read_bytes()
    places["top"] = command(sidecar, "top", "--once", *client)
    places["tail"] = command(sidecar, "tail", *client, within_s=_TAIL_S)
    places["tail --json"] = command(sidecar, "tail", "--json", *client, within_s=_TAIL_S)
    config = ("--config", str(sidecar.config))
    for name in ("check", "rules", "dashboard"):
        places[name] = command(sidecar, name, *config)
    places["explain"] = command(sidecar, "explain", "mutual", *config)
    for name in ("query", "body", "all", "oauth2", "jwt"):
        places[f"explain {name}"] = command(sidecar, "explain", name, "GET", "/v1/x", *config)
    return places


def left_behind(sidecar: Sidecar, folder: Path) -> dict[str, bytes]:
    """Return what is there once it has ended, by place."""
    log = sidecar.stdout.read_bytes()
    return {
        "log": log,
        "log without headers": _without_headers(log),
        "stderr": sidecar.stderr.read_bytes(),
        "audit": (folder / "audit").read_bytes(),
        "audit verify": command(sidecar, "audit", "verify", str(folder / "audit"), "--key", "env:CANARY_AUDIT"),
    }


def command(sidecar: Sidecar, *words: str, within_s: float = 20.0) -> bytes:
    """Run a subcommand; return all that it prints, and has printed by then where it does not end."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "proxy", *words], cwd=ROOT, env=sidecar._env, capture_output=True, check=False,
            timeout=within_s,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"") + (error.stderr or b"")
    return done.stdout + done.stderr


def _answers(port: int) -> Iterable[bytes]:
    """Paste every secret into every field of an action, and the admin token where none belongs."""
    token, path = ENVIRONMENT["admin"], "/api/actions"
    right = {"Authorization": f"Bearer {token}"}
    loaded = [secret for name, secret in SECRETS.items() if name != "broken"]  # what is not loaded is not known
    for secret in loaded:
        for order in (
            {"action": secret},
            {"action": "log.level", "value": secret},
            {"action": "breaker.open", "provider": secret},
            {"action": "breaker.open", "provider": "bearer", "account": secret},
        ):
            yield _asked(port, path, right, json.dumps(order).encode())
    yield _asked(port, f"{path}?token={token}", {"Authorization": f"Basic {token}"}, b"{}")
    yield _asked(port, f"{path}/{token}", {"Origin": token})
    yield _asked(port, path, {"X-Long": token * 200})


def _asked(port: int, path: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=10)) as caller:
        caller.request("GET" if body is None else "POST", path, body, dict(headers))
        return caller.getresponse().read()


def _streamed(port: int) -> bytes:
    """Return the first event of each kind."""
    said = b""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/stream", timeout=10) as answer:
        while said.count(b"\ndata: ") < 3:
            said += answer.readline()
    return said


def _without_headers(log: bytes) -> bytes:
    """Take out what the operator put on the allow-list."""
    lines = [json.loads(line) for line in log.splitlines()]
    return "\n".join(json.dumps({**line, "headers": None}, ensure_ascii=False) for line in lines).encode()
