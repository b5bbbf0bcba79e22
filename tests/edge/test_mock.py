import asyncio
import base64
import io
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from yarl import URL

from proxy.edge.mock import ROUTES, mock_app, start_mock

pytestmark = pytest.mark.asyncio

Client = TestClient[Any, Any]


async def exchange(url: str, request: bytes) -> bytes:
    """Send raw bytes and return everything until the other side closes."""
    parsed = URL(url)
    reader, writer = await asyncio.open_connection(parsed.host, parsed.port)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.read()
    finally:
        writer.close()


async def test_anything_shows_the_request_with_its_injected_credential(aiohttp_client: AiohttpClient) -> None:
    client: Client = await aiohttp_client(mock_app())
    answer = await client.post(
        "/anything/v1?a=1&a=2", data=b"hello", headers={"Authorization": "Bearer sk_test_example", "X-A": "1"}
    )
    seen = await answer.json()
    assert (seen["method"], seen["path"], seen["query"]) == ("POST", "/anything/v1", "a=1&a=2")
    assert (seen["body"], seen["body_encoding"], seen["body_bytes"], seen["body_cut"]) == ("hello", "text", 5, False)
    assert ["Authorization", "Bearer sk_test_example"] in seen["headers"]


async def test_anything_keeps_order_case_duplicates_and_the_raw_target() -> None:
    url, runner = await start_mock()
    try:
        answer = await exchange(
            url,
            b"GET /anything//https://example.com/%2e%7E%zz?q=%20+ HTTP/1.1\r\n"
            b"hOsT: mock\r\nX-b: 2\r\nx-A: 1\r\nX-b: 3\r\nConnection: close\r\n\r\n",
        )
    finally:
        await runner.cleanup()
    assert b'"path": "/anything//https://example.com/%2e%7E%zz"' in answer
    assert b'"query": "q=%20+"' in answer
    names = [answer.index(name) for name in (b'"hOsT"', b'"X-b",\n      "2"', b'"x-A"', b'"X-b",\n      "3"')]
    assert names == sorted(names)


async def test_a_compressed_body_is_shown_as_it_came() -> None:
    url, runner = await start_mock()
    body = b"\x1f\x8b\xff"
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.put(url + "/anything", data=body, headers={"Content-Encoding": "gzip"}) as answer,
        ):
            seen = await answer.json()
    finally:
        await runner.cleanup()
    assert seen["body_encoding"] == "base64"
    assert base64.b64decode(seen["body"]) == body


async def test_of_a_large_body_a_part_is_shown_and_all_is_counted(aiohttp_client: AiohttpClient) -> None:
    client: Client = await aiohttp_client(mock_app())
    seen = await (await client.post("/anything", data=io.BytesIO(b"x" * 3_000_000))).json()
    assert (len(seen["body"]), seen["body_bytes"], seen["body_cut"]) == (65536, 3_000_000, True)


@pytest.mark.parametrize("code", [200, 201, 204, 301, 304, 402, 418, 500, 503, 529, 599])
async def test_status_answers_with_that_status(aiohttp_client: AiohttpClient, code: int) -> None:
    client: Client = await aiohttp_client(mock_app())
    answer = await client.get(f"/status/{code}?retry_after=7", allow_redirects=False)
    assert (answer.status, answer.headers["Retry-After"]) == (code, "7")


@pytest.mark.parametrize(
    "path",
    [
        "/status/",
        "/status/100",
        "/status/600",
        "/status/abc",
        "/status/nan",
        "/status/503?retry_after=-1",
        "/status/503?retry_after=x",
        "/delay/61",
        "/delay/-1",
        "/delay/inf",
        "/sse/10001",
        "/sse/1?interval=61",
        "/fail-first/1001",
        "/bytes/4294967297",
        "/bytes/" + "1" * 5000,
        "/throttle/86401",
    ],
)
async def test_a_parameter_out_of_bounds_is_refused_with_help(aiohttp_client: AiohttpClient, path: str) -> None:
    client: Client = await aiohttp_client(mock_app())
    answer = await client.get(path)
    assert answer.status == 400
    assert (await answer.json())["paths"] == ROUTES


async def test_delay_answers_after_its_time(aiohttp_client: AiohttpClient) -> None:
    client: Client = await aiohttp_client(mock_app())
    assert await (await client.get("/delay/0.001")).json() == {"delayed_s": 0.001}


async def test_sse_sends_numbered_events(aiohttp_client: AiohttpClient) -> None:
    client: Client = await aiohttp_client(mock_app())
    answer = await client.get("/sse/3?interval=0")
    assert answer.content_type == "text/event-stream"
    assert await answer.text() == "".join(f'id: {n}\ndata: {{"number":{n}}}\n\n' for n in range(3))


async def test_fail_first_fails_then_answers_then_fails_anew(aiohttp_client: AiohttpClient) -> None:
    client: Client = await aiohttp_client(mock_app())
    statuses = [(await client.get("/fail-first/2")).status for _ in range(6)]
    assert statuses == [503, 503, 200, 503, 503, 200]


async def test_fail_first_counts_each_key_apart(aiohttp_client: AiohttpClient) -> None:
    client: Client = await aiohttp_client(mock_app())
    statuses = [(await client.get(f"/fail-first/1?key={key}")).status for key in "abab"]
    assert statuses == [503, 503, 200, 200]


async def test_fail_first_forgets_the_oldest_key_when_it_has_too_many(aiohttp_client: AiohttpClient) -> None:
    client: Client = await aiohttp_client(mock_app())
    for number in range(1001):
        await client.get(f"/fail-first/1?key={number}")
    assert (await client.get("/fail-first/1?key=0")).status == 503
    assert (await client.get("/fail-first/1?key=1000")).status == 200


@pytest.mark.parametrize("size", [0, 1, 65536, 200_001])
async def test_bytes_streams_exactly_that_many(aiohttp_client: AiohttpClient, size: int) -> None:
    client: Client = await aiohttp_client(mock_app())
    answer = await client.get(f"/bytes/{size}")
    assert answer.headers["Content-Length"] == str(size)
    assert len(await answer.read()) == size


async def test_throttle_answers_429_with_retry_after(aiohttp_client: AiohttpClient) -> None:
    client: Client = await aiohttp_client(mock_app())
    answer = await client.post("/throttle/3")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "3")


async def test_drop_closes_the_connection_without_an_answer(aiohttp_client: AiohttpClient) -> None:
    client: Client = await aiohttp_client(mock_app())
    with pytest.raises(aiohttp.ClientError):
        await client.post("/drop")
    assert (await client.get("/")).status == 200


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/anything", "/status/200", "/bytes/10", "/sse/1"])
async def test_every_method_is_answered(aiohttp_client: AiohttpClient, method: str, path: str) -> None:
    client: Client = await aiohttp_client(mock_app())
    answer = await client.request(method, path)
    assert answer.status == 200
    assert bool(await answer.read()) == (method != "HEAD")


async def test_help_and_an_unknown_path_list_the_paths(aiohttp_client: AiohttpClient) -> None:
    client: Client = await aiohttp_client(mock_app())
    assert (await (await client.get("/")).json())["paths"] == ROUTES
    unknown = await client.get("/nothing/here")
    assert unknown.status == 404
    assert (await unknown.json())["paths"] == ROUTES


async def test_start_mock_serves_on_loopback_until_cleaned_up() -> None:
    url, runner = await start_mock()
    assert url.startswith("http://127.0.0.1:")
    assert b" 200 OK" in await exchange(url, b"GET / HTTP/1.0\r\n\r\n")
    await runner.cleanup()
    with pytest.raises(ConnectionRefusedError):
        await exchange(url, b"GET / HTTP/1.0\r\n\r\n")
