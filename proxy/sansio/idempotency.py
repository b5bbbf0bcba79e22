"""Knows the keys by which a provider recognises a call that is repeated, and which calls take one."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from proxy.core.call import IDEMPOTENT, Call, WholeBody, field_value, field_values
from proxy.core.profile import Profile
from proxy.sansio.coding import canonical
from proxy.sansio.forms import form_values
from proxy.sansio.json_fields import find, insert_first
from proxy.sansio.templates import compile_any, path_of

_MOST_BYTES: Final = 1024 * 1024  # of a body that is searched for its key; bodies that are whole are smaller
_NO_KEY: Final = (None, "", b"")


class IdempotencyKeys:
    """Decides for one provider whether a call may be repeated, and puts a key into one that takes it."""

    def __init__(self, profile: Profile) -> None:
        place = profile.idempotency
        known = place.header or place.query or place.field
        self._methods = frozenset(place.methods if known else ())
        self._paths = compile_any(place.paths)
        self._header = (place.header or "").encode()
        self._spelt = (place.header or "").title().encode()
        self._query = (place.query or "").encode()
        self._field = place.field or ""
        self._max_length = place.max_length
        self._reads = tuple((frozenset(one.methods), compile_any((one.path,))) for one in profile.repeatable)

    def takes_key(self, call: Call) -> bool:
        """Say whether the provider heeds a key in this call."""
        if call.method not in self._methods:
            return False
        return self._paths is None or self._paths.fullmatch(path_of(call.target)) is not None

    def has_key(self, call: Call) -> bool:
        """Say whether a key stands in the place where the provider looks for it.

        In a body it is looked for only when that is here as a whole, uncompressed and JSON. Where it stands twice, and
        once is empty, it is none: nobody knows which of them the provider reads.
        """
        found = self._found(call)
        return bool(found) and all(value not in _NO_KEY for value in found or ())

    def is_keyed(self, call: Call) -> bool:
        """Say whether the call carries a key that the provider heeds, so that twice does what once does."""
        return self.takes_key(call) and self.has_key(call)

    def reads_only(self, call: Call) -> bool:
        """Say whether the profile says of this call that it changes nothing, though its method could."""
        for methods, path in self._reads:
            if call.method in methods and path is not None and path.fullmatch(path_of(call.target)):
                return True
        return False

    def is_repeatable(self, call: Call) -> bool:
        """Say whether the call may be sent twice: by its method (RFC 9110 section 9.2.2), its key or the profile.

        Nothing else counts, not even a 429 or the provider's own word: no header proves that nothing was done.
        """
        return call.method in IDEMPOTENT or self.is_keyed(call) or self.reads_only(call)

    def put(self, call: Call, key: str) -> str:
        """Put a key into the call where the provider looks for it.

        Returns: the key, cut to what the provider takes; "" when there is no way to put it in, or an empty one of the
        caller's own stands there, and nothing is changed.
        """
        if self._found(call) != []:
            return ""
        key = key[: self._max_length]
        if self._header:
            call.headers = [*call.headers, (self._spelt, key.encode())]
            return key
        if self._query:
            _, mark, query = call.target.partition(b"?")
            between = b"&" if query else b"" if mark else b"?"
            call.target += between + quote(self._query, safe="").encode() + b"=" + quote(key, safe="").encode()
            return key
        return key if self._field and self._put_in_body(call, key) else ""

    def _found(self, call: Call) -> Sequence[object] | None:
        """Return what stands where the provider looks for the key, None when that can't be told."""
        if self._header:
            return list(field_values(call.headers, self._header))
        if self._query:
            return form_values(call.target.partition(b"?")[2], self._query)
        data = _plain_body(call) if self._field else None
        return None if data is None else find(data, (self._field,))

    def _put_in_body(self, call: Call, key: str) -> bool:
        data = _plain_body(call)
        if data is None:
            return False
        written = insert_first(data, self._field, key)
        if written is None:
            return False
        replace_body(call, written)
        return True


def replace_body(call: Call, data: bytes) -> None:
    """Give the call another body, framed as the one before; its headers become a list of its own."""
    chunked = call.body.length is None
    call.body = WholeBody(data, chunked=chunked)
    if not chunked:
        length = b"%d" % len(data)
        call.headers = [
            (name, length) if len(name) == 14 and name.lower() == b"content-length" else (name, value)
            for name, value in call.headers
        ]


def _plain_body(call: Call) -> bytes | None:
    data = call.body.whole
    if not data or len(data) > _MOST_BYTES or canonical(field_value(call.headers, b"content-encoding")) != b"":
        return None
    return data
