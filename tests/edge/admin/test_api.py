from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from proxy.edge.admin.app import admin_app
from tests.support.admin import View

pytestmark = pytest.mark.asyncio

Get = Callable[[str], Awaitable[tuple[int, Any]]]


@pytest.fixture
def view() -> View:
    return View(
        providers={"stripe": {"breaker": {"state": "open"}}},
        told={"version": "1", "providers": []},
        slo=[{"provider": "stripe", "slo": "availability", "good": 9}],
        stacks={"stripe": [("retry", "", ""), ("  attempts", "3", "default")]},
        known={"abc": {"call": {"path": "/sk_test_example"}, "waterfall": [], "explanation": []}},
    )


@pytest_asyncio.fixture
async def get(aiohttp_client: AiohttpClient, view: View) -> Get:
    client: TestClient[Any, Any] = await aiohttp_client(admin_app(view))

    async def ask(path: str) -> tuple[int, Any]:
        answer = await client.get(path)
        return answer.status, await answer.json(content_type=None)

    return ask


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/providers", {"providers": {"stripe": {"breaker": {"state": "open"}}}}),
        ("/api/state", {"version": "1", "providers": []}),
        ("/api/slo", {"objectives": [{"provider": "stripe", "slo": "availability", "good": 9}]}),
        ("/api/stack/stripe", {"provider": "stripe", "rows": [["retry", "", ""], ["  attempts", "3", "default"]]}),
        ("/api/calls/abc", {"call": {"path": "/[secret]"}, "waterfall": [], "explanation": []}),
    ],
)
async def test_everything_there_is_to_read_comes_as_json(get: Get, path: str, told: object) -> None:
    assert await get(path) == (200, told)


async def test_calls_and_changes_are_the_kept_lines_oldest_first(get: Get, view: View) -> None:
    assert await get("/api/calls") == (200, {"calls": []})
    for number in range(20):
        view.recent.calls.add(b'{"n":%d}\n' % number)
    view.recent.changes.add(b'{"event":"config_read"}\n')
    assert await get("/api/calls") == (200, {"calls": [{"n": number} for number in range(4, 20)]})
    assert await get("/api/changes") == (200, {"changes": [{"event": "config_read"}]})


@pytest.mark.parametrize(
    ("path", "reason", "advice"),
    [
        ("/api/stack/nowhere", "unknown_provider", "/api/providers"),
        ("/api/calls/nowhere", "unknown_call", "admin.recent_calls"),
    ],
)
async def test_what_is_not_known_is_a_problem_that_says_where_to_look(
    get: Get, path: str, reason: str, advice: str
) -> None:
    status, problem = await get(path)
    assert (status, problem["reason"]) == (404, reason)
    assert advice in problem["detail"]
