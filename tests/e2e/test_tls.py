import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar
from tests.support.tls import authority, server
from tests.support.wire import Wire, in_thread

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with in_thread(Wire(tls=server(authority().issue_cert("localhost")))) as wire:
        yield wire


def start(folder: Path, wire: Wire, **env: str) -> Sidecar:
    """Make a sidecar that reaches the provider by its name and, wrongly, by its address."""
    urls = {"named": f"https://localhost:{wire.port}", "numbered": f"https://127.0.0.1:{wire.port}"}
    retry = {"retry": {"attempts": 2, "base": "1ms"}}
    return Sidecar(folder, {name: {"base_url": url, **retry} for name, url in urls.items()}, env=env)


async def tls_problem(port: int, path: str) -> str:
    """Return what the sidecar says is wrong with the provider's TLS."""
    async with Caller(port) as caller:
        answer = await caller.ask(request("POST", path, body=b"x"))
    problem: dict[str, str] = json.loads(answer.body)
    assert (answer.status, problem["reason"], answer.value(b"tidegate-source")) == (502, "tls_failed", b"network")
    assert answer.value(b"tidegate-attempts") == b"2"  # nothing was sent, so even this may be tried again
    return problem["detail"]


def test_a_trusted_provider_is_reached_by_its_name_only(wire: Wire, tmp_path: Path) -> None:
    bundle = tmp_path / "authority.pem"
    authority().cert_pem.write_to_path(str(bundle))

    async def test(port: int) -> None:
        async with Caller(port) as caller:
            assert (await caller.ask(request("GET", "/named/"))).body == b"ok"
        assert "IP address mismatch" in await tls_problem(port, "/numbered/")

    with start(tmp_path, wire, SSL_CERT_FILE=str(bundle)) as sidecar:
        run_on_uvloop(test(sidecar.port))


def test_nothing_is_sent_to_a_provider_whose_certificate_nobody_vouches_for(wire: Wire, tmp_path: Path) -> None:
    before = len(wire.requests)
    with start(tmp_path, wire) as sidecar:
        assert "local issuer" in run_on_uvloop(tls_problem(sidecar.port, "/named/"))
    assert len(wire.requests) == before
