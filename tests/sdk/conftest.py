"""One sidecar for all SDKs: every preset as the catalogue has it, pointed at a scripted provider."""

from collections.abc import Iterator

import pytest

from tests.sdk.ground import ENVIRONMENT, INJECTED, Ground, Grounds, pointed
from tests.support.sidecar import Sidecar
from tests.support.tap import Tap
from tests.support.wire import Wire, in_thread


@pytest.fixture(scope="session")
def wire() -> Iterator[Wire]:
    with in_thread(Wire()) as running:
        yield running


@pytest.fixture(scope="session")
def sidecar(tmp_path_factory: pytest.TempPathFactory, wire: Wire) -> Iterator[Sidecar]:
    providers = {name: pointed(name, wire) for name in INJECTED}
    # A pause lasts, so the tests that cause one have entries of their own.
    providers |= {f"{name}-busy": pointed(name, wire) for name in INJECTED}
    providers["anthropic-overloaded"] = pointed("anthropic", wire)
    for name in ("openai", "stripe"):
        providers[f"{name}-quick"] = pointed(name, wire, retry={"throttled_base": "50ms", "base": "10ms"})
    providers["openai-crowd"] = pointed("openai", wire, bulkhead={"in_flight": 128})
    with Sidecar(tmp_path_factory.mktemp("sdk"), providers, env=ENVIRONMENT) as running:
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
