"""The sockets on which callers are served: opened before they are needed, moved on reload, drained at the end."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from proxy.core.events import Event
from proxy.core.units import Listen
from proxy.draining import GRACE_S
from proxy.edge.documents import KeyPath
from proxy.edge.listener.egress import Egress, EgressRules
from proxy.edge.listener.routes import Routes
from proxy.edge.listener.server import Bounds, Server
from proxy.edge.shared_port import attract, repel
from proxy.edge.unix_socket import UnixSocket
from proxy.providers import Providers, now
from proxy.sansio.hosts import HostRule, Served
from proxy.settings import Settings

_BACKLOG: Final = 1024

Key = tuple[Listen, str]
"""One socket: its address, and the provider where the address is any free port, which many can ask for."""


class Unavailable(Exception):
    """An address can't be listened on. where: the configuration's key that names it."""

    def __init__(self, where: KeyPath, error: OSError) -> None:
        super().__init__(os.strerror(error.errno) if error.errno else str(error))
        self.where = where


@dataclass(slots=True)
class Open:
    """One listening socket with its handler. only: the one provider behind it, None for all.

    unix: where it is no TCP port. shared: whether another process may listen there too.
    """

    listen: Listen
    only: str | None
    egress: Egress
    server: Server
    socket: asyncio.Server
    unix: UnixSocket | None
    shared: bool

    @property
    def address(self) -> str:
        """Where callers find it, as a URL or a unix path."""
        if self.listen.path:
            return f"unix:{self.listen.path}"
        host = self.socket.sockets[0].getsockname()[0]
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def port(self) -> int | None:
        """The TCP port that was had, None at a unix path."""
        return None if self.listen.path else int(self.socket.sockets[0].getsockname()[1])


class Listeners:
    """Every socket of the egress side."""

    def __init__(
        self,
        providers: Providers,
        emit: Callable[[Event], None],
        crashed: Callable[[str, BaseException], None],
        redact: Callable[[bytes], bytes],
    ) -> None:
        self._providers = providers
        self._emit = emit
        self._crashed = crashed
        self._redact = redact
        self.open: dict[Key, Open] = {}
        self._retired: list[Open] = []  # their sockets are closed, and calls may still be under way

    @property
    def in_flight(self) -> int:
        """Requests being served."""
        return sum(one.egress.in_flight for one in self._all())

    @property
    def connections(self) -> int:
        """Callers' connections open now."""
        return sum(len(one.server.connections) for one in self._all())

    def _all(self) -> list[Open]:
        return [*self.open.values(), *self._retired]

    async def prepare(self, settings: Settings) -> dict[Key, Open]:
        """Bind the sockets that these settings need and that are not open yet; callers are still refused there.

        Returns: the new ones, not yet in use. Raises: Unavailable when one can't be had; then none stays open.
        """
        fresh: dict[Key, Open] = {}
        try:
            for key, only in _wanted(settings).items():
                if key not in self.open:
                    fresh[key] = await self._listen_or_say_where(key[0], only, settings)
        except BaseException:  # cancelled too: the process may be told to end meanwhile
            self.give_up(fresh)
            raise
        return fresh

    def give_up(self, fresh: dict[Key, Open]) -> None:
        """Close sockets that were prepared and are not going to be adopted."""
        for one in fresh.values():
            self._close_socket(one)

    def adopt(self, fresh: dict[Key, Open], settings: Settings) -> None:
        """Take new sockets into use, let go of those no longer wanted, and apply the settings to all."""
        self.open |= fresh
        wanted = _wanted(settings)
        self._retired = [one for one in self._retired if one.server.connections]
        for key in [key for key in self.open if key not in wanted]:
            one = self.open.pop(key)
            self._retire(one)
            self._retired.append(one)
        for key, one in self.open.items():
            one.only = wanted[key]  # a port may pass from one provider to another
            one.egress.configure(self._routes(one.only, settings), _rules(settings))
            one.server.bounds = _bounds(settings)
        ports = [one.port for one in self.open.values() if one.port is not None]
        self._providers.served = Served(settings.egress.hosts, ports)

    async def serve(self) -> None:
        """Let callers in at every address in use; where another process listens too, all that come from now on."""
        for one in self.open.values():
            if one.socket.is_serving():
                continue
            await one.socket.start_serving()
            if one.unix is not None:
                one.unix.place()
            elif one.shared:
                attract(one.socket.sockets)

    async def _listen_or_say_where(self, listen: Listen, only: str | None, settings: Settings) -> Open:
        try:
            return await self._listen(listen, only, settings)
        except OSError as error:
            raise Unavailable(("egress", "listen") if only is None else ("providers", only, "listen"), error) from None

    async def _listen(self, listen: Listen, only: str | None, settings: Settings) -> Open:
        routes, rules = self._routes(only, settings), _rules(settings)
        egress = Egress(routes, rules, now, self._emit, self._crashed, self._redact)
        server = Server(egress, _bounds(settings), egress.refuse)
        loop = asyncio.get_running_loop()
        shared, unix = settings.egress.reuse_port, None
        if listen.path:
            unix = UnixSocket(listen.path, shared=shared)
            waiting = await loop.create_unix_server(server, sock=unix.socket, backlog=_BACKLOG, start_serving=False)
        else:
            host, port = listen.host, listen.port
            waiting = await loop.create_server(
                server, host, port, reuse_port=shared, backlog=_BACKLOG, start_serving=False
            )
        return Open(listen, only, egress, server, waiting, unix, shared)

    def _routes(self, only: str | None, settings: Settings) -> Routes:
        return Routes(lambda: self._providers.routes, HostRule(settings.egress.hosts), only)

    def _retire(self, one: Open) -> None:
        one.egress.draining = True  # answers from now on close their connection
        self._close_socket(one)
        asyncio.get_running_loop().call_later(GRACE_S, one.server.close_idle)

    @staticmethod
    def _close_socket(one: Open) -> None:
        if one.unix is not None:
            one.unix.remove()
        one.socket.close()

    def begin_to_drain(self) -> None:
        """Serve on, and close each connection with its next answer."""
        for one in self.open.values():
            one.egress.draining = True

    def repel(self) -> bool:
        """Leave new callers to the other process where the port is shared.

        Returns: whether there is anything to wait for, because connections may stand in a queue.
        """
        shared = [one for one in self.open.values() if one.shared]
        for one in shared:
            if one.unix is None:
                repel(one.socket.sockets)
        return bool(shared)

    def stop_accepting(self) -> None:
        """Close the sockets; what is under way goes on, and closes when it is done."""
        for one in self.open.values():
            one.egress.draining = True
            self._close_socket(one)

    def close_idle(self) -> None:
        """Close the connections that wait for a request; one that was just accepted may not have waited before."""
        for one in self._all():
            one.server.close_idle()

    async def close(self) -> None:
        """End what is still under way, now."""
        self.stop_accepting()
        for one in self._all():
            await one.server.reset_busy()
            await one.server.shutdown(0.1)


def _wanted(settings: Settings) -> dict[Key, str | None]:
    own = [(provider.listen, name) for name, provider in settings.providers.items() if provider.listen is not None]
    return {_key(listen, only): only for listen, only in [(settings.egress.listen, None), *own]}


def _key(listen: Listen, only: str | None) -> Key:
    return listen, "" if listen.path or listen.port else only or ""


def _rules(settings: Settings) -> EgressRules:
    egress = settings.egress
    required = egress.require_header
    guard = None
    if required is not None:
        guard = (required.name.encode(), None if required.value is None else required.value.encode())
    share = None if settings.tracing is None else settings.tracing.sample
    return EgressRules(guard, egress.allow_browsers, egress.replay_limit, egress.body_timeout, share)


def _bounds(settings: Settings) -> Bounds:
    egress = settings.egress
    return Bounds(egress.max_connections, egress.header_timeout, egress.idle_timeout)
