"""Health looks at what a restart or a rotation out of service would cure, and metrics come in the format asked for."""

import asyncio

import pytest

from tests.support.admin import Open, View

pytestmark = pytest.mark.asyncio


async def test_livez_looks_at_the_loop_alone(open_admin: Open) -> None:
    client = await open_admin(View(problems=["no credential"], failing=True))
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


async def test_metrics_are_served_in_the_format_asked_for(open_admin: Open) -> None:
    answer = await (await open_admin()).get("/metrics", headers={"Accept": "text/x"})
    assert await answer.text() == "accepted text/x"
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
