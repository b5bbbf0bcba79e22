"""Who may act through the admin listener, and what becomes of everybody else."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from proxy.edge.admin.app import admin_runner
from tests.support.admin import Open, View
from tests.support.caller import Caller, request

pytestmark = [pytest.mark.asyncio, pytest.mark.security]

PATH = "/api/actions"
RELOAD = json.dumps({"action": "reload"})
TOKEN = {"Authorization": "Bearer tok_example"}


def view(**more: Any) -> View:
    return View(token="tok_example", **more)


async def test_an_action_is_done_for_who_has_the_token(open_admin: Open) -> None:
    shown = view()
    client = await open_admin(shown)
    body = {"action": "reload", "provider": "stripe", "account": "eu", "value": "x"}
    answer = await client.post(PATH, json=body, headers=TOKEN)
    assert (answer.status, await answer.json()) == (200, {"done": "read again"})
    assert shown.acted == [("reload", {"provider": "stripe", "account": "eu", "value": "x"})]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer tok_exampl"},
        {"Authorization": "Basic tok_example"},
        {"Authorization": "tok_example"},
        {"Cookie": "token=tok_example"},
        {"X-Admin-Token": "tok_example"},
    ],
)
async def test_nothing_is_done_without_it(open_admin: Open, headers: dict[str, str]) -> None:
    shown = view()
    client = await open_admin(shown)
    answer = await client.post(f"{PATH}?token=tok_example", data=RELOAD, headers=headers)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert (await answer.json())["reason"] == "admin_token_missing"
    assert (shown.acted, len(shown.refused)) == ([], 1)


async def test_without_a_configured_token_there_are_no_actions(open_admin: Open) -> None:
    shown = View()
    client = await open_admin(shown)
    for headers in ({}, TOKEN, {"Authorization": "Bearer "}):
        answer = await client.post(PATH, data=RELOAD, headers=headers)
        assert (answer.status, "not configured" in await answer.text()) == (401, True)
    assert shown.acted == []


@pytest.mark.parametrize("path", ["/api/%61ctions", "//api/actions", "/api/./actions", "/api/actions/", "/API/actions"])
async def test_no_spelling_of_the_path_leads_past_the_token(path: str) -> None:
    shown = view()
    runner = admin_runner(shown)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with Caller(runner.addresses[0][1]) as caller:
            answer = await caller.ask(request("POST", path, body=RELOAD.encode()))
        assert answer.status in (401, 404)
        assert shown.acted == []
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_only_post_acts(open_admin: Open, method: str) -> None:
    shown = view()
    answer = await (await open_admin(shown)).request(method, PATH, data=RELOAD, headers=TOKEN)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert shown.acted == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://{host}.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://{host}", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://{host}", "Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
async def test_another_sites_script_acts_not_even_with_the_token(
    open_admin: Open, headers: dict[str, str], status: int
) -> None:
    shown = view()
    client = await open_admin(shown)
    own = {key: value.format(host=f"127.0.0.1:{client.port}") for key, value in headers.items()}
    answer = await client.post(PATH, data=RELOAD, headers={**TOKEN, **own})
    assert answer.status == status
    assert bool(shown.acted) == (status == 200)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "write JSON"),
        (b"reload", "write JSON"),
        (b"[]", "write JSON"),
        (b'{"action": 1}', "write JSON"),
        (b'{"action": "reload", "account": null}', "write JSON"),
        (b"[" * 5000, "write JSON"),
        (b'{"action": "reload", "force": "yes"}', "no key 'force'"),
        (b'{"provider": "stripe"}', "no action ''"),
    ],
)
async def test_what_is_no_action_is_told_what_one_is(open_admin: Open, body: bytes, said: str) -> None:
    shown = view()
    answer = await (await open_admin(shown)).post(PATH, data=body, headers=TOKEN)
    assert (answer.status, said in (await answer.json())["detail"]) == (400, True)
    assert shown.acted == []


async def test_a_body_that_is_too_large_is_not_read(open_admin: Open) -> None:
    answer = await (await open_admin(view())).post(PATH, data=b" " * 20_000, headers=TOKEN)
    assert answer.status == 413


async def test_who_guesses_is_locked_out_and_told_of_once(open_admin: Open) -> None:
    shown = view()
    client = await open_admin(shown)
    wrong = {"Authorization": "Bearer guess"}
    statuses = [(await client.post(PATH, data=RELOAD, headers=wrong)).status for _ in range(30)]
    assert statuses == [401] * 10 + [429] * 20
    answer = await client.post(PATH, data=RELOAD, headers=TOKEN)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "60")
    assert (await answer.json())["reason"] == "admin_locked_out"
    assert (len(shown.refused), shown.acted) == (10, [])
    assert shown.refused[-1] == (
        "127.0.0.1",
        "10 wrong tokens within 60 s; none below 32 characters is looked at for 60 s",
    )
    shown.at += 60.0
    assert (await client.post(PATH, data=RELOAD, headers=TOKEN)).status == 200


async def test_nobody_at_the_operators_address_locks_a_token_out_that_is_hard_to_guess(open_admin: Open) -> None:
    token = "tok_example_" + "x" * 20
    shown = View(token=token)
    client = await open_admin(shown)
    for wrong in ("guess", token[:-1] + "y"):
        for _ in range(15):
            answer = await client.post(PATH, data=RELOAD, headers={"Authorization": f"Bearer {wrong}"})
            assert answer.status in (401, 429)
    assert (len(shown.refused), shown.acted) == (10, [])
    assert (await client.post(PATH, data=RELOAD, headers={"Authorization": f"Bearer {token}"})).status == 200


async def test_who_sends_no_token_is_not_locked_out_and_yet_makes_no_flood(open_admin: Open) -> None:
    shown = view()
    client = await open_admin(shown)
    statuses = {(await client.post(PATH, data=RELOAD)).status for _ in range(30)}
    assert (statuses, len(shown.refused)) == ({401}, 10)
    assert (await client.post(PATH, data=RELOAD, headers=TOKEN)).status == 200


async def test_the_right_token_forgets_the_wrong_ones_before(open_admin: Open) -> None:
    client = await open_admin(view())
    for _ in range(3):
        for _ in range(9):
            assert (await client.post(PATH, data=RELOAD, headers={"Authorization": "Bearer x"})).status == 401
        assert (await client.post(PATH, data=RELOAD, headers=TOKEN)).status == 200


async def test_guessing_at_the_pages_locks_out_as_well(open_admin: Open) -> None:
    shown = view(protect="all")
    client = await open_admin(shown)
    wrong = {"Authorization": "Bearer guess"}
    assert [(await client.get("/api/state", headers=wrong)).status for _ in range(11)] == [401] * 10 + [429]
    assert len(shown.refused) == 1
    assert (await client.get("/readyz")).status == 200


async def test_a_caller_behind_a_socket_file_is_told_as_such(tmp_path: Path) -> None:
    shown = view()
    runner = admin_runner(shown)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(tmp_path / "admin.sock")).start()
        connector = aiohttp.UnixConnector(str(tmp_path / "admin.sock"))
        async with aiohttp.ClientSession(connector=connector) as session:
            answer = await session.post(f"http://localhost{PATH}", data=RELOAD)
            assert answer.status == 401
        assert shown.refused == [("unix", "no token")]
    finally:
        await runner.cleanup()
