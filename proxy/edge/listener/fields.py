"""Remembers what becomes of each header field, because the same few dozen names come by all day."""

from collections.abc import Callable
from typing import Final, TypeVar

Kind = TypeVar("Kind")

MOST: Final = 4096  # names remembered
LONGEST_BYTES: Final = 64  # of those; a stranger's names of 16 KiB each would fill the memory


class Kinds(dict[bytes, Kind]):
    """Judges field names as they stood on the wire: `kinds[name]`; a dict, so that a known name costs one look-up.

    judge: tells the kind of a name in lower case.
    """

    def __init__(self, judge: Callable[[bytes], Kind]) -> None:
        super().__init__()
        self._judge = judge

    def __missing__(self, name: bytes) -> Kind:
        """Judge a name that is new, and remember it while there is room."""
        kind = self._judge(name.lower())
        if len(self) < MOST and len(name) <= LONGEST_BYTES:
            self[name] = kind
        return kind
