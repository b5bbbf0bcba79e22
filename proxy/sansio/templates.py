"""Matches raw paths against templates such as `/v1/charges/{id}` (the type `Template` of core/profile.py)."""

import re
from collections.abc import Iterable
from typing import Final

_PIECE: Final = re.compile(r"\{([a-z_]+)\}|(\*)$")


def path_of(target: bytes) -> bytes:
    """Return the path of a raw target, without its query."""
    return target.partition(b"?")[0]


def compile_template(text: str) -> re.Pattern[bytes]:
    """Return the pattern whose `fullmatch` takes the raw paths (without query) that fit the template.

    A `{name}` takes one segment, or the rest of one, and is not empty; a `*` at the end takes any rest. Each
    `{secret}`, and nothing else, is a group: `match.regs[1:]` are the places of the secrets.
    Nothing is decoded: a path that is spelt in another way does not fit.
    """
    return re.compile(_pattern(text, secret=rb"([^/]+)"), re.DOTALL)


def compile_any(texts: Iterable[str]) -> re.Pattern[bytes] | None:
    """Return the pattern whose `fullmatch` takes the raw paths that fit one of the templates; None for no template."""
    patterns = [_pattern(text, secret=rb"[^/]+") for text in texts]
    return re.compile(b"|".join(patterns), re.DOTALL) if patterns else None


def compile_first(texts: Iterable[str]) -> re.Pattern[bytes] | None:
    """Return what `compile_any` does, with a group for each template; None for no template.

    `match.lastindex` is the number, from 1, of the first template that fits. One look at all of them costs
    far less than a look at each.
    """
    patterns = [b"(%b)" % _pattern(text, secret=rb"[^/]+") for text in texts]
    return re.compile(b"|".join(patterns), re.DOTALL) if patterns else None


def _pattern(text: str, secret: bytes) -> bytes:
    pieces: list[bytes] = []
    done = 0
    for match in _PIECE.finditer(text):
        pieces.append(re.escape(text[done : match.start()].encode()))
        pieces.append(b".*" if match[2] else secret if match[1] == "secret" else rb"[^/]+")
        done = match.end()
    return b"".join((*pieces, re.escape(text[done:].encode())))
