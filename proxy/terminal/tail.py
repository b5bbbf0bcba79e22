"""`tidegate tail`: the calls of a running tidegate as they come, one line each."""

import argparse
import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from proxy.edge.observe.console import Console, printable
from proxy.terminal.client import Client, Unreachable, client_of

_AGAIN_S: Final = 1.0
_REMEMBERED: Final = 1000  # more than a stream sends at once when it begins anew

Line = Mapping[str, Any]


def tail(arguments: argparse.Namespace) -> int:
    """Print calls until it is interrupted, also those of the process that comes after this one.

    Returns: 1 when nothing answers at the start. Raises: Refused.
    """
    client = client_of(arguments)
    show = _Show(arguments)
    try:
        for line in _lines(client):
            show(line)
    except Unreachable as error:
        _tell(client, f"can't be read: {error}; is tidegate running, and is this its admin.listen?")
    return 1


def _lines(client: Client) -> Iterator[Line]:
    """Yield every call once, over all connections. Raises: Unreachable when the first one fails; Refused."""
    seen: deque[tuple[Any, Any]] = deque(maxlen=_REMEMBERED)
    link = _Link(client)
    while True:
        why = "it has ended the stream"
        try:
            for name, value in client.events("calls"):
                link.is_there()
                yield from _fresh(value, seen) if name == "calls" else ()
        except Unreachable as error:
            if not link.was_there:
                raise
            why = str(error)
        link.is_gone(why)
        time.sleep(_AGAIN_S)


class _Link:
    """Tells people once when the other end has gone, and once when it is back. was_there: ever."""

    def __init__(self, client: Client) -> None:
        self.was_there = False
        self._client = client
        self._gone = False

    def is_there(self) -> None:
        if self._gone:
            _tell(self._client, "is there again")
        self.was_there, self._gone = True, False

    def is_gone(self, why: str) -> None:
        if not self._gone:
            _tell(self._client, f"is gone: {why}; trying again until it is back")
        self._gone = True


def _fresh(value: Any, seen: deque[tuple[Any, Any]]) -> Iterator[Line]:
    """Yield the calls that were not seen before: a new stream begins with the last ones."""
    for line in value if isinstance(value, list) else ():
        if not isinstance(line, dict):
            continue
        key = line.get("ts"), line.get("request_id")
        if key not in seen:
            seen.append(key)
            yield line


class _Show:
    """Writes the calls that are wanted to standard output."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._console = Console(coloured=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))

    def __call__(self, line: Line) -> None:
        arguments = self._arguments
        if arguments.provider not in (None, line.get("provider")):
            return
        if arguments.failed and line.get("outcome") == "ok":
            return
        sys.stdout.write(_as_json(line) if arguments.json else self._as_text(line))
        sys.stdout.flush()

    def _as_text(self, line: Line) -> str:
        clean = {name: printable(value) if isinstance(value, str) else value for name, value in line.items()}
        try:
            return self._console(clean).decode()
        except (KeyError, TypeError, ValueError):  # of another version
            return _as_json(line)


def _as_json(line: Line) -> str:
    # ASCII alone, because a terminal obeys letters beyond it too; DEL is the one control character that JSON leaves.
    return json.dumps(line, separators=(",", ":")).replace("\x7f", "\\u007f") + "\n"


def _tell(client: Client, text: str) -> None:
    sys.stderr.write(f"tidegate tail: {client.where} {text}\n")
    sys.stderr.flush()
