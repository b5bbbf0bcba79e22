"""Several credentials for one provider, through a real sidecar."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.caller import Answer, Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar
from tests.support.wire import Wire, reply

pytestmark = pytest.mark.e2e

KEYS = {name: f"sk_test_{name.lower()}_made_up" for name in ("OWN", "EU", "US")}


def bearer(name: str) -> dict[str, str]:
    return {"scheme": "bearer", "token": f"env:{name}"}


@asynccontextmanager
async def serving(tmp_path: Path, wire: Wire, **entry: Any) -> AsyncIterator[tuple[Sidecar, Caller]]:
    acme = {
        "base_url": wire.url,
        "credential": bearer("OWN"),
        "retry": False,
        "accounts": {"eu": {"credential": {"token": "env:EU"}}, "us": {"credential": bearer("US")}},
        **entry,
    }
    with Sidecar(tmp_path, {"acme": acme}, env=KEYS) as sidecar:
        async with Caller(sidecar.port) as caller:
            yield sidecar, caller


async def ask(caller: Caller, account: str | None) -> Answer:
    return await caller.ask(request("GET", "/acme/x", *([] if account is None else [f"Tidegate-Account: {account}"])))


def sent(wire: Wire) -> list[bytes]:
    return [value for one in wire.requests for name, value in one.fields if name == b"Authorization"]


def test_each_account_sends_its_own_credential_and_the_log_tells_which(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Wire() as wire, serving(tmp_path, wire) as (sidecar, caller):
            assert [(await ask(caller, one)).status for one in (None, "eu", "us")] == [200, 200, 200]
            assert sent(wire) == [f"Bearer {KEYS[name]}".encode() for name in ("OWN", "EU", "US")]
            assert not any(name.lower() == b"tidegate-account" for one in wire.requests for name, _ in one.fields)
            calls = [line for line in sidecar.log(all_of_it=True) if line["event"] == "call"]
            assert [line.get("account") for line in calls] == [None, "eu", "us"]

    run_on_uvloop(scenario())


def test_an_unknown_account_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Wire() as wire, serving(tmp_path, wire) as (_, caller):
            answer = await ask(caller, "asia")
            assert (answer.status, wire.requests) == (400, [])
            assert b'"reason":"unknown_account"' in answer.body
            assert b"name one of eu, us" in answer.body
            assert b"asia" not in answer.body

    run_on_uvloop(scenario())


def test_a_provider_of_accounts_only_asks_for_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Wire() as wire:
            accounts = {"eu": {"credential": bearer("EU")}}
            async with serving(tmp_path, wire, credential=False, accounts=accounts) as (sidecar, caller):
                assert (await ask(caller, "eu")).status == 200
                answer = await ask(caller, None)
                assert (answer.status, b"name one of eu" in answer.body) == (400, True)
                assert sidecar.admin("/readyz")[0] == 200

    run_on_uvloop(scenario())


def test_one_accounts_trouble_is_nobody_elses_and_shows_under_its_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Wire(reply(429, b"", b"Retry-After: 60"), reply(200)) as wire,
            serving(tmp_path, wire) as (
                sidecar,
                caller,
            ),
        ):
            statuses = [(await ask(caller, one)).status for one in ("eu", "eu", "us", None)]
            assert statuses == [429, 503, 200, 200]
            page = sidecar.admin("/api/providers")[1]
            assert b'"accounts":{"eu":{' in page
            lines = sidecar.admin("/metrics")[1].decode().splitlines()
            states = [line for line in lines if line.startswith("tidegate_breaker_state") and 'state="closed"' in line]
            assert states == [
                'tidegate_breaker_state{provider="acme",state="closed"} 1.0',
                'tidegate_breaker_state{account="eu",provider="acme",state="closed"} 1.0',
                'tidegate_breaker_state{account="us",provider="acme",state="closed"} 1.0',
            ]
            assert all(key.encode() not in page for key in KEYS.values())

    run_on_uvloop(scenario())
