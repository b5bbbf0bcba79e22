"""The egress listener alone, in this process, on a loopback port; a handler stands in for the provider's stack."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from proxy.core.call import Handler
from proxy.core.events import CallEnded, Event
from proxy.core.profile import Profile
from proxy.edge.listener.egress import Egress, EgressRules
from proxy.edge.listener.rewrite import Rewriter
from proxy.edge.listener.routes import Route, Routes, stop_line
from proxy.edge.listener.server import Bounds, Server
from proxy.edge.upstream.dial import Origin
from proxy.edge.upstream.engine import Engine
from proxy.edge.upstream.pool import PoolConfig
from proxy.sansio.classify import Classifier
from proxy.sansio.hosts import HostRule
from proxy.sansio.redact import Redactor
from tests.support import answers
from tests.support.caller import Caller
from tests.support.script import Script
from tests.support.wire import Wire

PATIENCE_S: Final = 10.0
"""How long a test waits for what must come; a failing one waits as long, a passing one does not."""

RULES: Final = EgressRules(guard=None, allow_browsers=False, replay_bytes=64 * 1024, body_idle_s=5.0)
BOUNDS: Final = Bounds(connections=1000, header_s=5.0, idle_s=5.0)

KNOWN_SECRET: Final = "sk_test_known_example"
"""What the redactor of every such listener knows."""


@dataclass
class Listening:
    """A listener at work. events, crashed: what it told."""

    port: int
    egress: Egress
    server: Server
    events: list[Event] = field(default_factory=list)
    crashed: list[BaseException] = field(default_factory=list)

    @property
    def calls(self) -> list[CallEnded]:
        """The calls that are over."""
        return [event for event in self.events if isinstance(event, CallEnded)]

    def caller(self) -> Caller:
        """Make a caller; it connects when it is entered."""
        return Caller(self.port)

    async def send(self, data: bytes) -> bytes:
        """Send bytes on a new connection and return everything until the listener closes it in the ordinary way."""
        async with self.caller() as caller:
            await caller.send(data)
            said, end = await caller.rest(PATIENCE_S)
        assert end == "closed", (end, said[:200])
        return said

    async def ask(self, data: bytes, method: str = "GET") -> answers.Answer:
        """Send one request that closes its connection and return its only answer."""
        return answers.only(await self.send(data), method)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds. Raises: TimeoutError."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - any condition, not one that could set an event
                await asyncio.sleep(0.002)


def engine_to(wire: Wire) -> Engine:
    """Make the handler that sends calls to the wire, with nothing between."""
    origin = Origin("http", "127.0.0.1", wire.port)
    return Engine(origin, PoolConfig(), Classifier(Profile()), time.monotonic)


@asynccontextmanager
async def listening(
    handler: Handler | None = None,
    *,
    rules: EgressRules = RULES,
    bounds: Bounds = BOUNDS,
    profile: Profile | None = None,
    handlers: Mapping[str, Handler] | None = None,
    trace: bool = True,
    only: str | None = None,
    hosts: tuple[str, ...] = (),
    origin: Origin | None = None,
) -> AsyncIterator[Listening]:
    """Serve the provider `up` by `handler` (a plain 200 if none is given), or several by `handlers`.

    origin: whose URLs are led back; None for nobody's.
    """
    served = handlers or {"up": handler or Script(200)}
    known = profile or Profile()
    request_id = known.request_id.encode() if known.request_id is not None else None
    rewriter = None if origin is None else Rewriter(known.urls, {"": origin})
    table = {
        name: Route(name, one, known, trace, request_id, stop_line(known), rewriter) for name, one in served.items()
    }
    routes = Routes(lambda: table, HostRule(hosts), only)
    events: list[Event] = []
    crashed: list[BaseException] = []
    redactor = Redactor()
    redactor.know(KNOWN_SECRET)
    told = events.append, lambda _, error: crashed.append(error)
    egress = Egress(routes, rules, time.monotonic, *told, redactor.redact)
    server = Server(egress, bounds, egress.refuse)
    socket = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield Listening(socket.sockets[0].getsockname()[1], egress, server, events, crashed)
    finally:
        socket.close()
        await server.shutdown(0.1)
        await socket.wait_closed()
