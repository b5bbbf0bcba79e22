"""Reads secrets from the environment and from files, and reads files again when they change."""

import asyncio
import logging
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from proxy.core.events import Event, SecretRead
from proxy.core.secret import Secret, SecretRef, SecretSlot, parse_secret
from proxy.edge.stamp import Stamp, stamp_of

_MOST_BYTES: Final = 64 * 1024
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Found:
    """What one reading brought: the secret, or the problem, which holds no part of the value."""

    ref: SecretRef
    secret: Secret | None
    problem: str = ""
    stamp: Stamp | None = None


class Secrets:
    """Holds one slot per reference; the last good value of each stays in use.

    on_value: told the text of every secret before any scheme can use it, so that the redactor is
    never late. environ: read once per name, because a process's environment does not change.
    """

    def __init__(self, on_value: Callable[[str], None], environ: Mapping[str, str] | None = None) -> None:
        self._on_value = on_value
        self._environ = os.environ if environ is None else environ
        self._slots: dict[SecretRef, SecretSlot] = {}
        self._stamps: dict[SecretRef, Stamp | None] = {}
        self._users: dict[SecretRef, list[str]] = {}

    def slot(self, ref: SecretRef, provider: str = "-") -> SecretSlot:
        """Return the slot of a reference; the first time it is read at once, on the calling thread.

        provider: who uses it, for the events. A failure is told by the slot's `problem`.
        """
        users = self._users.setdefault(ref, [])
        if provider not in users:
            users.append(provider)
        if ref not in self._slots:
            self._slots[ref] = SecretSlot(ref)
            self._take([self._read_env(ref) if ref.source == "env" else read_file(ref)])
        return self._slots[ref]

    def refresh(self) -> list[SecretRead]:
        """Read changed files again, on the calling thread; tell what was loaded and what newly failed."""
        return self._take(look(dict(self._stamps)))

    async def watch(self, interval_s: float, emit: Callable[[Event], None]) -> None:
        """Refresh for ever, files in an executor thread; cancel it to end it.

        A poll and not inotify: it sees changes on every kind of volume (network, FUSE, a symlink swap in
        any parent), and costs a handful of system calls per file and second.
        """
        while True:
            await asyncio.sleep(interval_s)
            try:
                # Values go in on the loop, all in one step: no call sees one half of a pair old and one new.
                for event in self._take(await asyncio.to_thread(look, dict(self._stamps))):
                    emit(event)
            except Exception:  # a surprise must cost one look, not the process
                logging.getLogger(__name__).exception("bug while looking at the secrets")

    def _read_env(self, ref: SecretRef) -> Found:
        value = self._environ.get(ref.name)
        if value is None:
            return Found(ref, None, "the variable is not set")
        return _parsed(ref, os.fsencode(value), None)

    def _take(self, found: list[Found]) -> list[SecretRead]:
        events = []
        for item in found:
            slot = self._slots[item.ref]
            if item.ref.source == "file":
                self._stamps[item.ref] = item.stamp
            before = slot.problem
            changed = self._put(slot, item.secret) if item.secret is not None else False
            slot.problem = item.problem
            if changed or before != item.problem:
                result: Literal["loaded", "failed"] = "failed" if item.problem else "loaded"
                events += [SecretRead(user, str(item.ref), result, item.problem) for user in self._users[item.ref]]
        if events:
            self._tell_current()
        return events

    def _put(self, slot: SecretSlot, secret: Secret) -> bool:
        self._on_value(secret.reveal())
        return slot.put(secret)

    def _tell_current(self) -> None:
        # Who listens forgets what it was not told for longest; what is in use must never be that.
        for slot in self._slots.values():
            if slot.secret is not None:
                self._on_value(slot.secret.reveal())


def look(known: Mapping[SecretRef, Stamp | None]) -> list[Found]:
    """Read the files whose stamp is not the known one, all of them as they stood at one moment.

    A volume may be swapped between two reads (Kubernetes renames `..data`), or a file be written while
    it is read. Stamps that differ afterwards tell so, and everything is read once more. Returns: nothing
    while the files do not come to rest; the next look sees them.
    """
    for _ in range(_TRIES):
        before = {ref: stamp_of(ref.name) for ref in known}
        changed = [ref for ref, stamp in before.items() if stamp is None or stamp != known[ref]]
        if not changed:
            return []
        found = [_read_stamped(ref, before[ref]) for ref in changed]
        if before == {ref: stamp_of(ref.name) for ref in known}:
            return found
    return []


def read_file(ref: SecretRef) -> Found:
    """Read one file now, whatever is known of it."""
    found = look({ref: None})
    return found[0] if found else Found(ref, None, "the file changes while it is read")


def _read_stamped(ref: SecretRef, stamp: Stamp | None) -> Found:
    try:
        raw = _read_bytes(stamp[0] if stamp else ref.name)
    except OSError as error:
        return Found(ref, None, os.strerror(error.errno) if error.errno else "can't be read", stamp)
    except ValueError as error:
        return Found(ref, None, str(error), stamp)
    return _parsed(ref, raw, stamp)


def _read_bytes(path: str) -> bytes:
    # Not blocking: opening a named pipe would wait for its writer for ever.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("is not a regular file")
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise ValueError("is larger than 64 KiB")
    return raw


def _parsed(ref: SecretRef, raw: bytes, stamp: Stamp | None) -> Found:
    try:
        return Found(ref, parse_secret(raw), "", stamp)
    except ValueError as error:
        return Found(ref, None, str(error), stamp)
