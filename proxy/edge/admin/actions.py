"""What an operator may do: POST `/api/actions` with the token, one action each."""

from typing import Final

import orjson
from aiohttp import web

from proxy.core.errors import BadRequest
from proxy.edge.admin.answers import json
from proxy.edge.admin.view import AdminView

PATH: Final = "/api/actions"
KEYS: Final = frozenset({"action", "provider", "account", "value"})


def add(app: web.Application, view: AdminView) -> None:
    """Add `/api/actions`; the frame has asked for the token before."""

    async def act(request: web.Request) -> web.Response:
        try:
            asked = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            asked = None
        if not isinstance(asked, dict) or not all(isinstance(value, str) for value in asked.values()):
            raise BadRequest('write JSON such as {"action": "breaker.open", "provider": "stripe"}')
        if unknown := asked.keys() - KEYS:
            raise BadRequest(f"no key {min(unknown)[:64]!r}; there are {', '.join(sorted(KEYS))}")
        action = asked.pop("action", "")
        done = view.act(action, asked, request.remote or "unix")
        return json({"done": done})

    app.router.add_post(PATH, act)
