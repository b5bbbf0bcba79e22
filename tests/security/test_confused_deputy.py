"""A hostile provider that points the service at another provider, to have it called with that one's credential."""

import json
from collections.abc import Iterator

import pytest

from tests.support.caller import Answer, Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar, free_port
from tests.support.wire import Wire, reply

pytestmark = pytest.mark.security

OWN_PORT = free_port()


@pytest.fixture(scope="module")
def sidecar(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    acme = {"base_url": wire.url}
    entries = {
        "acme": acme,
        "plain": {**acme, "rewrite_urls": False},
        "alone": {**acme, "listen": f"127.0.0.1:{OWN_PORT}"},
    }
    with Sidecar(tmp_path_factory.mktemp("deputy"), entries) as sidecar:
        yield sidecar


def answered(wire: Wire, port: int, target: str, location: str) -> Answer:
    """Ask for a target that the provider answers with this Location."""
    wire.play(reply(302, b"theirs", f"Location: {location}".encode()))

    async def scenario() -> Answer:
        async with Caller(port) as caller:
            return await caller.ask(request("GET", target))

    return run_on_uvloop(scenario())


@pytest.mark.parametrize("way", ["acme", "plain", "alone"])
@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST", "x@[::1]", "slack.localhost", "2130706433"])
def test_a_redirect_to_the_sidecar_s_own_address_is_refused(sidecar: Sidecar, wire: Wire, way: str, host: str) -> None:
    port, target = (OWN_PORT, "/v1") if way == "alone" else (sidecar.port, f"/{way}/v1")
    answer = answered(wire, port, target, f"http://{host}:{sidecar.port}/slack/api/auth.test")
    problem = json.loads(answer.body)
    assert (answer.status, problem["reason"]) == (502, "destination_refused")
    assert b"theirs" not in answer.body
    assert answer.value(b"location") is None


def test_a_redirect_to_another_provider_s_own_port_is_refused(sidecar: Sidecar, wire: Wire) -> None:
    assert answered(wire, sidecar.port, "/acme/v1", f"http://127.0.0.1:{OWN_PORT}/v1").status == 502


@pytest.mark.parametrize(
    ("target", "location", "shown"),
    [
        ("/acme/v1/a", "../../slack/api", "/acme/slack/api"),
        ("/acme", "slack/api", "/acme/slack/api"),
        ("/acme/v1/a", "/slack/api", "/acme/slack/api"),
        ("/plain/v1/a", "../../slack/api", "{wire}/slack/api"),
        ("/plain/v1/a", "/slack/api", "{wire}/slack/api"),
    ],
)
def test_a_relative_redirect_stays_with_the_provider(
    sidecar: Sidecar, wire: Wire, target: str, location: str, shown: str
) -> None:
    answer = answered(wire, sidecar.port, target, location)
    assert (answer.status, answer.value(b"location")) == (302, shown.format(wire=wire.url).encode())
