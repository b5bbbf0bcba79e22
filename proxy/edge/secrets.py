"""Reads secrets from the environment, from files and from commands, and again when they change."""

import asyncio
import logging
import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from proxy.core.events import Event, SecretRead
from proxy.core.secret import Secret, SecretRef, SecretSlot, parse_secret
from proxy.edge.commands import AT_ONCE, CommandFailed, Schedule, run_command
from proxy.edge.stamp import Stamp, stamp_of
from proxy.sansio.key_files import secret_parts

REREAD_S: Final = 0.2
"""The shortest time between two looks at the files that calls ask for."""

NOBODY: Final = ("-", "")
"""Who uses a secret that belongs to no provider, such as the admin token."""

_MOST_KIB: Final = 64
_MOST_KIB_OF_DOCUMENT: Final = 1024  # a system's bundle of authorities has 220
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
    never late; on_token: the same for what was made here, and for whom. environ: read once per name, because a
    process's environment does not change.
    """

    def __init__(
        self,
        on_value: Callable[[str], None],
        environ: Mapping[str, str] | None = None,
        on_token: Callable[[str, str], None] | None = None,
    ) -> None:
        self._on_value = on_value
        self._on_token = on_token or (lambda text, _: on_value(text))
        self._environ = os.environ if environ is None else environ
        self._slots: dict[SecretRef, SecretSlot] = {}
        self._stamps: dict[SecretRef, Stamp | None] = {}
        self._users: dict[SecretRef, list[tuple[str, str]]] = {}
        self._emit: Callable[[Event], None] = _unheard
        self._looking: asyncio.Task[None] | None = None
        self._rereading: asyncio.Task[None] | None = None
        self._reread_at = float("-inf")
        self._takes = 0
        self._commands = Schedule(time.monotonic)

    def configure(self, exec_timeout_s: float, exec_ttl_s: float) -> None:
        """Learn how long a command may take, and after what time it is run again."""
        self._commands.timeout_s, self._commands.ttl_s = exec_timeout_s, exec_ttl_s

    async def prepare(self, refs: Iterable[SecretRef]) -> None:
        """Run the commands that have never run, in threads, so that `slot` need not wait for them on the loop."""
        fresh = [ref for ref in dict.fromkeys(refs) if ref.source == "exec" and ref not in self._slots]
        some = asyncio.Semaphore(AT_ONCE)

        async def run(ref: SecretRef) -> Found:
            async with some:
                return await asyncio.to_thread(self._read_command, ref)

        for found in await asyncio.gather(*map(run, fresh)):
            self._add(found.ref)
            self._took(found)

    def slot(self, ref: SecretRef, provider: str = NOBODY[0], account: str = NOBODY[1]) -> SecretSlot:
        """Return the slot of a reference; the first time it is read at once, on the calling thread.

        provider, account: who uses it, for the events; what an account has from its provider is the provider's.
        A failure is told by the slot's `problem`.
        """
        if ref not in self._slots:
            self._add(ref)
            if ref.source == "env":
                self._take([self._read_env(ref)])
            elif ref.source == "exec":
                self._took(self._read_command(ref))
            else:
                # Together with the others: the files of one credential are of one generation from the first.
                found = look({**self._stamps, ref: None}) or [read_file(ref)]
                self._tell(self._take(found))
        users = self._users[ref]
        if (provider, "") not in users and (provider, account) not in users:
            users.append((provider, account))
        return self._slots[ref]

    def keep(self, refs: Iterable[SecretRef], users: Collection[tuple[str, str]]) -> None:
        """Forget the references and users that a reload has left behind: their files are read no more, nor are their
        commands run. Calls under way go on with the slots that they have.
        """
        for ref in self._slots.keys() - set(refs):
            del self._slots[ref], self._users[ref]
            self._stamps.pop(ref, None)
            self._commands.forget(ref)
            self._takes += 1  # a look that is under way may bring it
        for ref, known in self._users.items():
            self._users[ref] = [user for user in known if user in users]

    def _add(self, ref: SecretRef) -> None:
        self._slots[ref] = SecretSlot(ref)
        self._users[ref] = []

    def refresh(self) -> list[SecretRead]:
        """Read changed files again, on the calling thread; tell what was loaded and what newly failed."""
        return self._take(look(dict(self._stamps)))

    def protect(self, text: str, user: str = "-") -> None:
        """Tell the redactor a secret that was made here for a user, an access token, before anything can show it."""
        self._on_token(text, user)

    async def reread(self) -> None:
        """Look at the files now, because a provider refused a secret; commands run again when the watch comes by.

        However many calls ask, one look serves them, and it is not repeated for 200 ms.
        """
        self._commands.hasten()
        if self._rereading is None:
            now = asyncio.get_running_loop().time()
            if now - self._reread_at < REREAD_S:
                return
            self._reread_at = now
            self._rereading = asyncio.create_task(self._reread())
        await asyncio.shield(self._rereading)

    async def _reread(self) -> None:
        try:
            if self._looking is not None:
                await self._look_once()  # it began before, and may not have seen the change that is looked for
            await self._look_once()
        finally:
            self._rereading = None

    async def watch(self, interval_s: float, emit: Callable[[Event], None]) -> None:
        """Refresh for ever, files and commands in executor threads; cancel it to end it.

        A poll and not inotify: it sees changes on every kind of volume (network, FUSE, a symlink swap in
        any parent), and costs a handful of system calls per file and second.
        """
        self._emit = emit
        running: set[asyncio.Task[None]] = set()
        while True:
            await asyncio.sleep(interval_s)
            await self._look_once()
            for ref in self._commands.begin():
                task = asyncio.create_task(self._run(ref))
                running.add(task)
                task.add_done_callback(running.discard)

    async def _look_once(self) -> None:
        """Look at the files in a thread; whoever comes meanwhile waits for the same look."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        await asyncio.shield(self._looking)

    async def _look(self) -> None:
        try:
            takes = self._takes
            found = await asyncio.to_thread(look, dict(self._stamps))
            if takes == self._takes:  # else something newer is in place, and the next look goes on from there
                # Values go in on the loop, all in one step: no call sees one half of a pair old and one new.
                self._tell(self._take(found))
        except Exception:  # a surprise must cost one look, not the process
            logging.getLogger(__name__).exception("bug while looking at the secrets")
        finally:
            self._looking = None

    async def _run(self, ref: SecretRef) -> None:
        self._took(await asyncio.to_thread(self._read_command, ref))

    def _took(self, found: Found) -> None:
        """Take what a command brought."""
        if found.ref in self._slots:
            self._commands.ended(found.ref, well=found.secret is not None)
        self._tell(self._take([found]))

    def _tell(self, events: list[SecretRead]) -> None:
        for event in events:
            self._emit(event)

    def _read_command(self, ref: SecretRef) -> Found:
        try:
            return _parsed(ref, run_command(ref.name, self._commands.timeout_s), None)
        except CommandFailed as error:
            return Found(ref, None, str(error))

    def _read_env(self, ref: SecretRef) -> Found:
        value = self._environ.get(ref.name)
        if value is None:
            return Found(ref, None, "the variable is not set")
        return _parsed(ref, os.fsencode(value), None)

    def _take(self, found: list[Found]) -> list[SecretRead]:
        events = []
        self._takes += 1
        for item in found:
            slot = self._slots.get(item.ref)
            if slot is None:
                continue  # a command that was running when a reload left it behind
            if item.ref.source == "file":
                self._stamps[item.ref] = item.stamp
            before = slot.problem
            changed = self._put(slot, item.secret) if item.secret is not None else False
            if changed:
                slot.since_ts = item.stamp[4] / 1e9 if item.stamp else time.time()
            slot.problem = item.problem
            if changed or before != item.problem:
                result: Literal["loaded", "failed"] = "failed" if item.problem else "loaded"
                for provider, account in self._users[item.ref]:
                    events.append(SecretRead(provider, str(item.ref), result, item.problem, account))
        if events:
            self._tell_current()
        return events

    def _put(self, slot: SecretSlot, secret: Secret) -> bool:
        self._warn_of(slot.ref, secret)
        return slot.put(secret)

    def _tell_current(self) -> None:
        # Who listens forgets what it was not told for longest; what is in use must never be that.
        for slot in self._slots.values():
            if slot.secret is not None:
                self._warn_of(slot.ref, slot.secret)

    def _warn_of(self, ref: SecretRef, secret: Secret) -> None:
        text = secret.reveal()
        for part in secret_parts(text) if ref.document else (text,):
            self._on_value(part)


def _unheard(_: Event) -> None:
    return None


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
        raw = _read_bytes(stamp[0] if stamp else ref.name, _MOST_KIB_OF_DOCUMENT if ref.document else _MOST_KIB)
    except OSError as error:
        return Found(ref, None, os.strerror(error.errno) if error.errno else "can't be read", stamp)
    except ValueError as error:
        return Found(ref, None, str(error), stamp)
    return _parsed(ref, raw, stamp)


def _read_bytes(path: str, most_kib: int) -> bytes:
    # Not blocking: opening a named pipe would wait for its writer for ever.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("is not a regular file")
        raw = file.read(most_kib * 1024 + 1)
    if len(raw) > most_kib * 1024:
        raise ValueError(f"is larger than {most_kib} KiB")
    return raw


def _parsed(ref: SecretRef, raw: bytes, stamp: Stamp | None) -> Found:
    try:
        return Found(ref, parse_secret(raw, document=ref.document), "", stamp)
    except ValueError as error:
        return Found(ref, None, str(error), stamp)
