import errno
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.edge.unix_socket import UnixSocket


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "s"
    assert [one.name for one in tmp_path.iterdir() if one.name != "s"] == []  # nothing is left beside it


def serving(path: Path, *, shared: bool = False) -> UnixSocket:
    one = UnixSocket(str(path), shared=shared)
    one.socket.listen()
    one.place()
    return one


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def end(one: UnixSocket) -> None:
    one.remove()
    one.socket.close()


def test_it_is_found_only_once_it_has_been_placed_and_is_for_user_and_group(path: Path) -> None:
    one = UnixSocket(str(path), shared=False)
    assert not path.exists()
    one.socket.listen()
    one.place()
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert answers(path)
    end(one)
    assert not path.exists()


def test_one_in_service_is_refused_and_one_left_behind_is_replaced(path: Path) -> None:
    first = serving(path)
    with pytest.raises(OSError, match="in use") as raised:
        UnixSocket(str(path), shared=False)
    assert raised.value.errno == errno.EADDRINUSE
    first.socket.close()
    assert path.exists()
    end(serving(path))


def test_a_shared_one_takes_over_and_the_other_leaves_its_name_alone(path: Path) -> None:
    first = serving(path)
    second = UnixSocket(str(path), shared=True)
    assert answers(path)
    second.socket.listen()
    second.place()
    for _ in range(2):
        end(first)
    assert answers(path)
    end(second)
    assert not path.exists()


def test_one_that_was_never_placed_leaves_the_other_where_it_is(path: Path) -> None:
    first = serving(path)
    end(UnixSocket(str(path), shared=True))
    assert answers(path)
    end(first)


@pytest.mark.parametrize("shared", [True, False])
def test_what_is_no_socket_is_left_alone(path: Path, *, shared: bool) -> None:
    path.write_text("keep")
    with pytest.raises(OSError, match="something else than a socket"):
        UnixSocket(str(path), shared=shared)
    assert path.read_text() == "keep"


def test_the_longest_path_serves(tmp_path: Path) -> None:
    path = tmp_path / ("s" * (106 - len(str(tmp_path))))
    assert len(str(path)) == 107
    end(serving(path))
