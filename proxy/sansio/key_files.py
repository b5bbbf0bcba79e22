"""Which parts of a key file are secret, so that none of them shows where only a part of the file is quoted."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?(?:-----END \1-----|\Z)", re.DOTALL)
_ARMOUR: Final = "-----"
_SHORTEST: Final = 16  # characters of a line or value; shorter ones are found in innocent text
_PUBLIC: Final = re.compile(r"https?://\S*|[^@\s]+@[A-Za-z0-9.-]+")  # addresses, of which key files are full
_MOST_DEPTH: Final = 16


def secret_parts(text: str) -> Iterator[str]:
    """Yield every text by which a document gives its secret away: the whole, each line, each string of a JSON file.

    Certificates and public keys are nobody's secret, and a bundle of them would crowd out what is one (RFC 7468).
    """
    kinds = {block[1] for block in _BLOCK.finditer(text)}
    if kinds and not any("PRIVATE" in kind for kind in kinds) and not text.lstrip().startswith("{"):
        return  # certificates only, and what people write between them
    private = _BLOCK.sub(lambda block: block[0] if "PRIVATE" in block[1] else "", text)
    if private.strip():
        yield private
        yield from _lines(private)
        yield from _strings(_parsed(private), 0)


def _lines(text: str) -> Iterator[str]:
    for line in map(str.strip, text.splitlines()):
        if len(line) >= _SHORTEST and not line.startswith(_ARMOUR):
            yield line


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _strings(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str) and len(value) >= _SHORTEST and not _PUBLIC.fullmatch(value):
        yield value
        yield from _lines(value)
    elif isinstance(value, dict | list) and depth < _MOST_DEPTH:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner, depth + 1)
