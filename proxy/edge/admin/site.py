"""The socket of the admin pages: opened at the start, closed last."""

import asyncio
from typing import cast

from aiohttp import web

from proxy.core.units import Listen
from proxy.edge.admin.app import admin_runner
from proxy.edge.admin.view import AdminView
from proxy.edge.shared_port import attract
from proxy.edge.unix_socket import UnixSocket


class AdminSite:
    """Serves the admin pages at one address. shared: whether another process may listen there too.

    address: where people find them, once bound.
    """

    def __init__(self, view: AdminView, listen: Listen, *, shared: bool) -> None:
        self._runner = admin_runner(view)
        self._listen = listen
        self._shared = shared
        self._unix: UnixSocket | None = None
        self._server: asyncio.Server | None = None
        self.address = str(listen)

    async def bind(self) -> None:
        """Take the address; nobody is let in yet. Raises: OSError when it can't be had."""
        await self._runner.setup()
        loop, listen, pages = asyncio.get_running_loop(), self._listen, cast(web.Server, self._runner.server)
        if listen.path:
            self._unix = UnixSocket(listen.path, shared=self._shared)
            self._server = await loop.create_unix_server(pages, sock=self._unix.socket, start_serving=False)
            return
        self._server = await loop.create_server(
            pages, listen.host, listen.port, reuse_port=self._shared, start_serving=False
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def serve(self) -> None:
        """Let people in, once it is bound; where another process listens too, all that come from now on."""
        if self._server is None:
            return
        await self._server.start_serving()
        if self._unix is not None:
            self._unix.place()
        elif self._shared:
            attract(self._server.sockets)

    async def close(self) -> None:
        """End what is under way, and let go of the address. Harmless when it was never had."""
        if self._unix is not None:
            self._unix.remove()
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()
