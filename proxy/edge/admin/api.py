"""What there is to read, as JSON."""

from aiohttp import web

from proxy.edge.admin.answers import Problem, json
from proxy.edge.admin.view import AdminView
from proxy.edge.observe.recent import MOST_CHANGES


def add(app: web.Application, view: AdminView) -> None:
    """Add everything under `/api/` that is read and not done."""
    api = _Api(view)
    app.router.add_get("/api/providers", api.providers)
    app.router.add_get("/api/state", api.state)
    app.router.add_get("/api/slo", api.slo)
    app.router.add_get("/api/stack/{provider}", api.stack)
    app.router.add_get("/api/calls", api.calls)
    app.router.add_get("/api/changes", api.changes)
    app.router.add_get("/api/calls/{request_id}", api.call)


class _Api:
    def __init__(self, view: AdminView) -> None:
        self._view = view

    async def providers(self, _request: web.Request) -> web.Response:
        return json({"providers": self._view.snapshots(self._view.now())})

    async def state(self, _request: web.Request) -> web.Response:
        return json(self._view.state())

    async def slo(self, _request: web.Request) -> web.Response:
        return json({"objectives": self._view.objectives()})

    async def stack(self, request: web.Request) -> web.Response:
        name = request.match_info["provider"]
        rows = self._view.stack(name)
        if rows is None:
            detail = "no provider of that name is configured; /api/providers lists them"
            raise Problem(404, "Unknown provider", detail, "unknown_provider")
        return json({"provider": name, "rows": rows})

    async def calls(self, _request: web.Request) -> web.Response:
        kept = self._view.recent
        return _lines(b"calls", kept.calls.since(0, kept.most_calls))

    async def changes(self, _request: web.Request) -> web.Response:
        return _lines(b"changes", self._view.recent.changes.since(0, MOST_CHANGES))

    async def call(self, request: web.Request) -> web.Response:
        found = self._view.call(request.match_info["request_id"])
        if found is None:
            detail = (
                "no such call among the recent ones (admin.recent_calls says how many are kept); look for the"
                " X-Request-Id of the answer in the log"
            )
            raise Problem(404, "Unknown call", detail, "unknown_call")
        return json(found)


def _lines(name: bytes, lines: list[bytes]) -> web.Response:
    body = b'{"%b":[%b]}\n' % (name, b",".join(line.rstrip() for line in lines))
    return web.Response(body=body, content_type="application/json")
