"""A client certificate, authorities and pins as a user configures them, and their rotation while calls go on."""

import asyncio
import datetime as dt
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.sansio.x509 import certificates, ends_ts, pin_of
from tests.support.caller import Answer, Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar
from tests.support.tls import asking_server, authority, authority_pem, client_names, identity, server
from tests.support.traffic import Traffic
from tests.support.wire import Wire, reply

pytestmark = pytest.mark.e2e


class Volume:
    """A mounted volume, which the kubelet changes by one rename of the link that all files are reached through."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        folder.mkdir()

    def put(self, **texts: str) -> None:
        """Replace all files by these, in one step."""
        self._count += 1
        dated = self._folder / f"..{self._count}"
        dated.mkdir()
        for name, text in texts.items():
            (dated / name).write_text(text)
            if not (self._folder / name).is_symlink():
                (self._folder / name).symlink_to(f"..data/{name}")
        (self._folder / "..data_tmp").symlink_to(dated.name)
        (self._folder / "..data_tmp").rename(self._folder / "..data")

    def issue(self, name: str, **more: Any) -> tuple[str, str]:
        """Put a new certificate and its key there, and return them."""
        certificate, key = identity(name, **more)
        self.put(ca=authority_pem(), certificate=certificate, key=key)
        return certificate, key

    def section(self, **more: Any) -> dict[str, Any]:
        """Return the section that names the files."""
        named = {"ca": "ca", "client_certificate": "certificate", "client_key": "key"}
        return {key: f"file:{self._folder / name}" for key, name in named.items()} | more


@asynccontextmanager
async def serving(tmp_path: Path, wire: Wire, **entries: dict[str, Any]) -> AsyncIterator[Sidecar]:
    """Start a sidecar whose providers are all the wire, with a `tls` section each."""
    plain = {"base_url": f"https://localhost:{wire.port}", "retry": False, "breaker": False}
    with Sidecar(tmp_path, {name: {**plain, "tls": tls} for name, tls in entries.items()}) as sidecar:
        yield sidecar


async def ask(sidecar: Sidecar, name: str) -> Answer:
    async with Caller(sidecar.port) as caller:
        return await caller.ask(request("GET", f"/{name}/"))


async def problem(sidecar: Sidecar, name: str) -> tuple[int, str, str]:
    answer = await ask(sidecar, name)
    said = json.loads(answer.body)
    return answer.status, said["reason"], said["detail"]


def upstream(sidecar: Sidecar) -> dict[str, Any]:
    """Return what the admin listener tells of the connections to acme."""
    state: dict[str, Any] = json.loads(sidecar.admin("/api/providers")[1])["providers"]["acme"]["upstream"]
    return state


def test_only_who_has_the_certificate_is_served_and_only_who_is_trusted_is_asked(tmp_path: Path) -> None:
    leaf = authority().issue_cert("localhost")
    pin = pin_of(certificates(leaf.cert_chain_pems[0].bytes().decode())[0])
    spare = "sha256/" + "A" * 43 + "="
    volume = Volume(tmp_path / "volume")
    volume.issue("svc-a")
    (tmp_path / "theirs").write_text(authority_pem("theirs"))
    entries = {
        "good": volume.section(min_version=1.3),
        "pinned": volume.section(pins=[spare, pin]),
        "mispinned": volume.section(pins=[spare, spare.replace("AAA", "BBB")]),
        "anonymous": {"ca": volume.section()["ca"]},
        "wary": volume.section(ca=f"file:{tmp_path / 'theirs'}"),
    }

    async def scenario() -> None:
        async with Wire(tls=asking_server(leaf)) as wire, serving(tmp_path, wire, **entries) as sidecar:
            for name in ("good", "pinned"):
                assert (await ask(sidecar, name)).body == b"ok"
            assert client_names(wire) == ["svc-a", "svc-a"]
            status, reason, detail = await problem(sidecar, "mispinned")
            assert (status, reason, pin in detail) == (502, "tls_failed", True)
            assert (await problem(sidecar, "anonymous"))[:2] == (502, "connection_dropped")
            status, reason, detail = await problem(sidecar, "wary")
            assert (status, reason, "certificate of localhost was refused" in detail) == (502, "tls_failed", True)
            assert len(wire.requests) == 2

    run_on_uvloop(scenario())


def test_a_new_certificate_is_shown_while_calls_go_on_and_none_of_them_fails(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "volume")
    issued = [volume.issue("svc-0")]

    async def scenario() -> None:
        async with (
            Wire(reply(), tls=asking_server()) as wire,
            serving(tmp_path, wire, acme=volume.section()) as sidecar,
        ):
            async with Traffic(sidecar.port, "/acme/") as traffic:
                for turn in range(1, 4):
                    await traffic.more(20)
                    issued.append(volume.issue(f"svc-{turn}"))
                    await wire.until(lambda: client_names(wire)[-1] == f"svc-{turn}")  # noqa: B023 - used at once
                await traffic.more(20)
            assert (list(traffic.statuses), traffic.failures) == ([200], [])
            assert list(dict.fromkeys(client_names(wire))) == [f"svc-{turn}" for turn in range(4)]
            expires_ts = ends_ts(certificates(issued[-1][0])[0])
            assert upstream(sidecar)["certificate_expires_ts"] == expires_ts
            shown = [sidecar.admin(path)[1].decode() for path in ("/metrics", "/api/providers", "/api/config", "/")]
            said = sidecar.stdout.read_text() + sidecar.stderr.read_text() + "".join(shown)
            assert not any(line in said for _, key in issued for line in key.splitlines()[1:-1])
            assert '"failed"' not in sidecar.stdout.read_text()

    run_on_uvloop(scenario(), 40.0)


def test_a_key_that_is_late_leaves_the_former_pair_in_use(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()

    def put(certificate: str, key: str | None) -> None:
        (volume / "certificate").write_text(certificate)
        if key is not None:
            (volume / "key").write_text(key)

    put(*identity("first"))
    (volume / "ca").write_text(authority_pem())
    files = {"ca": "ca", "client_certificate": "certificate", "client_key": "key"}
    section = {key: f"file:{volume / name}" for key, name in files.items()}

    async def scenario() -> None:
        once = reply(200, b"ok", b"Connection: close")
        async with Wire(once, tls=asking_server()) as wire, serving(tmp_path, wire, acme=section) as sidecar:
            async with Traffic(sidecar.port, "/acme/", callers=2, pause_s=0.01) as traffic:
                certificate, key = identity("second")
                put(certificate, None)
                await wire.until(lambda: "is not the key of the client cert" in sidecar.stdout.read_text())
                await traffic.more(10)
                assert set(client_names(wire)) == {"first"}
                put(certificate, key)
                await wire.until(lambda: client_names(wire)[-1] == "second")
            assert (list(traffic.statuses), traffic.failures) == ([200], [])

    run_on_uvloop(scenario(), 40.0)


def test_a_certificate_that_has_ended_is_refused_by_the_provider_and_that_is_told(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "volume")
    ended = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    volume.issue("svc-a", not_before=ended - dt.timedelta(days=9), not_after=ended)

    async def scenario() -> None:
        async with Wire(tls=asking_server()) as wire, serving(tmp_path, wire, acme=volume.section()) as sidecar:
            assert (await problem(sidecar, "acme"))[:2] == (502, "connection_dropped")
            assert upstream(sidecar)["certificate_expires_ts"] < time.time()
            volume.issue("svc-a")
            await asyncio.sleep(2.5)
            assert (await ask(sidecar, "acme")).status == 200

    run_on_uvloop(scenario())


def test_readiness_waits_for_a_certificate_that_is_still_to_come(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "volume")

    async def scenario() -> None:
        async with Wire(tls=server()) as wire, serving(tmp_path, wire, acme=volume.section()) as sidecar:
            status, said = sidecar.admin("/readyz")
            assert (status, b"No such file" in said) == (503, True)
            assert (await problem(sidecar, "acme"))[:2] == (503, "credential_missing")
            volume.issue("svc-a")
            await wire.until(lambda: sidecar.admin("/readyz")[0] == 200)
            assert (await ask(sidecar, "acme")).status == 200

    run_on_uvloop(scenario())
