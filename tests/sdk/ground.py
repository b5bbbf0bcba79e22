"""What the tests with SDKs stand on: one provider behind the sidecar, as its own SDK meets it."""

import asyncio
import threading
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson

from proxy.config import preset
from tests.support.framing import fields, values
from tests.support.tap import Tap
from tests.support.wire import Link, Request, Script, Step, Wire, reply

SECRETS: Final = {
    "ANTHROPIC_API_KEY": "sk-ant-example-of-a-key",
    "GITHUB_TOKEN": "ghp_example_of_a_token",
    "OPENAI_API_KEY": "sk-example-of-a-key",
    "SENDGRID_API_KEY": "SG.example.of-a-key",
    "SLACK_BOT_TOKEN": "xoxb-example-of-a-token",
    "STRIPE_SECRET_KEY": "sk_test_example",
    "TWILIO_AUTH_TOKEN": "example-of-an-auth-token",
}
ACCOUNT_SID: Final = "ACexample"  # stands in every path, so it is no secret
ENVIRONMENT: Final = {**SECRETS, "TWILIO_ACCOUNT_SID": ACCOUNT_SID}

_BASIC: Final = b64encode(f"{ACCOUNT_SID}:{SECRETS['TWILIO_AUTH_TOKEN']}".encode())
INJECTED: Final = {
    "anthropic": (b"x-api-key", b"sk-ant-example-of-a-key"),
    "github": (b"authorization", b"Bearer ghp_example_of_a_token"),
    "openai": (b"authorization", b"Bearer sk-example-of-a-key"),
    "sendgrid": (b"authorization", b"Bearer SG.example.of-a-key"),
    "slack": (b"authorization", b"Bearer xoxb-example-of-a-token"),
    "stripe": (b"authorization", b"Bearer sk_test_example"),
    "twilio": (b"authorization", b"Basic " + _BASIC),
}
"""The one field by which each provider must know the caller."""

_HIDDEN: Final = (*(secret.encode() for secret in SECRETS.values()), _BASIC)
_CREDENTIALS: Final = {b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"cookie"}


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
        self.name = entry.partition("-")[0]
        self.base = f"{tap.url}/{entry}"
        self.tap = tap
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
        exec(line if line.startswith("client = ") else f"client = {line}", scope)  # noqa: S102 - our own catalogue
        return scope["client"]

    @property
    def requests(self) -> list[Request]:
        """What the provider was asked."""
        return self._wire.requests

    @property
    def lines(self) -> list[str]:
        """Method and target of each request that the provider was sent."""
        return [f"{request.method.decode()} {request.target.decode()}" for request in self.requests]

    def check_what_was_said(self) -> None:
        """See that the provider knew the caller by the injected credential alone, and the SDK learnt none."""
        for request in self.requests:
            check_credential(self.name, request.head)
            assert b"placeholder" not in request.head + request.body
            assert request.body in self.tap.sent
        assert b"placeholder" in self.tap.sent or b64encode(f"{ACCOUNT_SID}:placeholder".encode()) in self.tap.sent
        assert [secret for secret in _HIDDEN if secret in self.tap.received] == []


Grounds = Callable[[str], Ground]
"""Gives the provider behind an entry of the sidecar's configuration."""


def check_credential(name: str, head: bytes) -> None:
    """See that a request's head holds the injected credential, once, and no other."""
    found = [(field.lower(), value) for field, value in fields(head) if field.lower() in _CREDENTIALS]
    assert found == [INJECTED[name]]


def sent_json(request: Request) -> object:
    """Return what the provider was sent, read as JSON."""
    return orjson.loads(request.body)


def pointed(preset_name: str, wire: Wire, **settings: Any) -> Mapping[str, Any]:
    """Return a provider's entry in the configuration: its preset, with nothing but the address replaced.

    The credential is the preset's too, and written, because a preset's secret goes to no other host by itself.
    """
    credential = preset(preset_name).data["credential"]
    return {"preset": preset_name, "base_url": wire.url, "credential": credential, **settings}


def only(head: bytes, name: bytes) -> bytes:
    """Return the value of a field that must stand there exactly once."""
    (value,) = values(head, name)
    return value
