"""Two live secrets while one replaces the other, and pairs that are never torn, under load."""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.caller import run_on_uvloop
from tests.support.sidecar import Sidecar
from tests.support.traffic import Traffic
from tests.support.wire import Link, Wire, reply

pytestmark = pytest.mark.e2e

SWAPS = 1000


class Volume:
    """A directory as the kubelet fills it: every file through the link `..data`, which one rename swaps."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._count = 0
        path.mkdir()

    def put(self, **files: str) -> None:
        """Swap in a new set of files, and remove the one before the last."""
        self._count += 1
        dated = self.path / f"..{self._count}"
        dated.mkdir()
        for name, text in files.items():
            (dated / name).write_text(text)
            if not (self.path / name).is_symlink():
                (self.path / name).symlink_to(f"..data/{name}")
        (self.path / "..data_tmp").symlink_to(dated.name)
        (self.path / "..data_tmp").rename(self.path / "..data")
        shutil.rmtree(self.path / f"..{self._count - 2}", ignore_errors=True)


class Provider:
    """A provider that knows some tokens, and answers 401 to all others."""

    def __init__(self, *accepted: str) -> None:
        self.accepted = set(accepted)
        self.wire = Wire([self.answer])

    async def answer(self, link: Link) -> None:
        value = next((value for name, value in self.wire.requests[-1].fields if name == b"Authorization"), b"")
        known = value.decode().removeprefix("Bearer ") in self.accepted
        link.writer.write(reply(200) if known else reply(401, b"no"))

    @property
    def sent(self) -> list[str]:
        fields = [pair for one in self.wire.requests for pair in one.fields]
        return [value.decode().removeprefix("Bearer ") for name, value in fields if name == b"Authorization"]


@asynccontextmanager
async def under_load(
    tmp_path: Path, wire: Wire, credential: dict[str, Any], **entry: Any
) -> AsyncIterator[tuple[Sidecar, Traffic]]:
    """Start a sidecar and callers of its provider `acme`; at the end no call may have failed."""
    acme = {"base_url": wire.url, "credential": credential, **entry}
    with Sidecar(tmp_path, {"acme": acme}) as sidecar:
        async with Traffic(sidecar.port, "/acme/", callers=2, pause_s=0.001) as traffic:
            yield sidecar, traffic
        assert (list(traffic.statuses), traffic.failures) == ([200], [])
        assert "sk_test_" not in sidecar.stdout.read_text()


def gauge(sidecar: Sidecar, name: str, secret: str) -> float:
    mark = f'tidegate_{name}{{provider="acme",secret="{secret}"}} '
    lines = sidecar.admin("/metrics")[1].decode().splitlines()
    return next(float(line.removeprefix(mark)) for line in lines if line.startswith(mark))


def test_a_new_secret_comes_into_use_and_the_old_one_is_seen_to_be_unused_and_no_call_fails(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "volume")
    volume.put(new="sk_test_second", old="sk_test_first")
    live = [f"file:{volume.path}/new", f"file:{volume.path}/old"]

    async def scenario() -> None:
        provider = Provider("sk_test_first")  # it does not know the new one yet
        secret = {"scheme": "bearer", "token": live}
        async with provider.wire as wire, under_load(tmp_path, wire, secret) as (sidecar, traffic):
            await traffic.more(50)
            assert gauge(sidecar, "credential_last_used_timestamp_seconds", "old") > 0
            assert gauge(sidecar, "credential_held", "new") == 1
            provider.accepted |= {"sk_test_second", "sk_test_third"}
            volume.put(new="sk_test_third", old="sk_test_second")  # the next turn of the rotation
            await wire.until(lambda: provider.sent[-1] == "sk_test_third")
            provider.accepted -= {"sk_test_first", "sk_test_second"}
            last_used = gauge(sidecar, "credential_last_used_timestamp_seconds", "old")
            await traffic.more(50)
            assert gauge(sidecar, "credential_last_used_timestamp_seconds", "old") == last_used
            assert gauge(sidecar, "credential_held", "new") == 0

    run_on_uvloop(scenario(), within_s=40.0)


def test_a_secret_that_is_replaced_and_revoked_at_once_costs_no_call(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "volume")
    volume.put(token="sk_test_0")

    async def scenario() -> None:
        provider = Provider("sk_test_0")
        secret = {"scheme": "bearer", "token": f"file:{volume.path}/token"}
        async with provider.wire as wire, under_load(tmp_path, wire, secret) as (_, traffic):
            for number in range(1, 6):
                await asyncio.sleep(0.3)  # refused calls make tidegate look five times a second at most
                volume.put(token=f"sk_test_{number}")
                provider.accepted = {f"sk_test_{number}"}  # the refusal makes tidegate look at the file
            await traffic.more(20)

    run_on_uvloop(scenario(), within_s=40.0)


def test_a_thousand_swaps_fail_no_call_and_never_mix_a_user_with_anothers_password(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "volume")
    volume.put(user="user-0", password="password-0")

    async def scenario() -> None:
        files = {"username": f"file:{volume.path}/user", "password": f"file:{volume.path}/password"}
        secret = {"scheme": "basic", **files}
        async with Wire(reply(200)) as wire, under_load(tmp_path, wire, secret) as (_, traffic):
            for number in range(1, SWAPS + 1):
                volume.put(user=f"user-{number}", password=f"password-{number}")
                await traffic.more(1)
            last = f"user-{SWAPS}:password-{SWAPS}"
            await wire.until(lambda: pairs(wire)[-1] == last)
            seen = [one.replace("user-", "").split(":password-") for one in pairs(wire)]
            assert [pair for pair in seen if pair[0] != pair[1]] == []
            assert len(seen) > 2

    run_on_uvloop(scenario(), within_s=55.0)
    assert len(list(volume.path.iterdir())) <= 5


def pairs(wire: Wire) -> list[str]:
    values = [value for one in wire.requests for name, value in one.fields if name == b"Authorization"]
    return [base64.b64decode(value.removeprefix(b"Basic ")).decode() for value in dict.fromkeys(values)]


def test_a_command_gives_the_secret_and_is_run_again_after_its_time(tmp_path: Path) -> None:
    program = tmp_path / "vault"

    def write(text: str) -> None:
        fresh = tmp_path / "fresh"
        fresh.write_text(f"#!/bin/sh\necho {text}\n")
        fresh.chmod(0o755)
        fresh.rename(program)

    async def scenario() -> None:
        provider = Provider("sk_test_first", "sk_test_second")
        async with provider.wire as wire:
            entry = {"base_url": wire.url, "credential": {"scheme": "bearer", "token": f"exec:{program} read"}}
            reading = {"secrets": {"exec": True, "exec_ttl": "1s"}}
            with Sidecar(tmp_path, {"acme": entry}, reading) as sidecar:
                async with Traffic(sidecar.port, "/acme/", callers=1) as traffic:
                    await traffic.more(5)
                    write("sk_test_second")
                    await wire.until(lambda: provider.sent[-1] == "sk_test_second")
            assert (list(traffic.statuses), provider.sent[0]) == ([200], "sk_test_first")

    write("sk_test_first")
    run_on_uvloop(scenario())
