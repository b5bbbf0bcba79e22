"""Reads YAML files into plain values, and remembers on which line each key stands.

Built on libyaml's events, not on its composer: events come one by one, so that depth, anchors and tags are refused
before anything is built, and a hostile file can exhaust neither stack nor memory.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from proxy.core.errors import ConfigError

KeyPath = tuple[str | int, ...]

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
_EXAMPLE: Final = "providers: {mock: {}}"
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,14})")
_NUMBER: Final = re.compile(r"[-+]?[0-9]{1,15}\.[0-9]{0,15}")
# YAML 1.1's words. Dates, octal and base-60 numbers are left as text: nobody means 10:30 to be 630.
_WORDS: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "true": True, "yes": True, "on": True, "false": False, "no": False, "off": False,
}  # fmt: skip
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_CREDENTIAL_KEY: Final = re.compile(r"[a-z_]{1,20}")


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content. file: the name shown to people. lines: key path -> line of that key, from 1."""

    file: str
    data: dict[str, Any]
    lines: dict[KeyPath, int]


def read_document(path: Path, shown: str | None = None, example: str = _EXAMPLE) -> Document:
    """Read one YAML file of at most 1 MiB; `shown` is its name in messages, `example` a line that it could hold.

    Raises: ConfigError when it can't be read or is not one plain YAML mapping.
    """
    name = shown or str(path)
    name = name if name.isprintable() else ascii(name)  # a problem is one line
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _broken(name, 1, (), "does not exist; give another with --config FILE") from None
    except IsADirectoryError:
        raise _broken(name, 1, (), "is a directory; name the YAML file in it") from None
    except PermissionError:
        raise _broken(name, 1, (), "may not be read by this user; change its owner or mode") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name is not valid"
        raise _broken(name, 1, (), f"can't be read ({reason}); name a YAML file") from None
    return parse_document(raw, name, example)


def parse_document(raw: bytes, file: str, example: str = _EXAMPLE) -> Document:
    """Parse the bytes of one YAML document whose top is a mapping.

    Raises: ConfigError for broken YAML, and for what configuration never needs: anchors, aliases, tags, a second
    document, the same key twice, bytes that are not text, more than 1 MiB, more than 32 levels. No message
    repeats a value, because it may be a secret.
    """
    text = _decode(raw, file)
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, file) from None
    if builder.duplicates:
        raise ConfigError(builder.duplicates)
    if builder.root is None:
        raise _broken(file, 1, (), f"is empty; write at least: {example}")
    if not isinstance(builder.root, dict):
        raise _broken(file, 1, (), f"must be a mapping of keys to values, such as {example}")
    return Document(file, builder.root, builder.lines)


def problem(file: str, line: int, path: KeyPath, text: str) -> str:
    """Write one problem as the one line that people see: `file:line: key: text`."""
    return f"{file}:{line}: {shown_path(path)}: {text}"


def shown_path(path: KeyPath) -> str:
    """Write a key path as `a.b[0]`, `(file)` for the top.

    A key that looks like no key is left out: it may be a value, or a secret, that lost its colon or its blank.
    """
    shown = ""
    for index, key in enumerate(path):
        safe = _CREDENTIAL_KEY if "credential" in path[:index] else _PLAIN_KEY
        if isinstance(key, int):
            shown += f"[{key}]"
        else:
            shown += f"{'.' if shown else ''}{key if safe.fullmatch(key) else '(?)'}"
    return shown or "(file)"


def _broken(file: str, line: int, path: KeyPath, text: str) -> ConfigError:
    return ConfigError([problem(file, line, path, text)])


def _decode(raw: bytes, file: str) -> str:
    if len(raw) > MAX_BYTES:
        raise _broken(file, 1, (), "is larger than 1 MiB; a configuration is not, is it another file?")
    try:
        text = raw.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _broken(file, line, (), "is not UTF-8 text; save it as UTF-8") from None
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise _broken(file, line, (), "holds a control character, as binary files do; write plain text")
    return text


def _syntax_error(error: yaml.YAMLError, text: str, file: str) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    if mark and mark.line < len(lines) and "\t" in lines[mark.line]:
        return _broken(file, line, (), "is not valid YAML: a tab stands here; indent with blanks")
    what = getattr(error, "problem", None) or "it can't be read"
    return _broken(file, line, (), f"is not valid YAML: {what}; check indentation, colons and quotes")


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is still open. key: the mapping's key that waits for its value."""

    path: KeyPath
    value: dict[str, Any] | list[Any]
    key: str | None = None

    def wants_key(self) -> bool:
        return isinstance(self.value, dict) and self.key is None

    def next_path(self) -> KeyPath:
        if isinstance(self.value, list):
            return (*self.path, len(self.value))
        return self.path if self.key is None else (*self.path, self.key)

    def put(self, value: Any) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is not None:
            self.value[self.key] = value
            self.key = None


@dataclass(slots=True)
class _Builder:
    """Puts events together to plain values, without recursion."""

    file: str
    root: Any = None
    documents: int = 0
    lines: dict[KeyPath, int] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)
    stack: list[_Frame] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Take the next event."""
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise _broken(self.file, line, (), "holds a second document; keep one, without another --- line")
        elif isinstance(event, CollectionEndEvent):
            self.stack.pop()
        elif isinstance(event, NodeEvent):
            self._take_node(event, line)

    def _take_node(self, event: NodeEvent, line: int) -> None:
        top = self.stack[-1] if self.stack else None
        path = top.next_path() if top else ()
        self._refuse_extras(event, path, line)
        if top and top.wants_key():
            self._take_key(top, event, line)
            return
        value = _plain(event)
        if top:
            self.lines.setdefault(path, line)
            top.put(value)
        else:
            self.root = value
        if not isinstance(event, ScalarEvent):
            self.stack.append(_Frame(path, value))

    def _take_key(self, top: _Frame, event: NodeEvent, line: int) -> None:
        if not isinstance(event, ScalarEvent):
            raise _broken(self.file, line, top.path, "has a key that is a list or a mapping; write a plain word")
        path = (*top.path, event.value)
        if path in self.lines:
            text = f"stands here twice, first on line {self.lines[path]}; keep one of them"
            self.duplicates.append(problem(self.file, line, path, text))
        self.lines.setdefault(path, line)
        top.key = event.value

    def _refuse_extras(self, event: NodeEvent, path: KeyPath, line: int) -> None:
        if isinstance(event, AliasEvent) or event.anchor:
            raise _broken(self.file, line, path, "uses a YAML anchor or alias (& or *); write the value out")
        if getattr(event, "tag", None):
            raise _broken(self.file, line, path, "uses a YAML tag (!); write a plain value")
        if len(self.stack) >= MAX_DEPTH:
            raise _broken(self.file, line, path[:4], f"is nested deeper than {MAX_DEPTH} levels; write it flatter")


def _plain(event: NodeEvent) -> Any:
    """Return the value of a scalar, or the empty container that an opening event begins."""
    if not isinstance(event, ScalarEvent):
        return {} if isinstance(event, MappingStartEvent) else []
    text: str = event.value
    if not event.implicit[0]:  # it stands in quotes
        return text
    if (word := text.lower()) in _WORDS:
        return _WORDS[word]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
