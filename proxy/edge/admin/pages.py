"""Health and metrics, for probes and Prometheus."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from proxy.edge.admin.answers import json
from proxy.edge.admin.view import AdminView

_TICK_S: Final = 1.0
_STALLED_S: Final = 5.0


def add(app: web.Application, view: AdminView) -> None:
    """Add `/livez`, `/readyz` and `/metrics`."""
    pages = _Pages(view)
    app.cleanup_ctx.append(pages.watch)
    app.router.add_get("/livez", pages.livez)
    app.router.add_get("/readyz", pages.readyz)
    app.router.add_get("/metrics", pages.metrics)


class _Pages:
    def __init__(self, view: AdminView) -> None:
        self._view = view
        self._ticked_at = view.now()

    async def watch(self, _app: web.Application) -> AsyncIterator[None]:
        ticking = asyncio.create_task(self._tick())
        yield
        ticking.cancel()
        await asyncio.wait([ticking])

    async def _tick(self) -> None:
        while True:
            self._ticked_at = self._view.now()
            await asyncio.sleep(_TICK_S)

    async def livez(self, _request: web.Request) -> web.Response:
        # Upstreams and credentials are not looked at: a restart would cure neither.
        late_s = self._view.now() - self._ticked_at
        return json({"alive": late_s < _STALLED_S}, 200 if late_s < _STALLED_S else 503)

    async def readyz(self, _request: web.Request) -> web.Response:
        problems = self._view.readiness()
        return json({"ready": not problems, "problems": problems}, 503 if problems else 200)

    async def metrics(self, request: web.Request) -> web.Response:
        body, kind = self._view.metrics(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": kind})
