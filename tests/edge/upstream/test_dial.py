import asyncio
import errno
import os
import socket
import time

import aiohappyeyeballs
import pytest

from proxy.core.errors import BulkheadFull, ConnectFailed, ConnectTimeout, DestinationRefused, ResolveFailed
from proxy.core.outcome import Outcome
from proxy.core.record import Record
from proxy.edge.upstream.dial import Dialler, Origin
from proxy.edge.upstream.http1 import Connection
from proxy.edge.upstream.tls import Tls
from tests.support.caller import run_on_uvloop
from tests.support.names import Addresses, Names
from tests.support.script import make_call
from tests.support.sidecar import free_port
from tests.support.wire import HOLD, Wire


async def dial(origin: Origin, tls: Tls | None = None, within_s: float = 10.0) -> tuple[Connection, Record]:
    """Dial once; the connection must be closed by the test."""
    connection = Connection((origin.authority, b""), time.monotonic, lambda _: None, lambda _: None)
    call = make_call()
    call.connect_s = within_s
    try:
        await Dialler(origin, time.monotonic, tls).dial(connection, call)
    except BaseException:
        connection.close()
        raise
    return connection, call.record


def connect_nowhere(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let no connection be made; returns the addresses that were tried."""
    tried: list[str] = []

    async def start_connection(infos: Addresses, **_: object) -> socket.socket:
        tried.extend(info[4][0] for info in infos)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(aiohappyeyeballs, "start_connection", start_connection)
    return tried


@pytest.mark.parametrize(
    ("origin", "authority"),
    [
        (Origin("https", "api.acme.example", 443), b"api.acme.example"),
        (Origin("https", "api.acme.example", 80), b"api.acme.example:80"),
        (Origin("http", "localhost", 80), b"localhost"),
        (Origin("http", "localhost", 443), b"localhost:443"),
        (Origin("https", "::1", 443), b"[::1]"),
        (Origin("http", "::1", 8080), b"[::1]:8080"),
    ],
)
def test_host_names_the_port_only_when_it_is_not_the_scheme_s_own(origin: Origin, authority: bytes) -> None:
    assert origin.authority == authority


def test_a_dialled_connection_is_ready_and_its_phases_are_told() -> None:
    async def test() -> None:
        async with Wire() as wire:
            connection, record = await dial(Origin("http", "127.0.0.1", wire.port))
            assert (await connection.exchange(make_call())).status == 200
            assert record.dns_s > 0
            assert record.connect_s > 0
            assert record.tls_s == 0.0
            connection.close()

    run_on_uvloop(test())


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1", "169.254.169.254"], ["::1", "fd00:ec2::254"], ["::ffff:8.8.8.8"], ["fe80::1"]],
)
def test_a_name_with_no_public_address_is_refused_before_any_connection(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        Names(monkeypatch, *addresses)
        tried = connect_nowhere(monkeypatch)
        with pytest.raises(DestinationRefused, match="allow_private"):
            await dial(Origin("https", "rebound.example", 443))
        assert tried == []

    run_on_uvloop(test())


def test_only_the_checked_addresses_are_dialled_and_the_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        names = Names(monkeypatch, "93.184.215.14", "127.0.0.1", "2606:4700::1", "::1")
        tried = connect_nowhere(monkeypatch)
        with pytest.raises(ConnectFailed):
            await dial(Origin("https", "mixed.example", 443))
        assert (names.asked, tried) == (["mixed.example"], ["93.184.215.14", "2606:4700::1"])

    run_on_uvloop(test())


@pytest.mark.parametrize("host", ["2130706433", "0177.1", "127.1", "0x7f.1", "0", "0x7f000001", "localhost."])
def test_another_spelling_of_loopback_is_still_loopback(host: str) -> None:
    async def test() -> None:
        with pytest.raises((DestinationRefused, ResolveFailed)):
            await dial(Origin("http", host, free_port()))

    run_on_uvloop(test())


@pytest.mark.parametrize(
    "origin", [Origin("http", "127.0.0.1", 80), Origin("http", "localhost", 80), Origin("http", "::1", 80)]
)
def test_an_address_that_the_operator_wrote_is_dialled(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        tried = connect_nowhere(monkeypatch)
        with pytest.raises(ConnectFailed):
            await dial(origin)
        assert tried

    run_on_uvloop(test())


def test_private_addresses_are_dialled_where_they_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with Wire() as wire:
            Names(monkeypatch, "127.0.0.1")
            connection, _ = await dial(Origin("http", "intranet.example", wire.port, allow_private=True))
            assert (await connection.exchange(make_call())).status == 200
            assert wire.requests[0].fields == [(b"Host", b"intranet.example:%d" % wire.port)]
            connection.close()

    run_on_uvloop(test())


def test_a_name_that_does_not_exist_is_told() -> None:
    async def test() -> None:
        with pytest.raises(ResolveFailed, match=r"nowhere\.invalid could not be resolved"):
            await dial(Origin("https", "nowhere.invalid", 443))

    run_on_uvloop(test())


def test_a_refused_connection_is_told() -> None:
    async def test() -> None:
        port = free_port()
        with pytest.raises(ConnectFailed, match=f"127.0.0.1:{port} could not be reached"):
            await dial(Origin("http", "127.0.0.1", port))

    run_on_uvloop(test())


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_what_this_machine_has_run_out_of_is_not_blamed_on_the_provider(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    async def start_connection(_: Addresses, **__: object) -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(aiohappyeyeballs, "start_connection", start_connection)
    with pytest.raises(BulkheadFull) as caught:
        run_on_uvloop(dial(Origin("http", "127.0.0.1", 9)))
    assert caught.value.outcome is Outcome.IGNORED
    assert f"{os.strerror(number)}; raise the limit of open files" in caught.value.detail


def test_a_connection_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async def start_connection(*_: object, **__: object) -> socket.socket:
            await asyncio.sleep(60)
            raise AssertionError

        monkeypatch.setattr(aiohappyeyeballs, "start_connection", start_connection)
        with pytest.raises(ConnectTimeout, match=r"within 0\.05 s"):
            await dial(Origin("http", "127.0.0.1", 80), within_s=0.05)

    run_on_uvloop(test())


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_handshake_that_never_ends_is_given_up_and_closed(cancelled: bool) -> None:
    async def test() -> None:
        async with Wire(greeting=[HOLD]) as wire:
            dialling = asyncio.create_task(
                dial(Origin("https", "127.0.0.1", wire.port), within_s=60 if cancelled else 0.1)
            )
            await wire.until(lambda: wire.links and wire.links[0].received)
            if cancelled:
                dialling.cancel()
            with pytest.raises(asyncio.CancelledError if cancelled else ConnectTimeout):
                await dialling
            await wire.until(lambda: wire.links[0].ended, within_s=2.0)

    run_on_uvloop(test())
