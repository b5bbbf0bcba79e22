"""A sidecar that fetches access tokens from a token endpoint over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.support.caller import Answer, Caller, request, run_on_uvloop
from tests.support.keys import pem, public_pem, rsa_key
from tests.support.sidecar import Sidecar, free_port
from tests.support.wire import RESET, Script, Wire, reply

pytestmark = pytest.mark.e2e

SECRET = "sk_test_of_the_client"
CLIENT = {"scheme": "oauth2", "grant": "client_credentials", "client_id": "app", "client_secret": "env:CLIENT_SECRET"}


def token(text: str, expires_in: int = 3600, **more: object) -> bytes:
    body = json.dumps({"access_token": text, "token_type": "Bearer", "expires_in": expires_in, **more}).encode()
    return reply(200, body, b"Content-Type: application/json")


@asynccontextmanager
async def serving(folder: Path, wire: Wire, credential: dict[str, Any], **more: Any) -> AsyncIterator[Sidecar]:
    """Start a sidecar with the one provider `acme`."""
    providers = {"acme": {"base_url": wire.url, "credential": credential, **more}}
    with Sidecar(folder, providers, env={"CLIENT_SECRET": SECRET}) as sidecar:
        yield sidecar


async def ask(sidecar: Sidecar, count: int = 1, target: str = "/acme/v1") -> list[Answer]:
    """Ask so often at once, each on a connection of its own."""

    async def once() -> Answer:
        async with Caller(sidecar.port) as caller:
            return await caller.ask(request("GET", target, "Authorization: Bearer placeholder"))

    return await asyncio.gather(*[once() for _ in range(count)])


def sent(wire: Wire) -> list[str]:
    """Return the Authorization values in the order in which they arrived."""
    return [value.decode() for one in wire.requests for name, value in one.fields if name == b"Authorization"]


def test_fifty_calls_at_once_make_one_fetch_and_no_token_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Wire() as wire, Wire([0.3, token("tok_very_secret")]) as endpoint:
            credential = CLIENT | {"token_url": f"{endpoint.url}/oauth/token"}
            async with serving(tmp_path, wire, credential) as sidecar:
                assert {answer.status for answer in await ask(sidecar, 50)} == {200}
                assert set(sent(wire)) == {"Bearer tok_very_secret"}
                [fetch] = endpoint.requests
                assert (fetch.method, fetch.target, fetch.body) == (
                    b"POST", b"/oauth/token", b"grant_type=client_credentials",
                )  # fmt: skip
                pages = [sidecar.admin(path)[1].decode() for path in ("/metrics", "/api/providers")]
                assert 'tidegate_credential_expiry_timestamp_seconds{provider="acme"' in pages[0]
                sidecar.log(all_of_it=True)
                told = "".join((*pages, sidecar.stdout.read_text(), sidecar.stderr.read_text()))
                assert "tok_very_secret" not in told
                assert SECRET not in told

    run_on_uvloop(scenario())


def test_a_refused_token_is_replaced_and_the_caller_never_notices(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Wire(reply(401), reply(200)) as wire, Wire(token("tok_1"), token("tok_2")) as endpoint:
            async with serving(tmp_path, wire, CLIENT | {"token_url": f"{endpoint.url}/t"}) as sidecar:
                [answer] = await ask(sidecar)
            assert answer.status == 200
            assert sent(wire) == ["Bearer tok_1", "Bearer tok_2"]

    run_on_uvloop(scenario())


@pytest.mark.parametrize("script", [reply(503), [RESET], reply(200, b"{}"), None])
def test_without_a_token_the_call_is_not_sent_and_the_caller_is_told_when_to_come_back(
    tmp_path: Path, script: Script | None
) -> None:
    async def scenario() -> None:
        async with Wire() as wire, Wire(script or reply()) as endpoint:
            url = f"http://127.0.0.1:{free_port()}" if script is None else endpoint.url
            async with serving(tmp_path, wire, CLIENT | {"token_url": f"{url}/t"}) as sidecar:
                [answer] = await ask(sidecar)
            assert (answer.status, json.loads(answer.body)["reason"]) == (503, "token_unavailable")
            assert int(answer.value(b"retry-after") or 0) >= 1
            assert wire.requests == []

    run_on_uvloop(scenario())


def test_a_replaced_refresh_token_outlives_the_process(tmp_path: Path) -> None:
    credential = {
        "scheme": "oauth2",
        "grant": "refresh_token",
        "client_id": "app",
        "refresh_token": "env:CLIENT_SECRET",
    }

    async def scenario() -> None:
        async with Wire() as wire, Wire(token("tok_1", refresh_token="ref_2"), token("tok_2")) as endpoint:
            written = credential | {"token_url": f"{endpoint.url}/t", "persist": str(tmp_path / "refresh")}
            for _ in range(2):
                async with serving(tmp_path, wire, written) as sidecar:
                    assert [answer.status for answer in await ask(sidecar)] == [200]
            assert [b"refresh_token=ref_2" in one.body for one in endpoint.requests] == [False, True]
            assert sent(wire) == ["Bearer tok_1", "Bearer tok_2"]

    run_on_uvloop(scenario())


def test_a_github_app_signs_with_the_key_in_its_file(tmp_path: Path) -> None:
    file = tmp_path / "app.pem"
    file.write_text(pem(rsa_key()))
    credential = {
        "scheme": "oauth2",
        "grant": "github_app",
        "app_id": 7,
        "installation_id": 9,
        "private_key": f"file:{file}",
    }

    async def scenario() -> None:
        answer = reply(201, b'{"token":"ghs_example","expires_at":"2999-01-01T00:00:00Z"}')
        async with Wire() as wire, Wire(answer) as endpoint:
            async with serving(tmp_path, wire, credential | {"token_url": endpoint.url}) as sidecar:
                assert [answer.status for answer in await ask(sidecar)] == [200]
                assert file.read_text().splitlines()[1] not in sidecar.stdout.read_text()
            assert endpoint.requests[0].target == b"/app/installations/9/access_tokens"
            claims = jwt.decode(sent(endpoint)[0].removeprefix("Bearer "), public_pem(rsa_key()), ["RS256"])
            assert claims["iss"] == "7"
            assert sent(wire) == ["Bearer ghs_example"]

    run_on_uvloop(scenario())


def test_a_token_that_the_sidecar_signs_itself_reaches_the_provider(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(pem(rsa_key()))
    credential = {
        "scheme": "jwt",
        "algorithm": "RS256",
        "private_key": f"file:{file}",
        "issuer": "me",
        "lifetime": "10m",
    }

    async def scenario() -> None:
        async with Wire() as wire:
            async with serving(tmp_path, wire, credential) as sidecar:
                assert {answer.status for answer in await ask(sidecar, 5)} == {200}
            [text] = set(sent(wire))
            claims = jwt.decode(text.removeprefix("Bearer "), public_pem(rsa_key()), ["RS256"])
            assert claims["exp"] - claims["iat"] == 600

    run_on_uvloop(scenario())
