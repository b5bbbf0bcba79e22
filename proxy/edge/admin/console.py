"""The console at `/`: files that stand beside this module, and an index in plain text for everything but a browser."""

from pathlib import Path
from typing import Final

from aiohttp import web

from proxy.edge.admin.view import AdminView

FILES: Final = (
    "/console.css", "/icon.svg", "/console.js", "/link.js", "/providers.js", "/detail.js", "/anatomy.js", "/calls.js",
    "/actions.js", "/facts.js", "/parts.js", "/words.js",
)  # fmt: skip
_FOLDER: Final = Path(__file__).parent / "static"
_KINDS: Final = {".css": "text/css", ".js": "text/javascript", ".html": "text/html", ".svg": "image/svg+xml"}
_INDEX: Final = """\
tidegate

/               the console, in a browser
/livez          the process is alive
/readyz         it takes calls; the problems when it does not
/metrics        Prometheus metrics
/api/providers  live state of every policy, by provider
/api/state      the same with latency, objectives, changes and problems
/api/slo        objectives with error budget and burn rates
/api/calls      the last calls; /api/calls/REQUEST-ID explains one
/api/changes    the last state changes
/api/stream     all of it as it happens, as server-sent events
/api/stack/NAME effective settings of a provider, and where each comes from
"""


def add(app: web.Application, _view: AdminView) -> None:
    """Add `/` and the files that its page asks for."""
    app.router.add_get("/", _index)
    for name in FILES:
        app.router.add_get(name, _file)


async def _index(request: web.Request) -> web.Response:
    if "text/html" in request.headers.get("Accept", ""):
        return _answer("/index.html")
    return web.Response(text=_INDEX)


async def _file(request: web.Request) -> web.Response:
    return _answer(request.path)


def _answer(name: str) -> web.Response:
    path = _FOLDER / name[1:]
    return web.Response(body=path.read_bytes(), content_type=_KINDS[path.suffix], charset="utf-8")
