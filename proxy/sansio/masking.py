"""Decides how much of a request's path a log may show: its shape, and nothing that could be an id or a key."""

import re
from functools import lru_cache
from typing import Final

from proxy.core.profile import Profile
from proxy.sansio.templates import compile_first, compile_template

_VERSION: Final = re.compile(r"v\d{1,4}(?:\.\d{1,4}){0,2}(?:(?:alpha|beta)\d{0,2})?|\d{4}-\d{2}-\d{2}", re.IGNORECASE)
_WORD: Final = re.compile(r"[A-Za-z._-]{1,32}")
_PART: Final = re.compile(r"[A-Za-z]+")
# people, PEOPLE, People, postMessage: what is written by hand. A hump of one letter is what chance makes.
_SPELT: Final = re.compile(r"[A-Z]{1,12}|[A-Z]?[a-z]+(?:[A-Z][a-z]+)*")
_HUMP: Final = re.compile(r"[A-Z][a-z]+")
_UNSPEAKABLE: Final = re.compile(r"[bcdfghjklmnpqrstvwxz]{5}", re.IGNORECASE)
_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9._~,:%+-]{1,64}")

_MOST_SEGMENTS: Final = 24
_MOST_PAIRS: Final = 16
_LONGEST_KEPT: Final = 256  # characters; longer paths are masked anew each time, so that the cache stays below 1 MiB
_MOST_NAMED: Final = 256
_LONGEST_PART: Final = 20
_ALWAYS_SPEAKABLE: Final = 8  # letters; short names such as https and xhtml are spelt as they like


class PathMask:
    """Writes one provider's paths: by its own templates where one fits, else masked segment by segment.

    query: the keys whose values may be shown; those that the profile calls sensitive never are.
    """

    def __init__(self, profile: Profile, query: frozenset[str] = frozenset()) -> None:
        sensitive = {key.lower() for key in profile.sensitive_query}
        self._query = frozenset(key for key in query if key.lower() not in sensitive)
        self._names = profile.paths
        self._named = compile_first(profile.paths)
        self._secrets = [compile_template(text.removesuffix("*") + "*") for text in profile.secret_paths]
        self._plain = not (self._named or self._secrets)
        self._kept = lru_cache(maxsize=_MOST_NAMED)(self._name)

    def __call__(self, target: bytes) -> str:
        """Return what a log may show of a raw target; see `mask_path`."""
        if self._plain:
            return mask_path(_text(target), self._query)
        return self._kept(target) if len(target) <= _LONGEST_KEPT else self._name(target)

    def _name(self, target: bytes) -> str:
        path, mark, pairs = target.partition(b"?")
        named = None if self._named is None else self._named.fullmatch(path)
        if named is not None and named.lastindex is not None:
            name = self._names[named.lastindex - 1]
            return name + _mask(_text(mark + pairs), self._query) if mark else name
        for pattern in self._secrets:
            if (match := pattern.fullmatch(path)) is not None:
                for start, end in reversed(match.regs[1:]):
                    path = path[:start] + b"*" + path[end:]
        return _mask(_text(path + mark + pairs), self._query)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def mask_path(raw_path: str, query: frozenset[str] = frozenset()) -> str:
    """Return the path with every segment masked by `*` that is neither a version nor a plain word.

    query: the keys whose values may be shown. When it is empty the query is left out; else all others
    show their key with a masked value. Nothing but printable ASCII is ever returned.
    """
    if len(raw_path) > _LONGEST_KEPT:
        return _mask(raw_path, query)
    return _mask_and_keep(raw_path, query)


def _mask(raw_path: str, query: frozenset[str]) -> str:
    path, _, pairs = raw_path.partition("?")
    # The rest beyond the last split holds a slash, is no word, and so becomes one `*`.
    masked = "/".join(["" if not part else _segment(part) for part in path.split("/", _MOST_SEGMENTS)])
    if not pairs or not query:
        return masked
    return masked + "?" + "&".join([_pair(pair, query) for pair in pairs.split("&", _MOST_PAIRS)])


_mask_and_keep = lru_cache(maxsize=1024)(_mask)


def _segment(text: str) -> str:
    if _VERSION.fullmatch(text):
        return text
    if not _WORD.fullmatch(text):
        return "*"
    parts = _PART.findall(text)
    return text if parts and all(map(_is_word, parts)) else "*"


def _is_word(part: str) -> bool:
    if len(part) > _LONGEST_PART or not _SPELT.fullmatch(part):
        return False
    if len(part) <= _ALWAYS_SPEAKABLE:
        return True
    # Humps average three letters or more in names, about two in random letters.
    humps = len(_HUMP.findall(part))
    return len(part) >= 3 * humps and not _UNSPEAKABLE.search(part)


def _pair(pair: str, shown: frozenset[str]) -> str:
    key, _, value = pair.partition("=")
    if key in shown:
        return f"{key}={value if _PLAIN_VALUE.fullmatch(value) else '*'}"
    return f"{_segment(key)}=*" if key else "*"
