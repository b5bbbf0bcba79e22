import contextlib
import select
import socket
import sys
from collections.abc import Iterator

import pytest

from proxy.edge.shared_port import attract, repel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux leads connections to one socket of several")


def listener(stack: contextlib.ExitStack, family: socket.AddressFamily, port: int = 0) -> socket.socket:
    one = stack.enter_context(socket.socket(family))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
    one.listen(256)
    one.setblocking(False)
    return one


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two sockets at one port, the first to listen first."""
    with contextlib.ExitStack() as stack:
        first = listener(stack, request.param)
        yield first, listener(stack, request.param, first.getsockname()[1])


def knock(at: socket.socket, times: int = 40) -> None:
    for _ in range(times):
        socket.create_connection(at.getsockname()[:2], 5).close()


def accepted(one: socket.socket) -> int:
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            one.accept()[0].close()
            count += 1
    return count


def test_every_new_connection_goes_to_the_second(pair: tuple[socket.socket, socket.socket]) -> None:
    first, second = pair
    attract([second])
    knock(second)
    assert (accepted(first), accepted(second)) == (0, 40)


def test_the_second_has_the_port_for_itself_once_the_first_is_gone(pair: tuple[socket.socket, socket.socket]) -> None:
    first, second = pair
    attract([second])
    first.close()
    knock(second)
    assert accepted(second) == 40


def test_a_third_one_takes_over_from_the_second(pair: tuple[socket.socket, socket.socket]) -> None:
    first, second = pair
    attract([second])
    first.close()
    with contextlib.ExitStack() as stack:
        third = listener(stack, socket.AddressFamily(second.family), second.getsockname()[1])
        attract([third])
        knock(third)
        assert (accepted(second), accepted(third)) == (0, 40)


def test_who_is_repelled_finds_the_other_once_the_first_is_gone(pair: tuple[socket.socket, socket.socket]) -> None:
    first, second = pair
    second.close()
    knock(first, 3)
    repel([first])
    assert accepted(first) == 3  # what was in the queue
    with socket.socket(first.family) as late, contextlib.ExitStack() as stack:
        late.setblocking(False)
        late.connect_ex(first.getsockname())
        third = listener(stack, socket.AddressFamily(first.family), first.getsockname()[1])
        assert accepted(first) == 0
        first.close()
        assert select.select([third], [], [], 10)[0]  # the kernel has knocked again
        assert accepted(third) == 1
