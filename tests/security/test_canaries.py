"""A secret shows nowhere but at its provider: not in log, metrics, admin pages, error bodies or the process list.

What a provider itself sends back to the caller passes untouched, because no answer is rewritten; all else is searched.
"""

import base64
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import pytest

from proxy.credentials import SCHEMES as ALL_SCHEMES
from tests.security import looked_at
from tests.security.hunted import (
    CALLERS_OWN,
    MORE,
    NEVER_SENT,
    ON_THE_WIRE,
    PLACEHOLDER,
    SCHEMES,
    SECRETS,
    configuration,
    requests,
    token_endpoint,
)
from tests.support.caller import Answer, Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar
from tests.support.wire import CLOSE, RESET, Link, Script, Wire, in_thread, reply

pytestmark = [pytest.mark.security, pytest.mark.e2e]


async def echo(link: Link) -> None:
    """Send everything back that came, in the status line, in fields that the log may show, and in the body."""
    said = bytes(link.received)
    line = b" ".join(said.split())[:3000].rpartition(b" ")[0]  # nobody can know a secret that the provider cut
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
    """All that was said. sidecars: its own answers; providers: answers passed on; explained: calls as the admin pages
    explain them; wired, token_requests, collector_heads: bytes that went out to the providers, to the token endpoint,
    and to the collector, there without spans.

    places: where people look, by name.
    """

    sidecars: list[bytes] = field(default_factory=list)
    providers: list[bytes] = field(default_factory=list)
    explained: list[bytes] = field(default_factory=list)
    wired: bytes = b""
    token_requests: bytes = b""
    collector_heads: bytes = b""
    places: dict[str, bytes] = field(default_factory=dict)


async def ask(port: int, data: bytes) -> Answer | None:
    async with Caller(port) as caller:
        try:
            return await caller.ask(data)
        except (EOFError, ConnectionError):
            return None


def play(sidecar: Sidecar, wire: Wire, traffic: Traffic) -> None:
    async def scenario() -> None:
        for name in (*SCHEMES, *MORE):
            for script in SCRIPTS:
                wire.play(script)
                for data in requests(name.replace("_", "-")):
                    keep(await ask(sidecar.port, data))
                traffic.explained.append(sidecar.admin("/api/calls/r-1")[1])
        for data in [*bad_requests(), *requests("dead"), *requests("broken"), *requests("nobody")]:
            keep(await ask(sidecar.port, data))
        wire.play(reply(200))  # a caller's own id is told everywhere, and may be what it should not be
        await ask(sidecar.port, request("GET", "/bearer/x", f"X-Request-Id: {SECRETS['all_header']}"))

    def keep(answer: Answer | None) -> None:
        if answer is not None:
            kept = traffic.providers if answer.value(b"tidegate-source") == b"provider" else traffic.sidecars
            kept.append(answer.head + answer.body)

    run_on_uvloop(scenario(), 90.0)


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    folder = tmp_path_factory.mktemp("canaries")
    seen = Traffic()
    with ExitStack() as stack:
        wire, tokens, collector = (stack.enter_context(in_thread(one)) for one in (Wire(), token_endpoint(), Wire()))
        providers, sections = configuration(folder, wire, tokens), looked_at.settings(folder, collector.url)
        sidecar = stack.enter_context(Sidecar(folder, providers, sections, looked_at.VARIABLES))
        play(sidecar, wire, seen)
        seen.places["explained"] = b"".join(seen.explained)
        seen.places |= looked_at.running(sidecar)
        assert sidecar.stop() == 0
        seen.places |= looked_at.left_behind(sidecar, folder)
        seen.places["spans"] = b"".join(one.body for one in collector.requests)
        seen.collector_heads = b"".join(one.head for one in collector.requests)
        seen.wired = b"".join(bytes(link.received) for link in wire.links)
        seen.token_requests = b"".join(bytes(link.received) for link in tokens.links)
    return seen


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


def found(secret: str, places: dict[str, bytes]) -> list[tuple[str, str]]:
    """Return where the secret, or a line of it, shows, and how it is spelt there."""
    lines = secret.splitlines()[1:-1] or [secret]  # of a key in PEM, what stands between its first line and its last
    spelt = [(how, needle) for line in lines for how, needle in spellings(line).items()]
    return [(place, how) for how, needle in spelt for place, text in places.items() if needle in text]


def test_every_scheme_is_hunted() -> None:
    assert set(SCHEMES) == set(ON_THE_WIRE) == set(ALL_SCHEMES)


@pytest.mark.parametrize("name", SCHEMES)
def test_the_scheme_was_at_work(name: str, traffic: Traffic) -> None:
    for sign in ON_THE_WIRE[name]:
        needles = [sign] if isinstance(sign, bytes) else spellings(sign).values()
        assert any(needle in traffic.wired for needle in needles)


def test_there_was_enough_to_be_found(traffic: Traffic) -> None:
    assert CALLERS_OWN.encode() in traffic.wired  # the caller's own body and path are nobody's business
    assert len(traffic.sidecars) > 100
    assert any(b"CANARY-" in answer for answer in traffic.providers), "the echo came back"
    assert found(SECRETS["oauth2"], {"token endpoint": traffic.token_requests})
    assert found(SECRETS["collector"], {"collector": traffic.collector_heads})


SEEN: Final = {
    "actions": b"no level", "/api/state": b'"name":"bearer"', "/api/calls": b'"event":"call"',
    "/api/calls/r-1": b'"explanation":', "/api/changes": b'"event":"acted"', "/api/stack/bearer": b"env:CANARY_BEARER",
    "/api/slo": b'"objectives":', "explained": b"The provider answered 503", "exemplars": b"trace_id=",
    "stream": b"event: calls", "top": b"bearer", "tail": b" GET /", "tail --json": b'"event":"call"',
    "rules": b"groups:", "dashboard": b'"panels"', "explain": b"client_key", "audit": b'"event":"action"',
    "audit verify": b"whole: ", "spans": b"tidegate.request_id", "log": b'"event":"acted"',
}  # fmt: skip
"""What stands in a place that has something to tell."""


@pytest.mark.parametrize("place", SEEN)
def test_a_place_that_is_searched_has_something_to_tell(place: str, traffic: Traffic) -> None:
    assert SEEN[place] in traffic.places[place], traffic.places[place][:2000]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_in_no_place_that_people_look_at(name: str, traffic: Traffic) -> None:
    assert found(SECRETS[name], traffic.places) == []


def test_a_token_that_was_signed_here_is_in_no_such_place_and_in_no_answer(traffic: Traffic) -> None:
    tokens = set(re.findall(rb"Bearer (eyJ[A-Za-z0-9_.-]+)", traffic.wired))
    assert tokens
    for token in tokens:
        assert found(token.decode(), {**traffic.places, "answers": b"\n".join(traffic.sidecars)}) == []


def test_the_callers_own_secret_is_there_only_where_the_operator_asked_for_it(traffic: Traffic) -> None:
    asked_for = looked_at.WITH_HEADERS | {"audit"}  # which has the field that names the caller
    shown = {place for place, _ in found(CALLERS_OWN, traffic.places)}
    assert {"log", "audit", "/api/calls"} <= shown <= asked_for


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_in_no_answer_of_the_sidecars_own(name: str, traffic: Traffic) -> None:
    assert found(SECRETS[name], {"answers": b"\n".join(traffic.sidecars)}) == []


def test_the_callers_own_secret_is_not_repeated_to_it(traffic: Traffic) -> None:
    assert found(CALLERS_OWN, {"answers": b"\n".join(traffic.sidecars)}) == []


@pytest.mark.parametrize("name", NEVER_SENT)
def test_a_secret_that_only_signs_reaches_nobody(name: str, traffic: Traffic) -> None:
    assert found(SECRETS[name], {"wire": traffic.wired + traffic.token_requests}) == []


def test_the_callers_placeholder_never_reaches_a_provider(traffic: Traffic) -> None:
    assert PLACEHOLDER.encode() not in traffic.wired + traffic.token_requests
