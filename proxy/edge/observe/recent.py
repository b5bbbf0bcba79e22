"""The last calls and state changes, kept as their encoded log lines: for the console, `tidegate tail` and questions."""

from collections import deque
from typing import Final

import orjson

MOST_CHANGES: Final = 200


class Kept:
    """A bounded run of lines. total: how many there ever were, so that a reader knows what it has seen."""

    def __init__(self, most: int) -> None:
        self._lines: deque[bytes] = deque(maxlen=most)
        self.total = 0

    def add(self, line: bytes) -> None:
        """Keep a line, and let go of the oldest when there are too many."""
        self._lines.append(line)
        self.total += 1

    def since(self, seen: int, most: int) -> list[bytes]:
        """Return the lines after the first `seen` ones, oldest first, the last `most` of those that are still here."""
        fresh = min(self.total - seen, len(self._lines), most)
        return [self._lines[place] for place in range(len(self._lines) - fresh, len(self._lines))] if fresh > 0 else []

    def resize(self, most: int) -> None:
        """Keep so many from now on."""
        self._lines = deque(self._lines, maxlen=most)


class Recent:
    """Both runs. Lines are JSON as the log writes it, one object each, not redacted yet."""

    def __init__(self, most_calls: int) -> None:
        self.most_calls = most_calls
        self.calls = Kept(most_calls)
        self.changes = Kept(MOST_CHANGES)

    def resize(self, most_calls: int) -> None:
        """Keep so many calls from now on."""
        if most_calls != self.most_calls:
            self.most_calls = most_calls
            self.calls.resize(most_calls)

    def find(self, request_id: str) -> bytes | None:
        """Return the line of the latest call with this id, None when it is not among those that are kept."""
        wanted = b'"request_id":' + orjson.dumps(request_id.encode("utf-8", "replace").decode())
        kept = self.calls.since(0, self.most_calls)
        return next((line for line in reversed(kept) if wanted in line), None)
