"""Changes single fields of a form (application/x-www-form-urlencoded, WHATWG URL standard section 5)."""

from collections.abc import Callable
from urllib.parse import quote_plus, unquote_to_bytes


def decode_part(part: bytes) -> bytes:
    """Return a name or a value as it was before it was encoded."""
    return unquote_to_bytes(part.replace(b"+", b" "))


def form_values(data: bytes, name: bytes) -> list[bytes]:
    """Return the decoded values of all fields of this name."""
    pairs = (pair.partition(b"=") for pair in data.split(b"&"))
    return [decode_part(value) for key, _, value in pairs if decode_part(key) == name]


def edit_form_field(data: bytes, name: bytes, new: Callable[[bytes], bytes | None]) -> bytes:
    """Return the form with the values of all fields of this name changed; every other byte is kept.

    name: decoded; however the form encodes it. new: takes a decoded value, returns the new one, None to leave it.
    Returns: the same object when nothing changed.
    """
    pairs = data.split(b"&")
    changed = False
    for index, pair in enumerate(pairs):
        key, _, value = pair.partition(b"=")
        if not pair or decode_part(key) != name:
            continue
        written = new(decode_part(value))
        if written is not None:
            pairs[index] = key + b"=" + quote_plus(written).encode()
            changed = True
    return b"&".join(pairs) if changed else data


def replace_form_field(data: bytes, name: bytes, value: bytes, *, add: bool = False) -> bytes:
    """Return the form with this value in all fields of this name.

    add: whether the field is put last when there is none; else the same object is returned.
    """
    edited = edit_form_field(data, name, lambda _: value)
    if edited is data and add:
        pair = quote_plus(name).encode() + b"=" + quote_plus(value).encode()
        return data + b"&" + pair if data else pair
    return edited
