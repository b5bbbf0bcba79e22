import datetime as dt
import ssl
import warnings
from collections.abc import Callable

import pytest

from proxy.core.errors import ConnectionDropped, TlsFailed
from proxy.edge.upstream.dial import Dialler, Origin
from proxy.edge.upstream.http1 import Connection
from tests.edge.upstream.test_dial import dial
from tests.support.caller import run_on_uvloop
from tests.support.script import make_call
from tests.support.tls import authority, server, trusting
from tests.support.upstream import whole
from tests.support.wire import CLOSE, Link, Script, Wire, reply

LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


def expired() -> ssl.SSLContext:
    return server(authority().issue_cert("localhost", not_before=LONG_AGO, not_after=LONG_AGO.replace(year=2002)))


def other_name() -> ssl.SSLContext:
    return server(authority().issue_cert("elsewhere.example"))


def other_authority() -> ssl.SSLContext:
    return server(authority("theirs").issue_cert("localhost"))


def only_tls_1_1() -> ssl.SSLContext:
    context = server()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_verified_provider_is_spoken_to(host: str) -> None:
    async def test() -> None:
        async with Wire(tls=server()) as wire:
            connection, record = await dial(Origin("https", host, wire.port), trusting())
            assert (await connection.exchange(make_call())).body == b"ok"
            assert record.tls_s > 0
            connection.close()

    run_on_uvloop(test())


@pytest.mark.parametrize(
    ("context", "detail"),
    [
        (expired, "certificate of localhost was refused: certificate has expired"),
        (other_name, "certificate of localhost was refused: Hostname mismatch"),
        (other_authority, "certificate of localhost was refused: unable to get local issuer"),
        (only_tls_1_1, "TLS with localhost failed: the connection ended in the handshake"),
    ],
)
def test_whatever_is_wrong_with_tls_is_told_and_nothing_is_sent(
    context: Callable[[], ssl.SSLContext], detail: str
) -> None:
    async def test() -> None:
        async with Wire(tls=context()) as wire:
            with pytest.raises(TlsFailed, match=detail):
                await dial(Origin("https", "localhost", wire.port), trusting())
            assert wire.requests == []

    run_on_uvloop(test())


@pytest.mark.parametrize("greeting", [reply(), [CLOSE]])
def test_a_provider_that_speaks_no_tls_is_told(greeting: Script) -> None:
    async def test() -> None:
        async with Wire(greeting=greeting) as wire:
            with pytest.raises(TlsFailed, match="TLS with localhost failed"):
                await dial(Origin("https", "localhost", wire.port), trusting())
            assert wire.requests == []

    run_on_uvloop(test())


def test_a_self_signed_certificate_is_refused_even_for_a_loopback_address() -> None:
    async def test() -> None:
        async with Wire(tls=server()) as wire:
            with pytest.raises(TlsFailed, match=r"self-signed|local issuer"):
                await dial(Origin("https", "127.0.0.1", wire.port))

    run_on_uvloop(test())


def test_the_provider_is_named_to_itself_and_spoken_to_in_http_1_1() -> None:
    async def test() -> None:
        named: list[str] = []
        context = server()
        context.sni_callback = lambda _, name, __: named.append(name)
        context.set_alpn_protocols(["h2", "http/1.1"])
        async with Wire(tls=context) as wire:
            connection, _ = await dial(Origin("https", "localhost", wire.port), trusting())
            await connection.exchange(make_call())
            chosen = wire.links[0].writer.get_extra_info("ssl_object").selected_alpn_protocol()
            assert (named, chosen) == (["localhost"], "http/1.1")
            connection.close()

    run_on_uvloop(test())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_next_connection_resumes_the_session_of_the_last(version: ssl.TLSVersion) -> None:
    async def test() -> None:
        context = server()
        context.minimum_version = context.maximum_version = version
        async with Wire(tls=context) as wire:
            origin = Origin("https", "localhost", wire.port)
            dialler = Dialler(origin, lambda: 0.0, trusting())
            for _ in range(3):
                connection = Connection((b"localhost", b""), lambda: 0.0, lambda _: None, lambda _: None)
                call = make_call()
                await dialler.dial(connection, call)
                await connection.exchange(call)
                connection.close()
            resumed = [link.writer.get_extra_info("ssl_object").session_reused for link in wire.links]
            assert resumed == [False, True, True]

    run_on_uvloop(test())


async def cut(link: Link) -> None:
    """End TCP without the end of TLS, as anybody on the way can."""
    link.ours = True
    link.writer.transport.abort()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_body_until_close_needs_the_end_of_tls_not_only_of_tcp(version: ssl.TLSVersion) -> None:
    async def test() -> None:
        context = server()
        context.minimum_version = context.maximum_version = version
        head = b"HTTP/1.1 200 OK\r\n\r\n"
        async with Wire([head + b"whole", CLOSE], [head + b"half", 0.02, cut], tls=context) as wire:
            for body in (b"whole", None):
                connection, _ = await dial(Origin("https", "localhost", wire.port), trusting())
                got = await connection.exchange(make_call())
                if body is not None:
                    assert await whole(got) == body
                    continue
                with pytest.raises(ConnectionDropped):
                    await whole(got)

    run_on_uvloop(test())
