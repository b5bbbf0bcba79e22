import asyncio
from pathlib import Path

import pytest

from proxy.core.units import Listen, parse_listen
from proxy.edge.admin.site import AdminSite
from tests.support.admin import View
from tests.support.caller import Caller, request, run_on_uvloop

ANY = Listen("127.0.0.1", 0)


async def status(site: AdminSite) -> int:
    async with Caller(int(site.address.rpartition(":")[2])) as caller:
        return (await caller.ask(request("GET", "/livez"))).status


async def serve(site: AdminSite) -> None:
    await site.bind()
    await site.serve()


def test_it_serves_at_the_address_that_it_tells_until_it_is_closed() -> None:
    async def scenario() -> None:
        site = AdminSite(View(), ANY, shared=False)
        await serve(site)
        assert await status(site) == 200
        await site.close()
        with pytest.raises(ConnectionRefusedError):
            await status(site)

    run_on_uvloop(scenario())


def test_a_unix_socket_goes_with_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        site = AdminSite(View(), parse_listen(f"unix:{tmp_path}/a"), shared=False)
        await serve(site)
        assert site.address == f"unix:{tmp_path}/a"
        reader, writer = await asyncio.open_unix_connection(f"{tmp_path}/a")
        writer.write(request("GET", "/livez"))
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.close()
        await site.close()

    run_on_uvloop(scenario())
    assert list(tmp_path.iterdir()) == []


def test_an_address_in_use_is_refused_and_closing_is_harmless() -> None:
    async def scenario() -> None:
        first = AdminSite(View(), ANY, shared=True)
        await serve(first)
        taken = Listen("127.0.0.1", int(first.address.rpartition(":")[2]))
        alone = AdminSite(View(), taken, shared=False)
        with pytest.raises(OSError, match="in use"):
            await alone.bind()
        await alone.close()
        assert await status(first) == 200
        await first.close()

    run_on_uvloop(scenario())


def test_the_second_one_at_a_shared_address_gets_every_new_caller() -> None:
    async def scenario() -> None:
        old, new = View(), View(problems=["the new one"])
        first = AdminSite(old, ANY, shared=True)
        await serve(first)
        second = AdminSite(new, Listen("127.0.0.1", int(first.address.rpartition(":")[2])), shared=True)
        await second.bind()
        assert await status(first) == 200
        await second.serve()
        for _ in range(20):
            async with Caller(int(first.address.rpartition(":")[2])) as caller:
                assert b"the new one" in (await caller.ask(request("GET", "/readyz"))).body
        await first.close()
        assert await status(second) == 200
        await second.close()

    run_on_uvloop(scenario())
