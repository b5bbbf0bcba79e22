import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from proxy.edge.admin import app as module
from proxy.edge.admin.app import admin_runner
from tests.support.admin import Open, View
from tests.support.caller import Caller, request

pytestmark = pytest.mark.asyncio


PAGES = ["/", "/livez", "/readyz", "/metrics", "/api/providers"]


async def test_the_index_lists_the_pages(open_admin: Open) -> None:
    text = await (await (await open_admin()).get("/")).text()
    assert all(page in text for page in PAGES)


async def test_providers_show_the_live_state(open_admin: Open) -> None:
    state: dict[str, dict[str, dict[str, object]]] = {"stripe": {"breaker": {"state": "open", "opens_for_s": 3.5}}}
    answer = await (await open_admin(View(providers=state))).get("/api/providers")
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
    view = View(problems=["sk_test_example"], providers={"stripe": {"x": {"y": "sk_test_example"}}})
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


@pytest.mark.parametrize("said", [b"", b"GET /livez HTTP/1.1\r\nHost: local", request("GET", "/livez")])
async def test_of_too_many_connections_the_oldest_idle_one_is_closed_and_probes_get_through(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 2)
    async with served() as port, Caller(port) as one, Caller(port) as two, asyncio.timeout(5):
        await one.send(said)
        assert (await two.ask(request("GET", "/livez"))).status == 200
        async with Caller(port) as probe:
            assert (await probe.ask(request("GET", "/livez"))).status == 200
        assert (await one.reader.read()).count(b"HTTP/1.1 200") == said.endswith(b"\r\n\r\n")
        assert (await two.ask(request("GET", "/livez"))).status == 200


async def test_where_all_connections_are_in_use_one_too_many_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 1)
    async with served() as port, Caller(port) as one, asyncio.timeout(5):
        await one.send(request("GET", "/api/stream"))
        assert b" 200 " in await one.reader.readline()
        async with Caller(port) as two:
            assert await two.reader.read() == b""


@pytest.mark.parametrize("first", [b"", b"GET /livez HTTP/1.1\r\nHost: local", request("GET", "/livez")])
async def test_a_connection_without_a_whole_head_is_closed_in_time(
    monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.05)
    async with served() as port, Caller(port) as caller, asyncio.timeout(5):
        await caller.send(first)
        assert (await caller.reader.read()).count(b"HTTP/1.1 200") == first.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /?token=tok_example HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"tok_example" * 2000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX\x01: tok_example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: nothing\r\nConnection: close\r\n\r\n", 417),
    ],
)
async def test_what_the_library_answers_itself_says_no_more_than_our_answers(
    caplog: pytest.LogCaptureFixture, sent: bytes, status: int
) -> None:
    async with served() as port, Caller(port) as caller, asyncio.timeout(5):
        answer = await caller.ask(sent)
    assert (answer.status, answer.value(b"server")) == (status, b"tidegate")
    assert answer.value(b"x-content-type-options") == b"nosniff"
    assert b"tok_example" not in answer.body
    assert caplog.records == []


async def test_a_connection_may_idle_for_fifteen_seconds_and_there_may_be_256() -> None:
    assert (module.IDLE_S, module.MOST_CONNECTIONS) == (15.0, 256)
