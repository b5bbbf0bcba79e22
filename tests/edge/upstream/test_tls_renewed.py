import asyncio
import datetime as dt
import ssl
from contextlib import suppress

import pytest

from proxy.core.errors import CredentialMissing, TlsFailed
from proxy.core.events import SecretRead
from proxy.edge.upstream.dial import Origin
from tests.support.caller import run_on_uvloop
from tests.support.script import make_call
from tests.support.tls import Pems, asking_server, authority_pem, client_names, identity, only, server, signed, trusting
from tests.support.upstream import engine_at, tls_engine
from tests.support.wire import HOLD, Wire, reply

NOW = dt.datetime(2027, 1, 15, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def test_new_files_are_used_at_once_and_no_connection_of_the_old_ones_again() -> None:
    async def test() -> None:
        async with Wire([HOLD], reply(), tls=asking_server()) as wire:
            pems = signed("first")
            engine = tls_engine(wire, pems.tls())
            busy = asyncio.create_task(engine(make_call()))
            await wire.until(lambda: wire.requests)
            await engine(make_call())
            wire.play(reply())
            put(pems, "second")
            await engine(make_call())
            assert client_names(wire) == ["first", "first", "second"]
            await wire.until(lambda: wire.links[1].ended)
            assert wire.links[0].ended == "", "a call under way ends where it began"
            wire.links[0].writer.write(reply(200, b"late"))
            assert (await busy).body == b"late"
            await wire.until(lambda: wire.links[0].ended)
            await engine(make_call())
            assert (len(wire.links), engine.snapshot()["connections"]) == (3, 1)

    run_on_uvloop(test())


def put(pems: Pems, name: str) -> None:
    certificate, key = identity(name)
    pems.put(client_certificate=certificate, client_key=key)


def test_a_session_of_the_former_certificate_is_not_resumed_with_the_new_one() -> None:
    async def test() -> None:
        async with Wire(reply(200, b"ok", b"Connection: close"), tls=asking_server()) as wire:
            pems = signed("first")
            engine = tls_engine(wire, pems.tls())
            for name in ("first", "first", "second", "second"):
                if name == "second" and client_names(wire)[-1] == "first":
                    put(pems, "second")
                await engine(make_call())
            reused = [link.writer.get_extra_info("ssl_object").session_reused for link in wire.links]
            assert client_names(wire) == ["first", "first", "second", "second"]
            assert not reused[2]

    run_on_uvloop(test())


def test_files_that_do_not_go_together_leave_the_former_ones_in_use_and_are_told_once() -> None:
    async def test() -> None:
        async with Wire(reply(200, b"ok", b"Connection: close"), tls=asking_server()) as wire:
            pems = signed("first")
            engine = tls_engine(wire, pems.tls())
            certificate, key = identity("second")
            pems.put(client_certificate=certificate)
            for _ in range(3):
                await engine(make_call())
            told = SecretRead("acme", "file:/client_key", "failed", "is not the key of the client certificate")
            assert pems.events == [told]
            pems.put(client_key=key)
            await engine(make_call())
            assert client_names(wire) == ["first"] * 3 + ["second"]

    run_on_uvloop(test())


def test_authorities_are_replaced_too() -> None:
    async def test() -> None:
        async with Wire(tls=server()) as wire:
            pems = Pems(ca=authority_pem("theirs"))
            engine = tls_engine(wire, pems.tls())
            with pytest.raises(TlsFailed):
                await engine(make_call())
            pems.put(ca=authority_pem())
            assert (await engine(make_call())).status == 200

    run_on_uvloop(test())


def test_a_file_that_is_still_to_come_refuses_calls_and_then_serves_them() -> None:
    async def test() -> None:
        async with Wire(tls=asking_server()) as wire:
            pems = Pems(ca=authority_pem())
            pems.named += ["client_certificate", "client_key"]
            engine = tls_engine(wire, pems.tls())
            call = make_call()
            with pytest.raises(CredentialMissing, match=r"file:/client_certificate is missing \(not read yet\)"):
                await engine(call)
            assert (call.record.attempts, len(engine.missing)) == (0, 1)
            put(pems, "svc-a")
            assert engine.missing == []
            assert (await engine(make_call())).status == 200

    run_on_uvloop(test())


def test_the_end_of_the_certificate_in_use_is_told() -> None:
    pems = signed("first", not_after=NOW)
    engine = engine_at(Origin("https", "localhost", 1), tls=pems.tls())
    assert engine.snapshot()["certificate_expires_ts"] == NOW.timestamp()
    certificate, key = identity("second", not_after=NOW + DAY)
    pems.put(client_certificate=certificate, client_key=key)
    assert engine.snapshot()["certificate_expires_ts"] == (NOW + DAY).timestamp()
    assert "certificate_expires_ts" not in engine_at(Origin("https", "localhost", 1), tls=trusting()).snapshot()


def test_what_is_wrong_with_the_files_is_told_until_it_is_right() -> None:
    pems = signed("first", not_after=NOW)
    engine = engine_at(Origin("https", "localhost", 1), tls=pems.tls())
    assert engine.snapshot()["tls_problem"] == ""
    _, another_key = identity("second", not_after=NOW)
    pems.put(client_key=another_key)
    assert "client_key" in str(engine.snapshot()["tls_problem"])
    certificate, key = identity("third", not_after=NOW)
    pems.put(client_certificate=certificate, client_key=key)
    assert engine.snapshot()["tls_problem"] == ""


def shake_hands(client: ssl.SSLContext, provider: ssl.SSLContext) -> ssl.SSLObject:
    """Return the client's end of a connection in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname="localhost")
    theirs = provider.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for end in (ours, theirs):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return ours


def test_a_connection_that_was_begun_before_the_change_leaves_no_session_behind() -> None:
    provider = only(asking_server(), ssl.TLSVersion.TLSv1_2)
    pems = signed("first")
    tls = pems.tls()
    begun = shake_hands(tls.require(), provider)
    put(pems, "second")
    assert tls.renew()
    tls.accept(begun, "localhost")
    assert not shake_hands(tls.require(), provider).session_reused
