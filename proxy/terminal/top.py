"""`tidegate top`: the providers of a running tidegate at a glance, trouble first."""

import argparse
import select
import sys
import termios
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from proxy.terminal.client import Client, Refused, Unreachable, client_of
from proxy.terminal.rows import COLUMNS, FINE, GRAVE, ODD, QUIET, Cell, Row, headlines, rows

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table
    from rich.text import Text

_LOOK_S: Final = 0.1  # between two looks at keys, size and news
_AGAIN_S: Final = 1.0
_WIDE: Final = 160  # of what is printed to no terminal
_STYLES: Final = {QUIET: "dim", FINE: "", ODD: "yellow", GRAVE: "bold red"}
_NUMBERS: Final = frozenset({"calls/s", "p50", "p95", "p99", "failed", "budget", "in flight"})


def top(arguments: argparse.Namespace) -> int:
    """Show the providers until q or Ctrl-C, once where there is no terminal or `once` is set.

    Returns: 1 when nothing answers at the start. Raises: Refused.
    """
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra, and this command's alone
    except ImportError:
        raise Refused("top needs the extra `terminal`: pip install 'tidegate[terminal]'") from None
    client, console = client_of(arguments), Console(highlight=False)
    try:
        state = client.state()
    except Unreachable as error:
        sys.stderr.write(f"tidegate top: {client.where} can't be read: {error}; is tidegate running there?\n")
        return 1
    if arguments.once or not console.is_terminal or not sys.stdin.isatty():
        console = console if console.is_terminal else Console(highlight=False, width=_WIDE)
        console.print(frame(state, "", console.width, None))
        return 0
    _watch(_Feed(client, state), console)
    return 0


class _Feed:
    """Follows the state in a thread of its own. state: the latest. problem: why none comes. news: grows with both."""

    def __init__(self, client: Client, state: dict[str, Any]) -> None:
        self.state = state
        self.problem = ""
        self.news = 0
        self._client = client
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        while True:
            self.problem = f"{self._client.where} has ended the stream"
            try:
                for name, value in self._client.events("state"):
                    self._take(name, value)
            except (Unreachable, Refused) as error:
                self.problem = f"{self._client.where}: {error}"
            self.news += 1
            time.sleep(_AGAIN_S)

    def _take(self, name: str, value: Any) -> None:
        if name == "state" and isinstance(value, dict):
            self.state, self.problem = value, ""
            self.news += 1


def _watch(feed: _Feed, console: "Console") -> None:
    from rich.live import Live  # noqa: PLC0415 - see above

    shown: object = None
    with _keys(), Live(console=console, screen=True, auto_refresh=False) as live:
        while not _told_to_end():
            size = console.size
            if shown != (feed.news, size):
                shown = (feed.news, size)
                live.update(frame(feed.state, feed.problem, size.width, size.height), refresh=True)


@contextmanager
def _keys() -> Iterator[None]:
    """Have keys come one by one and unseen; afterwards the terminal is as it was."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    except KeyboardInterrupt:
        return
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _told_to_end() -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], _LOOK_S)
    return bool(ready) and sys.stdin.read(1) in ("q", "Q", "")


def frame(state: dict[str, Any], problem: str, width: int, height: int | None) -> "Group":
    """Return what is shown. problem: why the state is not the latest. height: None shows every provider."""
    from rich.console import Group  # noqa: PLC0415 - see above

    told = rows(state)
    head = [_line(cell) for cell in headlines(state)]
    if problem:
        head.insert(0, _line(Cell(f"connection lost: {problem}; trying again", GRAVE)))
    room = len(told) if height is None else max(1, height - len(head) - 3)
    more = [] if room >= len(told) else [_line(Cell(f"{len(told) - room} more", QUIET))]
    if not told:
        more = [_line(Cell("no providers", QUIET))]
    return Group(*head, _table(told[:room], width), *more)


def _table(told: list[Row], width: int) -> "Table":
    from rich.table import Table  # noqa: PLC0415 - see above

    places = _that_fit(told, width)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for place in places:
        title = COLUMNS[place][0]
        table.add_column(title, justify="right" if title in _NUMBERS else "left", no_wrap=True)
    for row in told:
        table.add_row(*(_line(row.cells[place]) for place in places))
    return table


def _that_fit(told: list[Row], width: int) -> list[int]:
    """Return the places of the columns for which there is room; the least important ones go first."""
    widths = [
        max(len(title), *(len(row.cells[place].text) for row in told), 0) for place, (title, _) in enumerate(COLUMNS)
    ]
    kept = list(range(len(COLUMNS)))
    while len(kept) > 1 and sum(widths[place] + 2 for place in kept) - 2 > width:
        kept.remove(max(kept, key=lambda place: (COLUMNS[place][1], place)))
    return kept


def _line(cell: Cell) -> "Text":
    from rich.text import Text  # noqa: PLC0415 - see above

    return Text(cell.text, _STYLES[cell.grave], overflow="ellipsis", no_wrap=True)  # Text reads no markup
