"""Unix sockets with their names in the file system: taken only where nobody answers, removed only by their owner."""

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path
from typing import Final

_MODE: Final = 0o660  # the service may run as another user of the same group
_LONGEST: Final = 107  # bytes of a name (unix(7))


class UnixSocket:
    """A bound socket, beside its path until `place` puts it there: whoever finds it there may connect.

    shared: it takes the path over from whoever answers there. Raises: OSError when `path` is no socket, or somebody
    answers there and it is not shared.
    """

    def __init__(self, path: str, *, shared: bool) -> None:
        self._path, beside = Path(path), Path(f"{path}.{os.getpid()}")
        self._name = beside if shared or len(os.fsencode(beside)) <= _LONGEST else self._path
        _refuse_foreign(self._path)
        if not shared:
            _refuse_served(path)
        self._name.unlink(missing_ok=True)  # left behind by a process that was killed
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.setblocking(False)
            self.socket.bind(str(self._name))
            self._name.chmod(_MODE)
            self._inode: int | None = self._name.stat().st_ino
        except BaseException:
            self.socket.close()
            raise

    def place(self) -> None:
        """Give it its name; from here on it is the one that is found there."""
        if self._name != self._path:
            self._name = self._name.rename(self._path)

    def remove(self) -> None:
        """Take the name away, unless it is another's by now; to be called before the socket is closed, or again."""
        inode, self._inode = self._inode, None  # once the socket is closed, the number may be another's
        with contextlib.suppress(OSError):
            if inode is not None and self._name.stat().st_ino == inode:
                self._name.unlink()


def _refuse_foreign(path: Path) -> None:
    try:
        is_socket = stat.S_ISSOCK(path.stat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise OSError(errno.EEXIST, "something else than a socket lies there")


def _refuse_served(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        found = probe.connect_ex(path)
    if found in (0, errno.EAGAIN):  # EAGAIN: somebody is there, and busy
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
