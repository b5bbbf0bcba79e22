"""Log lines for people: one short line each, coloured on a terminal."""

from collections.abc import Mapping
from typing import Any, Final

_COLOURS: Final = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}
_RESET: Final = "\x1b[0m"
_SHOWN_APART: Final = frozenset({"ts", "level", "event", "traceback"})


class Console:
    """Writes the fields of a line as text; `coloured` only where a terminal shows it."""

    def __init__(self, *, coloured: bool) -> None:
        self._coloured = coloured

    def __call__(self, line: Mapping[str, object]) -> bytes:
        """Return one line. No control character of a value survives: it could move the cursor (CWE-150)."""
        level = str(line["level"])
        word = f"{level:7}"
        if self._coloured:
            word = _COLOURS[level] + word + _RESET
        said = _call(line) if line["event"] == "call" else _other(line)
        # The time alone is enough on a screen: 10:15:30.123 of the whole date.
        return f"{str(line['ts'])[11:23]} {word} {said}\n".encode("utf-8", "backslashreplace")


def _call(line: Mapping[str, object]) -> str:
    parts = [line["provider"], line["method"], line["path"], "-" if line["status"] is None else line["status"]]
    parts += [line["source"], line["reason"], f"{line['duration_ms']:.1f}ms"]
    if line["attempts"] != 1:
        parts.append(f"attempts={line['attempts']}")
    parts += [line.get("error", ""), line["request_id"]]
    return " ".join(printable(str(part)) for part in parts if part != "") + _story(line)


def _story(line: Mapping[str, Any]) -> str:
    told = [f"after {attempt['cause']}" for attempt in line.get("earlier", ())]
    told += [f"{note['section']}: {note['text']}" for note in line.get("notes", ())]
    return f" ({printable('; '.join(dict.fromkeys(told)))})" if told else ""


def _other(line: Mapping[str, object]) -> str:
    said = [str(line["event"])]
    said += [
        f"{name}={printable(str(value))}" for name, value in line.items() if name not in _SHOWN_APART and value != ""
    ]
    trace = ["\n    " + printable(row) for row in str(line.get("traceback", "")).split("\n") if row]
    return " ".join(said) + "".join(trace)


def printable(text: str) -> str:
    """Return text of which nothing moves the cursor or turns letters round (CWE-150).

    Printable letters stay, so that the redactor still finds a secret with an umlaut in it.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
