"""A secret shows nowhere but at its provider: not in log, metrics, admin pages, error bodies or the process list.

What a provider itself sends back to the caller passes untouched, because no answer is rewritten; all else is searched.
"""

import base64
import json
import secrets
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from tests.support.caller import Answer, Caller, request, run_on_uvloop
from tests.support.rules import ROOT
from tests.support.sidecar import Sidecar, free_port
from tests.support.wire import CLOSE, RESET, Link, Script, Wire, in_thread, reply

pytestmark = [pytest.mark.security, pytest.mark.e2e]


def canary() -> str:
    return f"CANARY-{secrets.token_hex(12)}/+ä"


SECRETS: Final = {name: canary() for name in ("bearer", "basic", "header", "query", "file", "broken")}
CALLERS_OWN: Final = canary()
SCHEMES: Final[dict[str, dict[str, str]]] = {
    "bearer": {"scheme": "bearer", "token": "env:CANARY_BEARER"},
    "basic": {"scheme": "basic", "username": "AC-example", "password": "env:CANARY_BASIC"},
    "header": {"scheme": "header", "name": "X-Api-Key", "value": "env:CANARY_HEADER"},
    "query": {"scheme": "query", "name": "key", "value": "env:CANARY_QUERY"},
}
ADMIN: Final = ("/", "/livez", "/readyz", "/metrics", "/api/providers", "/api/config", "/api/", "/nothing?key=x")


async def echo(link: Link) -> None:
    """Send everything back that came, in the status line, in fields that the log may show, and in the body."""
    said = bytes(link.received)
    line = b" ".join(said.split())[:3000]
    head = b"HTTP/1.1 200 %b\r\nRequest-Id: %b\r\nLocation: %b\r\nX-Api-Key: %b\r\n" % (line, line, line, line)
    link.writer.write(head + b"Content-Length: %d\r\n\r\n" % len(said) + said)


async def malformed_echo(link: Link) -> None:
    """Send everything back where no parser will have it."""
    link.writer.write(b"HTTP/1.1 200 OK\r\n" + b" ".join(bytes(link.received).split()) + b"\x00\r\n\r\n")


async def bad_chunk_echo(link: Link) -> None:
    """Send it back as a chunk size."""
    link.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + bytes(link.received) + b"\r\n")


SCRIPTS: Final[list[Script]] = [
    *(reply(status, b"no", b"Retry-After: 0") for status in (200, 302, 400, 401, 403, 404, 429, 500, 503)),
    [echo], [malformed_echo], [bad_chunk_echo], [RESET], [CLOSE], [0.5], b"garbage\r\n\r\n",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf", CLOSE], [b"HTTP/1.1 200 OK\r\n", RESET],
]  # fmt: skip


def requests(provider: str) -> list[bytes]:
    """Good and bad requests to a provider, with a secret of the caller's own wherever one may stand."""
    own = CALLERS_OWN.encode().decode("latin-1")
    lines = (f"Authorization: Bearer {own}", f"X-Api-Key: {own}", f"Cookie: session={own}", "X-Request-Id: r-1")
    path = f"/{provider}/v1/{quote(CALLERS_OWN, safe='')}?key={quote(CALLERS_OWN)}&q=1"
    return [request("GET", path, *lines), request("POST", path, *lines, body=CALLERS_OWN.encode())]


def bad_requests() -> list[bytes]:
    own = CALLERS_OWN.encode()
    get = b"GET /bearer/x HTTP/1.1\r\nHost: localhost\r\n"
    return [
        b"GET /bearer/" + own + b" HTTP/1.1\r\nHost: localhost\r\nX\x00: " + own + b"\r\n\r\n", own + b"\r\n\r\n",
        get + b"X_Api_Key: " + own + b"\r\n\r\n", get + b"Tidegate-Timeout: " + own + b"\r\n\r\n",
        get + b"Tidegate-Account: " + own + b"\r\n\r\n", get + b"Origin: " + own + b"\r\n\r\n",
        b"GET /" + own[:30] + b"/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /bearer/x HTTP/1.1\r\nHost: " + own + b"\r\n\r\n",
        get + b"Content-Length: " + own + b"\r\n\r\n", get + b"Transfer-Encoding: " + own + b"\r\n\r\n",
        get[:-2] + b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" + own + b"\r\n\r\n",
        own[:20] + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /bearer/x HTTP/" + own[:20] + b"\r\n\r\n",
    ]  # fmt: skip


@dataclass
class Traffic:
    """All that was said. sidecars: its own answers; providers: answers passed on; wired: bytes that went out.

    places: where people look, by name.
    """

    sidecars: list[bytes] = field(default_factory=list)
    providers: list[bytes] = field(default_factory=list)
    wired: bytes = b""
    places: dict[str, bytes] = field(default_factory=dict)


async def ask(port: int, data: bytes) -> Answer | None:
    async with Caller(port) as caller:
        try:
            return await caller.ask(data)
        except (EOFError, ConnectionError):
            return None


def play(sidecar: Sidecar, wire: Wire, traffic: Traffic) -> None:
    async def scenario() -> None:
        for name in ("bearer", "basic", "header", "query", "file"):
            for script in SCRIPTS:
                wire.play(script)
                for data in requests(name):
                    keep(await ask(sidecar.port, data))
        for data in [*bad_requests(), *requests("dead"), *requests("broken"), *requests("nobody")]:
            keep(await ask(sidecar.port, data))

    def keep(answer: Answer | None) -> None:
        if answer is not None:
            kept = traffic.providers if answer.value(b"tidegate-source") == b"provider" else traffic.sidecars
            kept.append(answer.head + answer.body)

    run_on_uvloop(scenario(), 50.0)


def configuration(folder: Path, wire: Wire) -> dict[str, Any]:
    (folder / "secret").write_text(SECRETS["file"] + "\n", encoding="utf-8")
    (folder / "broken").write_text(SECRETS["broken"] + "\r\nX: 1\n", encoding="utf-8")
    plain = {
        "base_url": wire.url, "timeout": {"attempt": "200ms"}, "breaker": False,
        "retry": {"attempts": 2, "base": "1ms", "cap": "2ms"}, "profile": {"request_id": "request-id"},
    }  # fmt: skip
    providers = {name: {**plain, "credential": scheme} for name, scheme in SCHEMES.items()}
    providers["file"] = {**plain, "credential": {"scheme": "bearer", "token": f"file:{folder / 'secret'}"}}
    providers["broken"] = {**plain, "credential": {"scheme": "bearer", "token": f"file:{folder / 'broken'}"}}
    dead = {"base_url": f"http://127.0.0.1:{free_port()}", "credential": SCHEMES["bearer"]}
    return {**providers, "dead": {**plain, **dead}}


def command(sidecar: Sidecar, env: dict[str, str], *words: str) -> bytes:
    """Run a subcommand on the same configuration; return all that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "proxy", *words, "--config", str(sidecar.config)], cwd=ROOT, env={**sidecar._env, **env},
        capture_output=True, check=False, timeout=20,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    folder = tmp_path_factory.mktemp("canaries")
    env = {f"CANARY_{name.upper()}": value for name, value in SECRETS.items() if name in SCHEMES}
    shown = ["x-api-key", "authorization", "location", "x-request-id"]
    log = {"log": {"level": "debug", "headers": shown, "query": ["q"]}}
    seen = Traffic()
    with ExitStack() as stack:
        wire = stack.enter_context(in_thread(Wire()))
        sidecar = stack.enter_context(Sidecar(folder, configuration(folder, wire), log, env))
        play(sidecar, wire, seen)
        for path in ADMIN:
            seen.places[path] = sidecar.admin(path)[1]
        pid = sidecar.process.pid
        seen.places["cmdline"] = Path(f"/proc/{pid}/cmdline").read_bytes()
        seen.places["check"] = command(sidecar, env, "check")
        seen.places["explain"] = command(sidecar, env, "explain", "query", "GET", "/v1/x")
        assert sidecar.stop() == 0
        seen.places["log"] = sidecar.stdout.read_bytes()
        seen.places["log without headers"] = without_headers(sidecar.stdout.read_bytes())
        seen.places["stderr"] = sidecar.stderr.read_bytes()
        seen.wired = b"".join(bytes(link.received) for link in wire.links)
    return seen


def without_headers(log: bytes) -> bytes:
    """Take out what the operator put on the allow-list."""
    lines = [json.loads(line) for line in log.splitlines()]
    return "\n".join(json.dumps({**line, "headers": None}, ensure_ascii=False) for line in lines).encode()


def spellings(secret: str) -> dict[str, bytes]:
    """Every way in which the secret, or what is made of it, may be written."""
    raw = secret.encode()
    return {
        "raw": raw,
        "hex part": raw[:31],
        "percent": quote(secret, safe="").encode(),
        "basic": base64.b64encode(b"AC-example:" + raw).rstrip(b"="),
        "base64": base64.b64encode(raw).rstrip(b"="),
        "escaped": secret.encode("unicode_escape"),
        "latin": repr(raw)[2:-1].encode(),
    }


@pytest.mark.parametrize("name", SCHEMES)
def test_the_secret_was_there_to_be_found(name: str, traffic: Traffic) -> None:
    assert any(spelt in traffic.wired for spelt in spellings(SECRETS[name]).values())
    assert CALLERS_OWN.encode() in traffic.wired  # the caller's own body and path are nobody's business
    assert len(traffic.sidecars) > 50
    assert any(b"CANARY-" in answer for answer in traffic.providers), "the echo came back"


def found(secret: str, places: dict[str, bytes]) -> list[tuple[str, str]]:
    """Return where the secret shows, and how it is spelt there."""
    return [(place, how) for how, spelt in spellings(secret).items() for place, text in places.items() if spelt in text]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_in_no_place_that_people_look_at(name: str, traffic: Traffic) -> None:
    assert found(SECRETS[name], traffic.places) == []


def test_the_callers_own_secret_is_there_only_where_the_operator_asked_for_it(traffic: Traffic) -> None:
    assert {place for place, _ in found(CALLERS_OWN, traffic.places)} == {"log"}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_in_no_answer_of_the_sidecars_own(name: str, traffic: Traffic) -> None:
    assert found(SECRETS[name], {"answers": b"\n".join(traffic.sidecars)}) == []


def test_the_callers_own_secret_is_not_repeated_to_it(traffic: Traffic) -> None:
    assert found(CALLERS_OWN, {"answers": b"\n".join(traffic.sidecars)}) == []


def test_the_callers_credential_never_reaches_the_provider(traffic: Traffic) -> None:
    own = CALLERS_OWN.encode()
    for line in (b"Bearer " + own, b"X-Api-Key: " + own):
        heads = [head for head in traffic.wired.split(b"\r\n") if line in head]
        assert {head.partition(b":")[0] for head in heads} <= {b"X-Api-Key"}
    assert b"Bearer " + own not in traffic.wired
