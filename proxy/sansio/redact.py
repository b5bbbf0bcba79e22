"""Takes every known secret out of whatever leaves: log lines, errors, metrics, pages, tracebacks."""

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from proxy.core.profile import SecretPattern
from proxy.core.secret import MASK

_MASK: Final = MASK.encode()
_MOST_VALUES: Final = 1000
_MOST_USERS: Final = 512
_MOST_TOKENS: Final = 16  # of one user: those in use by eight parts of a credential, and the ones before them
_SHORTEST: Final = 6  # characters; a shorter one would be found in innocent text everywhere, and tell itself by that
_PERCENT: Final = re.compile(r"%[0-9A-F]{2}")

# What encoders leave as it is: none, a path's, JavaScript's encodeURIComponent and encodeURI, and all that RFC 3986
# section 3.3 allows in a segment, in several segments.
_SAFE_SETS: Final = ("", "/", "!*'()", "!*'();,/?:@&=+$#", "!$&'()*+,;=:@", "/!$&'()*+,;=:@")

Span = tuple[int, int]


class Redactor:
    """Replaces known secrets by `[secret]`: by value in every usual encoding, and by shape.

    Values of rotated secrets stay known: an old key is often still valid. At most 1,000 are kept. Tokens do not crowd
    them out, and of those only the newest are kept: they end by themselves, and each one known costs every log line.
    """

    def __init__(self) -> None:
        self._values: OrderedDict[str, frozenset[bytes]] = OrderedDict()
        self._tokens: OrderedDict[str, OrderedDict[str, frozenset[bytes]]] = OrderedDict()
        self._needles: tuple[bytes, ...] = ()
        self._shapes: tuple[tuple[tuple[bytes, ...], re.Pattern[bytes]], ...] = ()

    def know(self, secret_text: str) -> None:
        """Add a value, or keep it longer when it is known; the one not told for longest goes first."""
        self._add(self._values, secret_text, _MOST_VALUES)

    def know_token(self, text: str, user: str) -> None:
        """Add a value that lives for a short time. user: whose it is; of each the newest sixteen are kept."""
        self._add(self._tokens.setdefault(user, OrderedDict()), text, _MOST_TOKENS)
        self._tokens.move_to_end(user)
        if len(self._tokens) > _MOST_USERS:
            self._tokens.popitem(last=False)

    def _add(self, values: OrderedDict[str, frozenset[bytes]], text: str, most: int) -> None:
        if text in values:
            values.move_to_end(text)
            return
        if len(text) < _SHORTEST or text in MASK:
            return  # a part of the mask would be put back by each replacement
        values[text] = frozenset(_forms(text))
        if len(values) > most:
            values.popitem(last=False)
        # One assignment: a thread that redacts meanwhile sees the old tuple or the new one.
        every = (self._values, *self._tokens.values())
        self._needles = tuple({needle for known in every for needles in known.values() for needle in needles})

    def patterns(self, patterns: Iterable[SecretPattern]) -> None:
        """Take these shapes in place of the former ones."""
        unique = dict.fromkeys(patterns)
        self._shapes = tuple((tuple(text.encode() for text in one.contains), one.compiled()) for one in unique)

    def redact(self, data: bytes) -> bytes:
        """Return the data without secrets; the same object when there were none.

        Give it many lines at once: the search by plain text costs least on large pieces.
        """
        spans = [span for needle in self._needles if needle in data for span in _places(needle, data)]
        for contains, pattern in self._shapes:
            if any(text in data for text in contains):
                spans += [match.span() for match in pattern.finditer(data) if match.group()]
        return _cut(data, spans) if spans else data

    def redact_text(self, text: str) -> str:
        """Return the text without secrets."""
        data = text.encode("utf-8", "surrogatepass")
        clean = self.redact(data)
        return text if clean is data else clean.decode("utf-8", "replace")


def _places(needle: bytes, data: bytes) -> Iterator[Span]:
    at = data.find(needle)
    while at >= 0:
        yield at, at + len(needle)
        at = data.find(needle, at + 1)  # places may overlap, as in a secret of one repeated letter


def _cut(data: bytes, spans: list[Span]) -> bytes:
    # All places are found before the first is cut: one secret inside another must not save the rest of it.
    pieces: list[bytes] = []
    done = 0
    for start, end in sorted(spans):
        if start > done or not pieces:
            pieces += [data[done:start], _MASK]
        done = max(done, end)
    pieces.append(data[done:])
    return b"".join(pieces)


def _forms(text: str) -> set[bytes]:
    raw = text.encode()
    percent = {quote(text, safe=safe) for safe in _SAFE_SETS} | {quote_plus(text)}
    percent |= {_PERCENT.sub(lambda match: match[0].lower(), form) for form in percent}
    escaped = html.escape(text)
    pages = {escaped, html.escape(text, quote=False), escaped.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")}
    tracebacks = {repr(text)[1:-1], repr(raw)[2:-1]}
    forms = {text} | percent | pages | tracebacks
    for _ in range(2):  # in a JSON text, and in one that stands inside a JSON line
        forms |= {json.dumps(form, ensure_ascii=only)[1:-1] for form in forms for only in (True, False)}
    return {form.encode() for form in forms} | set(_base64_cores(raw))


def _base64_cores(raw: bytes) -> Iterator[bytes]:
    # `user:secret` in base64 holds the secret in one of three alignments, whoever the user is. The characters
    # that also depend on the neighbours are left off; they tell less than a byte at either end.
    for before in range(3):
        shifted = b"\0" * before + raw
        first = -(-before * 8 // 6)
        last = len(shifted) * 8 // 6
        yield b64encode(shifted)[first:last]
        yield urlsafe_b64encode(shifted)[first:last]
