"""Runs the commands of `exec:` references: which are due, and what they print."""

import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Final

from proxy.core.secret import SecretRef
from proxy.core.units import format_duration

MOST_BYTES: Final = 64 * 1024
AT_ONCE: Final = 2
"""Commands running at the same time; they wait in threads that name resolution needs too."""

_RUNNING: Final[set["subprocess.Popen[bytes]"]] = set()
_AGAIN_S: Final = 5.0  # after a failure, and at the soonest after a refusal by the provider


class CommandFailed(Exception):
    """Why a command gave no secret; the text holds nothing that it printed."""


def run_command(line: str, timeout_s: float) -> bytes:
    """Run a command and return what it printed. Blocks; call it in a thread.

    line: an absolute path and arguments, split as a shell would, and run without one. It gets no input, and what it
    says on standard error goes nowhere. After `timeout_s` its whole process group is killed.
    Raises: CommandFailed.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator wrote the command, and no shell reads it
            _split(line),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise CommandFailed(f"could not be started: {getattr(error, 'strerror', None) or error}") from None
    with process:
        _RUNNING.add(process)
        try:
            output = _output(process, time.monotonic() + timeout_s, timeout_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # it has not been waited for, so that the number is still its own
            raise
        finally:
            _RUNNING.discard(process)
    if process.returncode:
        status = process.returncode
        raise CommandFailed(f"exit status {status}" if status > 0 else f"ended by signal {-status}")
    return output


def end_commands() -> None:
    """Kill what runs now: a process that ends would wait for the threads that read it."""
    for process in tuple(_RUNNING):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def _split(line: str) -> list[str]:
    arguments = shlex.split(line)
    if not arguments or not arguments[0].startswith("/"):
        raise ValueError("the command must begin with an absolute path")
    return arguments


def _output(process: "subprocess.Popen[bytes]", until: float, timeout_s: float) -> bytes:
    pipe = process.stdout
    data = b""
    with selectors.DefaultSelector() as selector:
        if pipe is not None:
            selector.register(pipe, selectors.EVENT_READ)
        while pipe is not None:
            if not selector.select(max(0.0, until - time.monotonic())):
                raise CommandFailed(f"took longer than {format_duration(timeout_s)}")
            piece = os.read(pipe.fileno(), MOST_BYTES)
            data += piece
            if not piece:
                break
            if len(data) > MOST_BYTES:
                raise CommandFailed("printed more than 64 KiB")
    try:
        process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"took longer than {format_duration(timeout_s)}") from None
    return data


class Schedule:
    """Decides which commands run now. timeout_s, ttl_s: how long one may take, and how long its output is good."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.timeout_s = 10.0
        self.ttl_s = 300.0
        self._now = now
        self._ran_at: dict[SecretRef, float] = {}
        self._due_at: dict[SecretRef, float] = {}
        self._running: set[SecretRef] = set()

    def begin(self) -> list[SecretRef]:
        """Return those to run now; each stays taken until it is `ended`."""
        now = self._now()
        due = [ref for ref, at in self._due_at.items() if at <= now and ref not in self._running]
        begun = due[: AT_ONCE - len(self._running)]
        self._running.update(begun)
        return begun

    def ended(self, ref: SecretRef, *, well: bool) -> None:
        """Hear that a command has run, well or not."""
        self._running.discard(ref)
        now = self._ran_at[ref] = self._now()
        self._due_at[ref] = now + (self.ttl_s if well else min(self.ttl_s, _AGAIN_S))

    def forget(self, ref: SecretRef) -> None:
        """Run a command no more."""
        for known in (self._ran_at, self._due_at):
            known.pop(ref, None)
        self._running.discard(ref)

    def hasten(self) -> None:
        """Let the commands run again that have not just done so: a provider refused a secret."""
        now = self._now()
        for ref, ran_at in self._ran_at.items():
            self._due_at[ref] = min(self._due_at[ref], max(now, ran_at + _AGAIN_S))
