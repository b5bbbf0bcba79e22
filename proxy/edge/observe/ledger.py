"""The files of an audit log: appended to by one process or several, continued after a crash, begun anew when full."""

import contextlib
import fcntl
import os
import stat
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

from proxy.sansio.chain import BEGINNING, START, Digest, Link, add, sha256, try_last

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK  # the last one for named pipes
_LOOK_BYTES: Final = 64 * 1024
_LOCK_S: Final = 5.0
_LOCK_STEP_S: Final = 0.01
_UNKNOWN: Final = -1


class Ledger:
    """Appends records to a chain (`sansio/chain.py`) that all processes with the same file share.

    Each piece is written under a lock on the file, behind whatever is there by then; between two pieces another process
    may write, and begin a new part. All methods but the constructor belong on one thread, and may wait for the disk.

    path: FILE; older parts are FILE.1 (the newest) to FILE.`keep`. max_bytes: the size at which a new part begins.
    problem: why the last piece was not written whole, "" when it was.
    Raises: OSError for a file that can't be opened, ValueError for one that is no audit log.
    """

    def __init__(self, path: str, max_bytes: int, keep: int) -> None:
        self.max_bytes = max_bytes
        self.keep = keep
        self.problem = ""
        self._path = path
        self._link = BEGINNING
        self._size = _UNKNOWN  # of the file behind the record `_link`; another one's records make it larger
        self._fd = self._open()
        try:
            self._catch_up()
        except ValueError:
            os.close(self._fd)
            raise
        self._size = _UNKNOWN  # that was a look without the lock

    def append(self, records: Sequence[bytes], digest: Digest, marks: Mapping[str, object]) -> int:
        """Write records, JSON objects; `marks` go into the first one. Returns: how many are in the file.

        They are on the disk (fsync) when this returns.
        """
        try:
            self._lock()
            try:
                written = self._append(records, digest, marks)
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)
            os.fsync(self._fd)
        except (OSError, ValueError) as error:
            self._size = _UNKNOWN
            self.problem = _text(error)
            return 0
        return written

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _append(self, records: Sequence[bytes], digest: Digest, marks: Mapping[str, object]) -> int:
        self.problem = ""
        torn = self._catch_up()
        if not torn and self._size >= self.max_bytes:
            self._begin_part()
            torn = self._catch_up()
        if torn:  # what a crash or a full disk left of a line stays, and the next record vouches for it
            if not torn.endswith(b"\n"):
                torn += b"\n"
                os.write(self._fd, b"\n")
            marks = {**marks, "torn": len(torn), "torn_sha256": sha256(torn).hex()}
        lines, links = [], [self._link]
        for record in records:
            line, link = add(links[-1], record, digest, marks)
            lines.append(line)
            links.append(link)
            marks = {}
        data = b"".join(lines)
        done = self._write(data)
        self._size = self._size + len(torn) + done if done == len(data) else _UNKNOWN
        written = bisect_right(list(accumulate(map(len, lines))), done)
        self._link = links[written]
        return written

    def _write(self, data: bytes) -> int:
        done = 0
        try:
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError as error:
            self.problem = _text(error)
        return done

    def _catch_up(self) -> bytes:
        """Learn where the chain ends by now. Returns: what follows its last whole line, b"" as a rule."""
        size = os.fstat(self._fd).st_size
        if size == self._size:
            return b""
        link, rest = _last(self._fd, size)
        # A file that ends earlier than is known was cut: the chain goes on from what is known, and so tells.
        self._link = max(self._link, link or self._last_of_older_part(), key=_number)
        self._size = size - len(rest)
        return rest

    def _last_of_older_part(self) -> Link:
        try:
            fd = os.open(f"{self._path}.1", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return BEGINNING
        try:
            return _last(fd, os.fstat(fd).st_size)[0] or BEGINNING
        except (OSError, ValueError):  # it is none of ours
            return BEGINNING
        finally:
            os.close(fd)

    def _begin_part(self) -> None:
        """Make the file FILE.1, and begin an empty one, under its lock from the first."""
        older = [Path(f"{self._path}.{number}") for number in range(1, self.keep + 1)]
        try:
            if older[0].exists():  # else there is room, as after a rename of FILE that failed
                _shift(older)
            os.fsync(self._fd)
            Path(self._path).rename(older[0])
        except OSError as error:  # a file that is too large is better than none
            self.problem = f"no new part can be begun: {_text(error)}"
            return
        self._reopen()
        self._lock()
        folder = os.open(Path(self._path).parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # or else the renames may be lost with the power
        finally:
            os.close(folder)

    def _lock(self) -> None:
        """Wait for the lock on the file that has the name by now."""
        until = time.monotonic() + _LOCK_S
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise OSError(f"another process has held its lock for {_LOCK_S:g} s") from None
                time.sleep(_LOCK_STEP_S)
                continue
            if self._is_current():
                return
            self._reopen()

    def _is_current(self) -> bool:
        mine = os.fstat(self._fd)
        try:
            named = Path(self._path).stat()
        except FileNotFoundError:
            return False
        return (mine.st_dev, mine.st_ino) == (named.st_dev, named.st_ino)

    def _reopen(self) -> None:
        fresh = self._open()
        os.close(self._fd)
        self._fd, self._size = fresh, _UNKNOWN

    def _open(self) -> int:
        fd = os.open(self._path, _FLAGS, 0o600)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise ValueError("is not a regular file")
        return fd


def _shift(parts: Sequence[Path]) -> None:
    """Let each part take the name of the next older one; the last goes."""
    for newer, older in reversed(list(pairwise(parts))):
        with contextlib.suppress(FileNotFoundError):
            newer.rename(older)


def _number(link: Link) -> int:
    return link.seq


def _last(fd: int, size: int) -> tuple[Link | None, bytes]:
    """Find the last whole line. Returns: where the chain ends, None for an empty file, and what follows.

    Raises: ValueError for a file that was begun by something else.
    """
    look = _LOOK_BYTES
    while True:
        data = os.pread(fd, look, max(0, size - look))
        found = try_last(data)
        if found is not None:
            link, rest = found
            return link, data[len(data) - rest :]
        if look >= size:
            break
        look *= 8
    if data and not data.startswith(START):  # what a crash left of the first line begins like one
        raise ValueError("holds something that is no audit log")
    return None, data


def _text(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
