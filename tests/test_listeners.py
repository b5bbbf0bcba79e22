import asyncio
import errno
import socket
import stat
from pathlib import Path

import pytest

from proxy.edge.listener.server import Server
from proxy.listeners import Unavailable
from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.fronted import fronted
from tests.support.sidecar import free_port
from tests.support.wire import HOLD, reply

SLOW = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfi", HOLD]


def test_the_egress_listener_serves_all_and_an_own_port_one_without_a_prefix() -> None:
    async def scenario() -> None:
        async with fronted() as (front, wire):
            await front.apply("acme", billing="127.0.0.1:0")
            assert await front.status(front.port(), "/acme/v1/a") == 200
            assert await front.status(front.port(), "/billing/v1/b") == 200
            assert await front.status(front.port("billing"), "/v1/c") == 200
            assert [one.target for one in wire.requests] == [b"/v1/a", b"/v1/b", b"/v1/c"]

    run_on_uvloop(scenario())


def test_providers_may_all_ask_for_any_free_port() -> None:
    async def scenario() -> None:
        async with fronted() as (front, _):
            await front.apply(one="127.0.0.1:0", two="127.0.0.1:0")
            assert len({front.port(), front.port("one"), front.port("two")}) == 3

    run_on_uvloop(scenario())


def test_a_listener_that_stays_keeps_its_socket_and_its_connections() -> None:
    async def scenario() -> None:
        async with fronted() as (front, _):
            await front.apply("acme")
            port = front.port()
            async with Caller(port) as caller:
                assert (await caller.ask(request("GET", "/acme/"))).status == 200
                await front.apply("acme", "other")
                assert front.port() == port
                assert (await caller.ask(request("GET", "/other/"))).status == 200

    run_on_uvloop(scenario())


def test_new_rules_hold_for_the_next_request_of_an_open_connection() -> None:
    async def scenario() -> None:
        async with fronted() as (front, _):
            await front.apply("acme")
            async with Caller(front.port()) as caller:
                assert (await caller.ask(request("GET", "/acme/"))).status == 200
                await front.apply("acme", egress={"require_header": "X-Guard"})
                assert (await caller.ask(request("GET", "/acme/"))).status == 403

    run_on_uvloop(scenario())


def test_a_listener_no_longer_wanted_closes_and_idle_callers_with_it() -> None:
    async def scenario() -> None:
        async with fronted() as (front, _):
            await front.apply(acme="127.0.0.1:0")
            port = front.port("acme")
            async with Caller(port) as caller:
                assert (await caller.ask(request("GET", "/"))).status == 200
                await front.apply("acme")
                assert await caller.rest() == (b"", "closed")
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)

    run_on_uvloop(scenario())


def test_a_call_on_a_retired_listener_still_counts_and_ends_and_then_its_connection_closes() -> None:
    async def scenario() -> None:
        go_on = asyncio.Event()

        async def wait(_: object) -> None:
            await go_on.wait()

        async with fronted([*SLOW[:1], wait, b"sh"]) as (front, wire):
            await front.apply(acme="127.0.0.1:0")
            async with Caller(front.port("acme")) as caller:
                await caller.send(request("GET", "/"))
                await caller.reader.readuntil(b"fi")
                await front.apply("acme")
                assert (front.listeners.in_flight, front.listeners.connections) == (1, 1)
                go_on.set()
                assert await caller.reader.readexactly(2) == b"sh"
                assert await caller.rest() == (b"", "closed")  # though its head had promised to stay
                await wire.until(lambda: (front.listeners.in_flight, front.listeners.connections) == (0, 0))

    run_on_uvloop(scenario())


def test_an_address_passes_from_one_provider_to_another() -> None:
    async def scenario() -> None:
        async with fronted() as (front, wire):
            listen = f"127.0.0.1:{free_port()}"
            await front.apply("new", old=listen)
            await front.apply("old", new=listen)
            assert await front.status(front.port("new"), "/v1") == 200
            assert wire.requests[-1].target == b"/v1"
            with pytest.raises(ValueError, match="not enough values"):
                front.port("old")

    run_on_uvloop(scenario())


@pytest.mark.parametrize("own", [True, False])
def test_an_address_in_use_is_named_by_its_key_and_nothing_else_is_opened(tmp_path: Path, *, own: bool) -> None:
    async def scenario() -> None:
        async with fronted() as (front, wire):
            taken, path = f"127.0.0.1:{wire.port}", tmp_path / "socket"
            egress, acme = (None, taken) if own else ({"listen": taken}, f"unix:{path}")
            with pytest.raises(Unavailable) as raised:
                await front.apply(egress=egress, first=f"unix:{path}.first", acme=acme)
            assert raised.value.where == (("providers", "acme", "listen") if own else ("egress", "listen"))
            assert "in use" in str(raised.value).lower()
            assert front.listeners.open == {}

    run_on_uvloop(scenario())
    assert list(tmp_path.iterdir()) == []


def test_a_unix_socket_is_for_user_and_group_and_vanishes_with_its_listener(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with fronted() as (front, _):
            path = tmp_path / "socket"
            await front.apply("acme", egress={"listen": f"unix:{path}"})
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(request("GET", "/acme/"))
            assert await reader.readline() == b"HTTP/1.1 200 Scripted\r\n"
            writer.close()
            await front.apply("acme")
            assert not path.exists()

    run_on_uvloop(scenario())


def test_a_unix_socket_left_behind_is_replaced_and_one_in_service_is_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with fronted() as (front, _), fronted() as (second, _):
            path = tmp_path / "socket"
            (await asyncio.start_unix_server(lambda *_: None, path)).close()
            assert path.exists()
            await front.apply("acme", egress={"listen": f"unix:{path}"})
            with pytest.raises(Unavailable) as raised:
                await second.apply("acme", egress={"listen": f"unix:{path}"})
            assert raised.value.where == ("egress", "listen")
            assert path.exists()

    run_on_uvloop(scenario())


def test_a_path_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with fronted() as (front, _):
            path = tmp_path / "precious"
            path.write_text("keep")
            with pytest.raises(Unavailable):
                await front.apply("acme", egress={"listen": f"unix:{path}"})
            assert path.read_text() == "keep"

    run_on_uvloop(scenario())


def test_once_accepting_stops_what_is_under_way_goes_on_until_it_is_closed() -> None:
    async def scenario() -> None:
        async with fronted(SLOW) as (front, _):
            await front.apply("acme")
            port = front.port()
            async with Caller(port) as caller:
                await caller.send(request("GET", "/acme/"))
                await caller.reader.readuntil(b"fi")
                front.listeners.stop_accepting()
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection("127.0.0.1", port)
                assert front.listeners.in_flight == 1
                await front.listeners.close()
                assert await caller.rest() == (b"", "reset")  # of four bytes only two have come
                assert front.listeners.in_flight == 0

    run_on_uvloop(scenario())


def test_the_message_of_an_unavailable_address_is_the_system_s_reason() -> None:
    error = OSError(errno.EACCES, "[Errno 13] error while attempting to bind")
    assert str(Unavailable(("egress", "listen"), error)) == "Permission denied"


def test_a_connection_counts_until_its_last_bytes_have_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        path, body = tmp_path / "socket", b"x" * 8192
        async with fronted(reply(200, body)) as (front, wire):
            await front.apply("acme", egress={"listen": f"unix:{path}"})
            (server,) = [one.server for one in front.listeners.open.values()]
            reader, writer = await asyncio.open_unix_connection(path, limit=1)  # reads nothing until it is asked to
            asked = 0
            while asked == 0 or not unsent(server):
                writer.write(request("GET", "/acme/"))
                asked += 1
                await wire.until(lambda: front.listeners.in_flight == 0 and len(wire.requests) == asked)  # noqa: B023
            front.listeners.stop_accepting()
            front.listeners.close_idle()
            await asyncio.sleep(0.02)
            assert (front.listeners.in_flight, front.listeners.connections) == (0, 1)
            assert (await reader.read()).count(body) == asked
            await wire.until(lambda: front.listeners.connections == 0)
            writer.close()

    run_on_uvloop(scenario())


def test_an_answer_whose_last_bytes_have_not_left_at_the_end_does_not_end_cleanly() -> None:
    async def scenario() -> None:
        async with fronted(reply(200, b"x" * 40_000)) as (front, wire):
            await front.apply("acme")
            (server,) = [one.server for one in front.listeners.open.values()]
            loop, asked = asyncio.get_running_loop(), 0
            with socket.socket() as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.setblocking(False)
                await loop.sock_connect(slow, ("127.0.0.1", front.port()))
                while not unsent(server):
                    await loop.sock_sendall(slow, request("GET", "/acme/"))
                    asked += 1
                    await wire.until(lambda: front.listeners.in_flight == 0 and len(wire.requests) == asked)  # noqa: B023
                await front.listeners.close()
                reader, writer = await asyncio.open_connection(sock=slow)
                with pytest.raises(ConnectionResetError):
                    await reader.read()
                writer.close()

    run_on_uvloop(scenario())


def unsent(server: Server) -> int:
    transports = [connection.transport for connection in server.connections]
    return sum(transport.get_write_buffer_size() for transport in transports if transport is not None)
