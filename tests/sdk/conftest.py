"""One sidecar for all SDKs: every preset as the catalogue has it, pointed at a scripted provider."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.sdk.ground import Ground, Grounds, pointed, says
from tests.sdk.known import ACCESS_TOKEN, KNOWN, environment
from tests.support.sidecar import Sidecar
from tests.support.tap import Tap
from tests.support.wire import Wire, in_thread

OTHER: Final = ("anthropic", "facebook", "shopify", "slack", "spoonacular", "stripe", "twilio")
"""Providers that pause for a second reason as well."""


@pytest.fixture(scope="session")
def wire() -> Iterator[Wire]:
    with in_thread(Wire()) as running:
        yield running


@pytest.fixture(scope="session")
def issuer() -> Iterator[Wire]:
    """Give the token endpoint of all providers that have one."""
    token = {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600}
    with in_thread(Wire(says(token))) as running:
        yield running


@pytest.fixture(scope="session")
def sidecar(tmp_path_factory: pytest.TempPathFactory, wire: Wire, issuer: Wire) -> Iterator[Sidecar]:
    every = {name: pointed(name, wire, issuer) for name in KNOWN}
    # A pause lasts, so the tests that cause one have entries of their own.
    busy = {f"{name}-busy": entry for name, entry in every.items()}
    providers = every | busy | {f"{name}-other": every[name] for name in OTHER}
    for name in ("openai", "stripe"):
        providers[f"{name}-quick"] = {**every[name], "retry": {"throttled_base": "50ms", "base": "10ms"}}
    providers["openai-crowd"] = {**every["openai"], "bulkhead": {"in_flight": 128}}
    with Sidecar(tmp_path_factory.mktemp("sdk"), providers, env=environment(issuer.url)) as running:
        yield running


@pytest.fixture(scope="session")
def tap(sidecar: Sidecar) -> Iterator[Tap]:
    with Tap(sidecar.port) as running:
        yield running


@pytest.fixture
def ground(wire: Wire, tap: Tap) -> Iterator[Grounds]:
    """Give the provider of an entry; after the test, everything that was said is checked."""
    given: list[Ground] = []

    def find(entry: str) -> Ground:
        given.append(Ground(entry, wire, tap))
        return given[-1]

    yield find
    for one in given:
        one.check_what_was_said()
