"""`tidegate audit verify`: tells whether an audit log is what was written."""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from proxy.core.errors import ConfigError
from proxy.core.secret import SecretRef
from proxy.edge.secrets import Secrets
from proxy.sansio.chain import Digest, Follower, sha256, try_entry

_MOST_BYTES: Final = 1024 * 1024  # of a line; a record has a few hundred
_REFS: Final = re.compile(r",(?=env:|file:|exec:)")


def verify(files: Sequence[Path], key: str | None) -> int:
    """Print what is wrong, or that nothing is.

    files: all parts, in any order. key: the reference of audit.key, or the new and the old one with a comma between.
    Returns: 0, or 1 with one line for each finding. Raises: ConfigError for what can't be read.
    """
    follower = Follower(_digests(key))
    for path in _in_order(files):
        for number, line in _lines(path):
            follower.read(line, f"{path}:{number}")
    follower.finish()
    sys.stdout.write("\n".join([*_report(follower), _summary(follower, keyed=key is not None), ""]))
    return 1 if follower.findings.count else 0


def _report(follower: Follower) -> Iterator[str]:
    for told in (follower.findings, follower.gaps):
        yield from told.first
        if told.count > len(told.first):
            yield f"... and {told.count - len(told.first)} more"
    if follower.unfinished:
        yield f"the last {follower.unfinished} bytes are no whole record: it is being written, or a process was killed"


def _summary(follower: Follower, *, keyed: bool) -> str:
    if not follower.records:
        return "no records" if keyed else "no records that fit; where audit.key is set, name it with --key"
    runs = "1 run" if len(follower.runs) == 1 else f"{len(follower.runs)} runs"
    found = follower.findings.count
    verdict = "whole" if not found else "1 finding" if found == 1 else f"{found} findings"
    said = f"{verdict}: {follower.records} records of {runs}, {follower.first} to {follower.last}"
    return f"{said}; the last is {follower.link.seq} with hash {follower.link.hash}"


def _digests(key: str | None) -> list[Digest]:
    if key is None:
        return [sha256]
    secrets = Secrets(lambda _: None)
    digests: list[Digest] = []
    for text in _REFS.split(key):
        try:
            slot = secrets.slot(SecretRef.parse(text))
        except ValueError as error:
            raise ConfigError([f"--key: {error}"]) from None
        if slot.secret is None:
            raise ConfigError([f"--key {slot.ref}: {slot.problem}"])
        digests.append(slot.secret.sign)
    return digests


def _in_order(files: Sequence[Path]) -> list[Path]:
    """Return the parts by their first record, those without any last."""
    return sorted(dict.fromkeys(files), key=_first)


def _first(path: Path) -> float:
    entries = (try_entry(line) for _, line in _lines(path))
    return next((entry.link.seq for entry in entries if entry is not None), float("inf"))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            yield from enumerate(iter(lambda: file.readline(_MOST_BYTES), b""), 1)
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from None
