import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.pipe import Pipe


@pytest.fixture
def make_pipe() -> Iterator[Callable[..., Pipe]]:
    pipes: list[Pipe] = []

    def make(**settings: Any) -> Pipe:
        pipes.append(Pipe(**settings))
        return pipes[-1]

    yield make
    for pipe in pipes:
        os.close(pipe.source)
        pipe.log.close()
        os.close(pipe.sink)
