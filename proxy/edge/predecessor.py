"""The running tidegate that a new one replaces: found, checked, and told to drain once the new one serves."""

import os
import signal
import socket
from pathlib import Path
from typing import Final

from proxy.core.errors import ConfigError
from proxy.core.units import Listen

_ANSWER_S: Final = 2.0


class Predecessor:
    """A process of the same user that runs tidegate; held by a descriptor, so that its number can't pass to another.

    Raises: ConfigError when `pid` is none.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        if not hasattr(os, "pidfd_open"):
            raise self._problem("needs Linux; start the new one once the old one has ended")
        try:
            self._fd = os.pidfd_open(pid)
            owner = Path(f"/proc/{pid}").stat().st_uid
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, OverflowError):
            raise self._problem("there is no such process; give the number of the one that runs now") from None
        if owner != os.geteuid():
            raise self._problem("belongs to another user; only processes of one user can share a port")
        if pid == os.getpid() or not _is_tidegate(command):
            raise self._problem("is no running tidegate; give the number of one, such as pgrep shows it")

    def answers_at(self, listen: Listen) -> None:
        """Raise ConfigError unless somebody takes calls at the address; whom nobody calls need not be replaced."""
        if not listen.path and listen.port == 0:
            raise self._problem("egress.listen is any free port, and a new one each time; write a fixed one")
        try:
            _connect(listen)
        except OSError as error:
            text = f"does not listen on {listen} ({error.strerror or error}); write the egress.listen that it has"
            raise self._problem(text) from None

    def tell_to_drain(self) -> bool:
        """Send SIGTERM. Returns: False when it has ended by itself."""
        try:
            signal.pidfd_send_signal(self._fd, signal.SIGTERM)
        except ProcessLookupError:
            return False
        finally:
            os.close(self._fd)
        return True

    def refuse(self, reason: str) -> ConfigError:
        """Return the error of a new process that can't take over."""
        return self._problem(f"serves on, because the new one can't take over: {reason}")

    def _problem(self, text: str) -> ConfigError:
        return ConfigError([f"tidegate: --replace {self.pid}: {text}"])


def _is_tidegate(command: list[bytes]) -> bool:
    names = [Path(os.fsdecode(word)).name for word in command]
    return "run" in names and ("tidegate" in names[:2] or names[1:3] == ["-m", "proxy"])


def _connect(listen: Listen) -> None:
    if not listen.path:
        socket.create_connection((listen.dialled, listen.port), _ANSWER_S).close()
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ANSWER_S)
        probe.connect(listen.path)
