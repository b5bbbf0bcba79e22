"""What tests of several folders start."""

from collections.abc import Iterator

import pytest

from tests.support.wire import Wire, in_thread


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """A provider that plays what it is told; one for each file."""
    with in_thread(Wire()) as running:
        yield running
