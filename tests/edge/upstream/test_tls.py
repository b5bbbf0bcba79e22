import datetime as dt
import socket
import ssl
import tempfile
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import ValidationError

from proxy.core.errors import ConnectionDropped, TlsFailed
from proxy.edge.upstream.dial import Origin
from proxy.edge.upstream.tls import Tls, TlsConfig, flaws
from proxy.sansio.x509 import certificates, pin_of
from tests.support.caller import run_on_uvloop
from tests.support.script import make_call
from tests.support.tls import (
    Pems,
    asking_server,
    authority,
    authority_pem,
    client_names,
    identity,
    only,
    server,
    signed,
    trusting,
)
from tests.support.upstream import engine_at, tls_engine
from tests.support.wire import Wire, reply

OTHER_PIN = f"sha256/{b64encode(bytes(32)).decode()}"
NOW = dt.datetime(2027, 1, 15, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
BOTH = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


# Who we are


@pytest.mark.parametrize("version", BOTH)
def test_the_provider_is_shown_the_client_certificate(version: ssl.TLSVersion) -> None:
    async def test() -> None:
        async with Wire(tls=only(asking_server(), version)) as wire:
            assert (await tls_engine(wire, signed("svc-a").tls())(make_call())).status == 200
            assert client_names(wire) == ["svc-a"]

    run_on_uvloop(test())


def test_certificate_and_key_may_stand_in_one_file_and_the_key_may_be_encrypted() -> None:
    certificate, key = identity("svc-a")
    plain = load_pem_private_key(key.encode(), None)
    sealed = plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"made-up")).decode()

    async def test() -> None:
        async with Wire(tls=asking_server()) as wire:
            for pems in (
                Pems(ca=authority_pem(), client_certificate=certificate + key),
                Pems(ca=authority_pem(), client_certificate=key + certificate),
                Pems(ca=authority_pem(), client_certificate=sealed + certificate, client_key_password="made-up"),
            ):
                await tls_engine(wire, pems.tls())(make_call())
            assert client_names(wire) == ["svc-a"] * 3

    run_on_uvloop(test())


@contextmanager
def alerting(context: ssl.SSLContext) -> Iterator[int]:
    """Run a server that tells by an alert why it refuses a client, and give its port; uvloop's own tells nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            plain, _ = listening.accept()
            with plain, suppress(OSError):
                context.wrap_socket(plain, server_side=True, do_handshake_on_connect=True).recv(1)
            plain.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


@pytest.mark.parametrize("issuer", [None, "theirs"])
def test_a_provider_that_refuses_our_certificate_is_told_in_its_own_words(issuer: str | None) -> None:
    async def test() -> None:
        pems = Pems(ca=authority_pem()) if issuer is None else signed("x", issuer=issuer)
        for version, error in zip(BOTH, (TlsFailed, ConnectionDropped), strict=True):
            with alerting(only(asking_server(), version)) as port:
                engine = engine_at(Origin("https", "localhost", port), tls=pems.tls())
                with pytest.raises(error, match=r"ALERT_(HANDSHAKE|CERTIFICATE|UNKNOWN)"):
                    await engine(make_call())

    run_on_uvloop(test())


def test_nothing_of_the_key_lies_in_a_file_once_the_context_is_made(tmp_path: Path) -> None:
    tempfile.tempdir = str(tmp_path)
    try:
        before = set(Path("/proc/self/fd").iterdir())
        signed("svc-a").tls()
        assert set(Path("/proc/self/fd").iterdir()) == before
        assert list(tmp_path.iterdir()) == []
    finally:
        tempfile.tempdir = None


# Whom we trust


def test_the_own_authorities_stand_in_place_of_the_systems() -> None:
    async def test() -> None:
        async with Wire(tls=server()) as wire:
            assert (await tls_engine(wire, trusting("ours"))(make_call())).status == 200
            with pytest.raises(TlsFailed, match="local issuer"):
                await tls_engine(wire, trusting("theirs"))(make_call())
            both = Pems(ca=authority_pem("theirs") + "# Autorit\u00e9\n" + authority_pem())
            assert (await tls_engine(wire, both.tls())(make_call())).status == 200
            assert len(wire.requests) == 2

    run_on_uvloop(test())


def test_one_of_the_pins_has_to_be_shown_before_a_byte_is_sent() -> None:
    leaf = authority().issue_cert("localhost")
    pin = pin_of(certificates(leaf.cert_chain_pems[0].bytes().decode())[0])

    async def test() -> None:
        async with Wire(tls=server(leaf)) as wire:
            for pins in ([pin, OTHER_PIN], [OTHER_PIN, pin]):
                engine = tls_engine(wire, trusting(pins=pins))
                assert (await engine(make_call())).status == 200
            with pytest.raises(TlsFailed) as caught:
                await tls_engine(wire, trusting(pins=[OTHER_PIN]))(make_call())
            assert pin in caught.value.detail
            assert "tls.pins" in caught.value.detail
            assert len(wire.requests) == 2
            await wire.until(lambda: wire.links[-1].ended)
            assert b"Host" not in wire.links[-1].received

    run_on_uvloop(test())


@pytest.mark.parametrize("version", BOTH)
def test_a_connection_that_was_refused_for_its_pin_is_never_resumed(version: ssl.TLSVersion) -> None:
    async def test() -> None:
        async with Wire(tls=only(server(), version)) as wire:
            engine = tls_engine(wire, trusting(pins=[OTHER_PIN]))
            for _ in range(3):
                with pytest.raises(TlsFailed):
                    await engine(make_call())
            assert wire.requests == []

    run_on_uvloop(test())


@pytest.mark.parametrize("version", BOTH)
def test_a_pinned_connection_is_resumed(version: ssl.TLSVersion) -> None:
    leaf = authority().issue_cert("localhost")
    pin = pin_of(certificates(leaf.cert_chain_pems[0].bytes().decode())[0])

    async def test() -> None:
        async with Wire(reply(200, b"ok", b"Connection: close"), tls=only(server(leaf), version)) as wire:
            engine = tls_engine(wire, trusting(pins=[pin, OTHER_PIN]))
            for _ in range(2):
                await engine(make_call())
            reused = [link.writer.get_extra_info("ssl_object").session_reused for link in wire.links]
            assert reused == [False, True]

    run_on_uvloop(test())


def test_an_older_version_than_the_oldest_is_not_spoken() -> None:
    async def test() -> None:
        async with Wire(tls=only(server(), ssl.TLSVersion.TLSv1_2)) as wire:
            with pytest.raises(TlsFailed):
                await tls_engine(wire, trusting(min_version="1.3"))(make_call())
            assert wire.requests == []
            assert (await tls_engine(wire, trusting(min_version="1.2"))(make_call())).status == 200

    run_on_uvloop(test())


# What is wrong


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"client_key": "file:/k"}, "has a client_key and no client_certificate"),
        ({"client_key_password": "file:/p"}, "has a client_key and no client_certificate"),
        ({"pins": ["sha256/AAAA"]}, "not a pin: write sha256/"),
        ({"pins": ["sha1/" + OTHER_PIN[7:]]}, "not a pin"),
        ({"pins": [OTHER_PIN[:-2] + "!="]}, "not a pin"),
        ({"min_version": "1.1"}, "'1.2' or '1.3'"),
        ({"ca": "/etc/ca.pem"}, "not a secret reference"),
    ],
)
def test_a_section_that_can_not_work_is_refused(section: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        TlsConfig.model_validate(section)


def test_a_version_may_be_written_as_the_number_that_yaml_makes_of_it() -> None:
    assert TlsConfig.model_validate({"min_version": 1.3}).min_version == "1.3"


def found(pems: Pems, soon: dt.timedelta = 14 * DAY) -> list[tuple[str, str]]:
    return list(flaws(pems.config(), pems.slots(), NOW.timestamp(), soon.total_seconds()))


def test_what_is_wrong_with_the_files_is_found_and_none_of_it_shown() -> None:
    certificate, key = identity("svc-a", not_after=NOW + 365 * DAY)
    other = identity("svc-b")[1]
    sealed = load_pem_private_key(key.encode(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"made-up")
    )
    pair = {"client_certificate": certificate, "client_key": key}
    cases: list[tuple[dict[str, str], str, str]] = [
        ({"ca": "nothing"}, "ca", "file:/ca: holds no certificates"),
        ({**pair, "client_certificate": key}, "client_certificate", "holds no certificate"),
        ({"client_certificate": certificate}, "client_certificate", "holds no private key"),
        ({**pair, "client_key": other}, "client_key", "is not the key of the client certificate"),
        ({**pair, "client_key": sealed.decode()}, "client_key", "encrypted; write tls.client_key_password"),
        ({**pair, "client_key": sealed.decode(), "client_key_password": "wrong"}, "client_key", "can't be used"),
        ({**pair, "client_key": sealed.decode(), "client_key_password": "w" * 2000}, "client_key", "password too long"),
        ({**pair, "client_key": key[:200] + key[300:]}, "client_key", "can't be used"),
    ]
    lines = [line for line in (key + other + sealed.decode()).splitlines() if "-----" not in line]
    for texts, where, text in cases:
        ((key_name, said),) = found(Pems(**texts))
        assert (key_name, text in said) == (where, True), said
        assert not any(line in said for line in lines)
    assert found(Pems(**pair)) == []


@pytest.mark.parametrize(
    ("left", "said"),
    [(-DAY, "has expired"), (13 * DAY, "ends in 13 days"), (15 * DAY, None)],
)
def test_a_certificate_that_ends_soon_is_told_of(left: dt.timedelta, said: str | None) -> None:
    pems = signed("svc-a", not_before=NOW - 90 * DAY, not_after=NOW + left)
    texts = [text for key, text in found(pems) if key == "client_certificate"]
    assert (said is None and texts == []) or (said is not None and said in texts[0])


# What is shared


def test_the_systems_roots_are_loaded_once_for_all_who_trust_nothing_else() -> None:
    usual = [Tls(TlsConfig()), Tls(TlsConfig())]
    apart = [
        Tls(TlsConfig(min_version="1.3")),
        Tls(TlsConfig(pins=(OTHER_PIN,))),
        Tls(TlsConfig(pins=(OTHER_PIN,))),
        trusting(),
    ]
    assert usual[0].require() is usual[1].require()
    assert len({id(one.require()) for one in (usual[0], *apart)}) == 5


def test_a_session_is_offered_to_the_host_that_gave_it_and_to_no_other() -> None:
    async def test() -> None:
        async with Wire(reply(200, b"ok", b"Connection: close"), tls=server()) as wire:
            tls = trusting()
            for host in ("localhost", "127.0.0.1", "localhost"):
                await engine_at(Origin("https", host, wire.port), tls=tls)(make_call())
            reused = [link.writer.get_extra_info("ssl_object").session_reused for link in wire.links]
            assert reused == [False, False, True]

    run_on_uvloop(test())
