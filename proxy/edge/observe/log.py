"""The log: one pipe for calls, state changes and the standard library's logging, redacted as one piece."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Literal, Protocol

import orjson

from proxy.core.events import CallEnded, Event, RequestRefused, RetryDenied, RetryScheduled, WouldRefuse
from proxy.core.profile import Profile
from proxy.edge.observe.console import Console
from proxy.edge.observe.lines import SEVERITY, Level, Line, Lines, level_of
from proxy.edge.observe.recent import Recent
from proxy.edge.observe.writer import Writer, to_descriptor
from proxy.sansio.sampling import Sampler

_BATCH: Final = 256  # redacted and handed over in one piece
_INTERVAL_S: Final = 0.1
_CLOSE_S: Final = 2.0
_MAX_TEXT: Final = 16 * 1024
# JSON allows these raw in a text, yet many readers take them for the end of a line (CWE-117).
_LINE_ENDS: Final = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


# They come with calls or requests, by the hundred when something is wrong, and would push out what has changed.
_NO_CHANGES: Final = frozenset({RetryScheduled, RetryDenied, WouldRefuse, RequestRefused})


class Sampling(Protocol):
    """The `log.sample` section."""

    @property
    def first(self) -> int:
        """Lines of a second that are written in any case."""

    @property
    def every(self) -> int:
        """Of how many others one is written."""


class Settings(Protocol):
    """The `log:` section."""

    @property
    def format(self) -> Literal["json", "console"]:
        """For programs or for people."""

    @property
    def level(self) -> Level:
        """The least important line that is written."""

    @property
    def headers(self) -> tuple[str, ...]:
        """Header fields whose values may be shown."""

    @property
    def query(self) -> tuple[str, ...]:
        """Query keys whose values may be shown."""

    @property
    def sample(self) -> Sampling | None:
        """Which of many successful calls get a line; None: all."""


class Log:
    """Decides when lines are handed to the writer: 100 ms after the first one, or once 256 wait.

    An event becomes a line at once, after its answer has gone out: the call's objects are at hand then and
    free afterwards, which costs less than to keep a batch of them alive.

    redact: takes every secret out of a batch of lines. wall: unix seconds. fd: where the lines go.
    least: the least severity that is written, in the numbers of the standard library's logging.
    recent: gets the line of every call and state change as JSON, whatever is written.
    sampled: lines of successful calls that were left out because there were so many.
    Nothing here blocks, and nothing raises because of the reader of the log.
    """

    def __init__(
        self,
        redact: Callable[[bytes], bytes],
        settings: Settings,
        *,
        wall: Callable[[], float],
        fd: int = 1,
        recent: Recent | None = None,
    ) -> None:
        self._redact = redact
        self._wall = wall
        self._recent = recent
        self._coloured = os.isatty(fd)
        self.sampled = 0
        self._held: Level | None = None
        self._take(settings)
        self._writer = Writer(to_descriptor(fd))
        self._encoded: list[bytes] = []
        self._timer: asyncio.Handle | None = None

    @property
    def dropped(self) -> int:
        """Lines that were not written: the buffer was full, or the reader slow or gone."""
        return self._writer.dropped

    def configure(self, settings: Settings, profiles: Mapping[str, Profile]) -> None:
        """Take new settings, and the providers' profiles by name."""
        self._take(settings)
        logging.getLogger().setLevel(self.least)
        self._lines.configure(profiles)

    def _take(self, settings: Settings) -> None:
        self._level = settings.level
        self.least = SEVERITY[self._held or settings.level]
        self._lines = Lines(settings.headers, settings.query)
        self._encode = _json if settings.format == "json" else Console(coloured=self._coloured)
        recent = self._recent
        self._calls = recent.calls if recent is not None and recent.most_calls else None
        self._changes = None if recent is None else recent.changes
        sample = settings.sample
        self._sampler = None if sample is None else Sampler(sample.first, sample.every)

    def hold_level(self, level: Level | None) -> Level:
        """Write lines from this level on whatever is configured, until None ends that. Returns: the level in force."""
        self._held = level
        in_force = level or self._level
        self.least = SEVERITY[in_force]
        logging.getLogger().setLevel(self.least)
        return in_force

    def emit(self, event: Event) -> None:
        """Take an event; call it on the loop's thread. Never blocks."""
        level = level_of(event)
        stands_for = 1 if SEVERITY[level] >= self.least else 0
        if type(event) is CallEnded:
            kept = self._calls
            if self._sampler is not None and level == "info" and stands_for:
                stands_for = self._sampler.weigh(event.ended_at)
                self.sampled += not stands_for
        else:
            kept = None if type(event) in _NO_CHANGES else self._changes
        if stands_for == 0 and kept is None:
            return
        line = self._lines.of(event, self._wall(), level)
        if stands_for > 1:
            line["sampled"] = stands_for
        encode = self._encode
        encoded = encode(line)
        if kept is not None:
            kept.add(encoded if encode is _json else _json(line))
        if stands_for:
            waiting = self._encoded
            waiting.append(encoded)
            if self._timer is None:
                self._arm()
            elif len(waiting) == _BATCH:
                self._hand_over()

    __call__ = emit

    def text(self, level: Level, logger: str, message: str, traceback: str = "") -> None:
        """Write a line of the standard library's logging, or of our own start and end. Safe from any thread."""
        if SEVERITY[level] < self.least:
            return
        line: Line = {
            "ts": self._lines.timestamp(self._wall()),
            "level": level,
            "event": "log",
            "logger": logger,
            "message": self._cut(message),
        }
        if traceback:
            line["traceback"] = self._cut(traceback)
        self._write(self._encode(line))

    def flush(self) -> None:
        """Turn everything that waits into lines; the writer thread still has to write them."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._hand_over()

    def close(self) -> bool:
        """Flush, and wait up to 2 s until all is written; False when the reader of the log is too slow."""
        self.flush()
        return self._writer.close(_CLOSE_S)

    def _arm(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # before the loop runs and after it has ended
            self.flush()
            return
        self._timer = loop.call_later(_INTERVAL_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._hand_over()

    def _hand_over(self) -> None:
        encoded, self._encoded = self._encoded, []
        if encoded:
            self._write(b"".join(encoded))

    def _write(self, lines: bytes) -> None:
        data = self._redact(lines)
        for raw, escaped in _LINE_ENDS:
            data = data.replace(raw, escaped)
        self._writer.put(data)

    def _cut(self, text: str) -> str:
        if len(text) <= _MAX_TEXT:
            return text
        # Redacted before it is cut: half a secret would not be recognised afterwards.
        whole = self._redact(text.encode("utf-8", "backslashreplace"))
        return whole.decode("utf-8", "replace")[:_MAX_TEXT] + " [cut]"


def install_logging(log: Log) -> Callable[[], None]:
    """Send the standard library's logging, warnings and uncaught exceptions through the log.

    Returns: a function that puts everything back as it was.
    """
    root = logging.getLogger()
    before = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    root.handlers[:] = [_Handler(log)]
    root.setLevel(log.least)
    logging.captureWarnings(capture=True)
    uncaught = logging.getLogger("tidegate")

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        uncaught.error("uncaught exception", exc_info=(kind, error, trace))

    def thread_hook(args: threading.ExceptHookArgs) -> None:
        uncaught.error("uncaught exception in a thread", exc_info=args.exc_value)

    def unraisable_hook(args: "sys.UnraisableHookArgs") -> None:
        uncaught.error("exception that nobody could catch", exc_info=args.exc_value)

    sys.excepthook, threading.excepthook, sys.unraisablehook = hook, thread_hook, unraisable_hook

    def restore() -> None:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        logging.captureWarnings(capture=False)
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks

    return restore


class _Handler(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log
        self._traces = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # arguments that don't fit: the call is wrong, not the service
            message = str(record.msg)
        trace = record.stack_info or ""
        if record.exc_info and record.exc_info[1] is not None:
            trace = self._traces.formatException(record.exc_info) + trace
        self._log.text(_level(record.levelno), record.name, message, trace)


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


def _json(line: Line) -> bytes:
    try:
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a lone surrogate, as in a file name that is not UTF-8, or an event with a new type in it
        return orjson.dumps(_speakable(line), option=orjson.OPT_APPEND_NEWLINE)


def _speakable(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _speakable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_speakable(item) for item in value]
    if value is None or isinstance(value, int | float):
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()
