"""What the tests with SDKs stand on: one provider behind the sidecar, as its own SDK meets it."""

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from typing import Any

import orjson

from proxy.config import catalogue, preset
from tests.sdk.known import KNOWN, hidden
from tests.sdk.said import check_known, mentions_placeholder, said
from tests.support.framing import split_requests, values
from tests.support.presets import NEEDS
from tests.support.tap import Tap
from tests.support.wire import Link, Request, Script, Step, Wire, reply


def says(data: object, status: int = 200, *lines: str) -> bytes:
    """Return an answer of JSON; `lines` are further header lines."""
    body = b"" if data is None else orjson.dumps(data)
    return reply(status, body, b"Content-Type: application/json", *(line.encode() for line in lines))


def streams(*steps: Step, whole: bool = True) -> list[Step]:
    """Return an answer of server-sent events; bytes are one event each, anything else is a step of the wire.

    whole: whether the stream comes to its end.
    """
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks: list[Step] = [b"%x\r\n%b\r\n" % (len(step), step) if isinstance(step, bytes) else step for step in steps]
    return [head, *chunks, *([b"0\r\n\r\n"] if whole else [])]


def event(data: object, kind: str = "") -> bytes:
    """Return one server-sent event; text goes out as it is, all else as JSON."""
    text = data.encode() if isinstance(data, str) else orjson.dumps(data)
    return (b"event: %b\n" % kind.encode() if kind else b"") + b"data: %b\n\n" % text


def after(gate: threading.Event) -> Callable[[Link], Awaitable[None]]:
    """Return a step that waits until the test opens the gate."""

    async def wait(_: Link) -> None:
        assert await asyncio.to_thread(gate.wait, 10), "the test never opened the gate"

    return wait


def once_open(count: int) -> Callable[[Link], Awaitable[None]]:
    """Return a step that waits until so many exchanges have come to it."""
    arrived = 0
    all_here = asyncio.Event()

    async def wait(_: Link) -> None:
        nonlocal arrived
        arrived += 1
        if arrived >= count:
            all_here.set()
        await all_here.wait()

    return wait


class Ground:
    """A provider by its entry in the configuration, which begins with the preset's name.

    wire: what stands in for the provider. tap: between SDK and sidecar. base: where the SDK calls.
    """

    def __init__(self, entry: str, wire: Wire, tap: Tap) -> None:
        self.name = preset_of(entry)
        self.base = f"{tap.url}/{entry}"
        self.tap = tap
        self._entry = entry
        self._wire = wire
        tap.clear()
        wire.requests.clear()
        wire.play(reply(599))

    def play(self, *scripts: Script) -> None:
        """Let the provider answer so, one script a request; the last one repeats."""
        self._wire.play(*scripts)

    def client(self, **names: object) -> Any:
        """Make the client by the very line that the catalogue advises. names: what that line takes from the SDK."""
        line: str = preset(self.name).data["profile"]["sdk"]["python"].replace("{base}", self.base)
        scope: dict[str, Any] = dict(names)
        exec(line if "client = " in line else f"client = {line}", scope)  # noqa: S102 - our own catalogue
        return scope["client"]

    @property
    def requests(self) -> list[Request]:
        """What the provider was asked."""
        return self._wire.requests

    @property
    def lines(self) -> list[str]:
        """Method and target of each request that the provider was sent."""
        return [f"{request.method.decode()} {request.target.decode()}" for request in self.requests]

    @property
    def asked(self) -> list[tuple[bytes, bytes]]:
        """What the SDK asked, head and body each, as the provider itself would be asked."""
        prefix = re.compile(rb"\A(\S+) /%b(?=[/?\s])/?" % re.escape(self._entry.encode()))
        whole = [pair for stream in self.tap.streams for pair in split_requests(bytes(stream))]
        return [(prefix.sub(rb"\1 /", head), body) for head, body in whole]

    def compare(self, call: Callable[["Ground"], object], *scripts: Script, varying: tuple[bytes, ...] = ()) -> None:
        """Let the SDK make the same call to the provider itself and through the sidecar, and compare what arrives.

        varying: fields that the SDK fills with another value every time, in lower case.
        """
        direct = copy(self)
        direct.base = self._wire.url
        arrived = []
        for way in (direct, self):
            self.requests.clear()
            way.play(*scripts)
            call(way)
            arrived.append([said(self.name, one.head, one.body, frozenset(varying)) for one in self.requests])
        assert arrived[0]
        assert arrived[0] == arrived[1]

    def check_what_was_said(self) -> None:
        """See that the provider got what the SDK sent, but for the injected credential, and the SDK learnt none."""
        known = KNOWN[self.name]
        asked = [said(self.name, *one) for one in self.asked]
        for request in self.requests:
            check_known(self.name, request)
            assert not mentions_placeholder(request.head, request.body)
            assert said(self.name, self._without_minted(request.head), request.body) in asked
        assert not known.placeholder or any(mentions_placeholder(*one) for one in self.asked)
        assert [secret for secret in hidden() if secret in self.tap.received] == []

    def _without_minted(self, head: bytes) -> bytes:
        """Take out a key that tidegate made; it tells the caller of it."""
        for key in re.findall(rb"\r\nTidegate-Idempotency-Key: ([^\r]+)", self.tap.received):
            head = re.sub(rb"\r\n[A-Za-z-]+: %b(?=\r\n)" % re.escape(key), b"", head)
        return head


Grounds = Callable[[str], Ground]
"""Gives the provider behind an entry of the sidecar's configuration."""


def preset_of(entry: str) -> str:
    """Return the preset whose name, and perhaps `-` and more, is the name of the entry."""
    return max((name for name in catalogue() if f"{entry}-".startswith(f"{name}-")), key=len)


def sent_json(request: Request) -> object:
    """Return what the provider was sent, read as JSON."""
    return orjson.loads(request.body)


def pointed(name: str, wire: Wire | Tap, issuer: Wire | None = None) -> Mapping[str, Any]:
    """Return a provider's entry in the configuration: its preset, with nothing but the addresses replaced.

    The credential is the preset's too, and written, because a preset's secret goes to no other host by itself.
    issuer: the token endpoint, the provider itself unless given.
    """
    credential = preset(name).data["credential"]
    if credential["scheme"] == "oauth2":
        credential = {**credential, "token_url": f"{(issuer or wire).url}/token"}
    return {"preset": name, **NEEDS.get(name, {}), "base_url": wire.url, "credential": credential}


def only(head: bytes, name: bytes) -> bytes:
    """Return the value of a field that must stand there exactly once."""
    (value,) = values(head, name)
    return value
