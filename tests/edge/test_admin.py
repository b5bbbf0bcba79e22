import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from proxy.edge import admin as module
from proxy.edge.admin import admin_app, admin_runner
from tests.support.caller import Caller, request

pytestmark = pytest.mark.asyncio

Client = TestClient[Any, Any]
Open = Callable[..., Awaitable[Client]]

PAGES = ["/", "/livez", "/readyz", "/metrics", "/api/providers"]


@dataclass
class View:
    draining: bool = False
    hosts: tuple[str, ...] = ("tidegate.internal",)
    problems: list[str] = field(default_factory=list)
    at: float = 100.0
    state: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    failing: bool = False

    def now(self) -> float:
        return self.at

    def snapshots(self, now: float) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
        if self.failing:
            raise RuntimeError("key sk_test_example refused")
        assert now == self.at
        return self.state

    def readiness(self) -> list[str]:
        return self.problems

    def metrics(self, accept: str) -> tuple[bytes, str]:
        return b"accepted " + accept.encode(), "text/plain; version=0.0.4; charset=utf-8"

    def redact(self, data: bytes) -> bytes:
        return data.replace(b"sk_test_example", b"[secret]")


@pytest.fixture
def open_admin(aiohttp_client: AiohttpClient) -> Open:
    async def open_view(view: View | None = None) -> Client:
        client: Client = await aiohttp_client(admin_app(view or View()))
        return client

    return open_view


async def test_the_index_lists_the_pages(open_admin: Open) -> None:
    text = await (await (await open_admin()).get("/")).text()
    assert all(page in text for page in PAGES)


async def test_livez_looks_at_the_loop_alone(open_admin: Open) -> None:
    client = await open_admin(View(draining=True, problems=["no credential"], failing=True))
    answer = await client.get("/livez")
    assert (answer.status, await answer.json()) == (200, {"alive": True})


async def test_livez_fails_when_the_watchdog_has_not_ticked_for_five_seconds(open_admin: Open) -> None:
    view = View()
    client = await open_admin(view)
    await asyncio.sleep(0)
    view.at += 4.9
    assert (await client.get("/livez")).status == 200
    view.at += 0.2
    assert (await client.get("/livez")).status == 503


async def test_readyz_tells_the_problems(open_admin: Open) -> None:
    view = View()
    client = await open_admin(view)
    answer = await client.get("/readyz")
    assert (answer.status, await answer.json()) == (200, {"ready": True, "problems": []})
    view.problems = ["stripe: env:STRIPE_SECRET_KEY is not set"]
    answer = await client.get("/readyz")
    assert (answer.status, await answer.json()) == (503, {"ready": False, "problems": view.problems})
    view.problems, view.draining = [], True
    answer = await client.get("/readyz")
    assert (answer.status, await answer.json()) == (503, {"ready": False, "problems": ["draining"]})


async def test_metrics_are_served_in_the_format_asked_for(open_admin: Open) -> None:
    answer = await (await open_admin()).get("/metrics", headers={"Accept": "text/x"})
    assert await answer.text() == "accepted text/x"
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_providers_show_the_live_state(open_admin: Open) -> None:
    state: dict[str, dict[str, dict[str, object]]] = {"stripe": {"breaker": {"state": "open", "opens_for_s": 3.5}}}
    answer = await (await open_admin(View(state=state))).get("/api/providers")
    assert await answer.json() == {"providers": state}


@pytest.mark.parametrize("page", PAGES)
async def test_every_page_answers_head_and_says_how_it_may_be_used(open_admin: Open, page: str) -> None:
    client = await open_admin()
    for answer in (await client.get(page), await client.head(page)):
        assert answer.status == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["Server"] == "tidegate"
    assert await answer.read() == b""


@pytest.mark.parametrize("host", ["10.1.2.3:4781", "[::1]:4781", "localhost", "a.localhost", "tidegate.internal:80"])
async def test_own_hosts_are_served(open_admin: Open, host: str) -> None:
    assert (await (await open_admin()).get("/readyz", headers={"Host": host})).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4781", "", "localhost@evil.example", "localhost.evil"])
async def test_other_hosts_are_misdirected(open_admin: Open, host: str) -> None:
    answer = await (await open_admin()).get("/readyz", headers={"Host": host})
    assert answer.status == 421
    assert answer.content_type == "application/problem+json"
    assert (await answer.json())["reason"] == "misdirected_host"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Mode": "cors"}, 200),
    ],
)
async def test_scripts_of_other_sites_are_refused(open_admin: Open, headers: dict[str, str], status: int) -> None:
    assert (await (await open_admin()).get("/api/providers", headers=headers)).status == status


async def test_unknown_paths_and_methods_are_problems(open_admin: Open) -> None:
    client = await open_admin()
    unknown, posted = await client.get("/nothing"), await client.post("/readyz")
    assert (unknown.status, posted.status, posted.headers["Allow"]) == (404, 405, "GET,HEAD")
    for answer in (unknown, posted):
        assert answer.content_type == "application/problem+json"
        assert (await answer.json())["status"] == answer.status
        assert answer.headers["Cache-Control"] == "no-store"


async def test_a_failing_page_shows_nothing_of_its_error(open_admin: Open, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    answer = await (await open_admin(View(failing=True))).get("/api/providers")
    assert answer.status == 500
    assert (await answer.json())["reason"] == "internal_error"
    assert "refused" not in await answer.text()


async def test_secrets_are_taken_out_of_every_page(open_admin: Open) -> None:
    view = View(problems=["sk_test_example"], state={"stripe": {"x": {"y": "sk_test_example"}}})
    client = await open_admin(view)
    for page in ("/readyz", "/api/providers"):
        assert "[secret]" in await (await client.get(page)).text()
    assert "[secret]" in await (await client.get("/metrics", headers={"Accept": "sk_test_example"})).text()


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    runner = admin_runner(View())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_one_connection_too_many_is_closed_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 2)
    async with served() as port, Caller(port) as one:
        async with Caller(port) as two:
            assert [(await caller.ask(request("GET", "/livez"))).status for caller in (one, two)] == [200, 200]
            async with Caller(port) as three:
                assert await three.reader.read() == b""
            assert (await one.ask(request("GET", "/livez"))).status == 200
        await asyncio.sleep(0.01)  # until the server has seen that one left
        async with Caller(port) as four:
            assert (await four.ask(request("GET", "/livez"))).status == 200


@pytest.mark.parametrize("first", [b"", b"GET /livez HTTP/1.1\r\nHost: local", request("GET", "/livez")])
async def test_a_connection_without_a_whole_head_is_closed_in_time(
    monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.05)
    async with served() as port, Caller(port) as caller, asyncio.timeout(5):
        await caller.send(first)
        assert (await caller.reader.read()).count(b"HTTP/1.1 200") == first.endswith(b"\r\n\r\n")


async def test_a_connection_may_idle_for_fifteen_seconds_and_there_may_be_256() -> None:
    assert (module.IDLE_S, module.MOST_CONNECTIONS) == (15.0, 256)
