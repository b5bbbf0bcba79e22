"""Tells one state of a file from another, so that a change is seen by looking again."""

import os
from pathlib import Path

Stamp = tuple[str, int, int, int, int, int]
"""Real path, device, inode, size, mtime and ctime."""


def stamp_of(path: str | Path) -> Stamp | None:
    """Return the state of a file, behind all links; None when it can't be looked at, a loop of links included."""
    try:
        real = os.path.realpath(path)  # all links resolved once: what is read is what was stamped
        state = Path(real).stat()
    except (OSError, ValueError):
        return None
    return real, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
