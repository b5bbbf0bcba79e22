"""Listeners that come and go beside callers, and beside those of another process."""

from pathlib import Path

import pytest

from proxy.settings import Settings
from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.fronted import fronted
from tests.support.sidecar import free_port


def test_an_address_that_is_bound_refuses_until_it_is_to_be_served(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with fronted() as (front, _):
            settings = Settings.model_validate({
                "egress": {"listen": "127.0.0.1:0"},
                "providers": {"acme": {"base_url": "http://127.0.0.1:9", "listen": f"unix:{tmp_path}/s"}},
            })  # fmt: skip
            fresh = await front.listeners.prepare(settings)
            front.listeners.adopt(fresh, settings)
            assert not (tmp_path / "s").exists()
            with pytest.raises(ConnectionRefusedError):
                await front.status(front.port(), "/nobody/")
            await front.listeners.serve()
            assert await front.status(front.port(), "/nobody/") == 404
            assert (tmp_path / "s").is_socket()

    run_on_uvloop(scenario())


def test_while_it_drains_it_serves_on_and_closes_each_connection_with_its_answer() -> None:
    async def scenario() -> None:
        async with fronted() as (front, _):
            await front.apply("acme")
            async with Caller(front.port()) as caller:
                front.listeners.begin_to_drain()
                answer = await caller.ask(request("GET", "/acme/"))
                assert (answer.status, answer.value(b"connection")) == (200, b"close")
                assert await caller.rest() == (b"", "closed")
            assert await front.status(front.port(), "/acme/") == 200

    run_on_uvloop(scenario())


def test_an_idle_connection_outlives_its_listener_until_it_is_closed_too() -> None:
    async def scenario() -> None:
        async with fronted() as (front, _):
            await front.apply("acme")
            async with Caller(front.port()) as early, Caller(front.port()) as late:
                assert (await early.ask(request("GET", "/acme/"))).status == 200
                front.listeners.stop_accepting()
                assert (await early.ask(request("GET", "/acme/"))).status == 200
                front.listeners.close_idle()
                assert await late.rest() == (b"", "closed")

    run_on_uvloop(scenario())


def test_two_share_a_port_and_the_younger_one_gets_every_new_caller_and_the_older_one_leaves_none_behind() -> None:
    async def scenario() -> None:
        shared = {"listen": f"127.0.0.1:{free_port()}", "reuse_port": True}
        async with fronted() as (old, first), fronted() as (new, second):
            await old.apply("acme", egress=shared)
            assert await old.status(old.port(), "/acme/") == 200
            await new.apply("acme", egress=shared)
            for _ in range(20):
                assert await new.status(new.port(), "/acme/") == 200
            assert old.listeners.repel()
            old.listeners.stop_accepting()
            assert await new.status(new.port(), "/acme/") == 200
            assert (len(first.requests), len(second.requests)) == (1, 21)

    run_on_uvloop(scenario())


def test_where_no_port_is_shared_nobody_is_repelled() -> None:
    async def scenario() -> None:
        async with fronted() as (front, _):
            await front.apply("acme")
            assert not front.listeners.repel()
            assert await front.status(front.port(), "/acme/") == 200

    run_on_uvloop(scenario())
