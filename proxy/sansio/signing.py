"""Templates for what a provider wants signed, and the ways to hash, key and write the signature.

A template is text with `{NAME}` in it; `{{` and `}}` stand for braces. It is read once and filled for every attempt.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import quote_from_bytes

from proxy.core.call import Headers, field_value

Hash = Literal["md5", "sha1", "sha256", "sha512"]
Encoding = Literal["hex", "base64", "base64url"]
KeyEncoding = Literal["text", "base64", "hex"]
Clock = Literal["unix", "unix_ms", "rfc3339", "http_date"]

HEADER: Final = "header:"
_TOKEN: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[^{}]+|(?P<stray>[{}])")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(slots=True)
class Material:
    """What one attempt has to sign. target, host: as the provider sees them. headers: without the credential.

    body: b"" unless a template needs it. timestamp, nonce: as they are sent.
    """

    method: bytes
    target: bytes
    host: bytes
    headers: Headers
    body: bytes
    timestamp: bytes
    nonce: bytes


PARTS: Final[Mapping[str, Callable[[Material], bytes]]] = {
    "timestamp": lambda material: material.timestamp,
    "nonce": lambda material: material.nonce,
    "method": lambda material: material.method,
    "path": lambda material: material.target.partition(b"?")[0],
    "query": lambda material: material.target.partition(b"?")[2],
    "target": lambda material: material.target,
    "host": lambda material: material.host,
    "body": lambda material: material.body,
    "body_sha256": lambda material: hashlib.sha256(material.body).hexdigest().encode(),
    "body_md5": lambda material: hashlib.md5(material.body, usedforsecurity=False).hexdigest().encode(),
}
"""The names that every template knows, beside secrets and `{header:NAME}`."""

BODY: Final = frozenset({"body", "body_sha256", "body_md5"})
"""Those that need the whole body."""


def header_part(name: str) -> str:
    """Return how a header is called as a part of a call, one word for all spellings: `header:NAME`."""
    return f"{HEADER}{name.lower().replace('_', '-')}"


class Template:
    """A text with names in it. names: those that it holds. quoted: whether what is filled in is percent-encoded."""

    def __init__(self, text: str, known: frozenset[str], *, quoted: bool = False) -> None:
        """Read the text. Raises: ValueError for a stray brace, and for an unknown name with the known ones."""
        self._parts: list[tuple[bytes, str]] = []
        self._quoted = quoted
        for match in _TOKEN.finditer(text):
            if match["stray"]:
                raise ValueError("a brace without its partner: write {NAME}, or {{ and }} for braces themselves")
            if match[1] is not None:
                self._parts.append((b"", _known(match[1], known)))
            else:
                literal = match[0][0] if match[0] in {"{{", "}}"} else match[0]
                self._parts.append((self._written(literal.encode()), ""))
        self.names = frozenset(name for _, name in self._parts if name)

    def fill(self, material: Material, values: Mapping[str, bytes]) -> bytes:
        """Return the text with its names filled in; `values` holds the secrets, and the signature once it is made."""
        return b"".join([self._written(_value(name, material, values)) if name else text for text, name in self._parts])

    def _written(self, value: bytes) -> bytes:
        return quote_from_bytes(value, safe="").encode() if self._quoted else value


def _known(name: str, known: frozenset[str]) -> str:
    if name in known or (name.startswith(HEADER) and len(name) > len(HEADER)):
        return name
    raise ValueError(f"unknown name {{{name}}}: write one of {', '.join(sorted(known))}, {HEADER}NAME")


def _value(name: str, material: Material, values: Mapping[str, bytes]) -> bytes:
    value = values.get(name)
    if value is not None:
        return value
    part = PARTS.get(name)
    if part is not None:
        return part(material)
    return field_value(material.headers, name[len(HEADER) :].lower().encode()) or b""


def digest(kind: Hash, key: bytes | None, message: bytes) -> bytes:
    """Return the MAC of the message (RFC 2104), or without a key its plain hash."""
    return hashlib.new(kind, message).digest() if key is None else hmac.digest(key, message, kind)


def encode(encoding: Encoding, data: bytes) -> bytes:
    """Write a signature: hex in lower case, or base64 with its padding (RFC 4648 sections 4, 5 and 8)."""
    if encoding == "hex":
        return data.hex().encode()
    return base64.b64encode(data) if encoding == "base64" else base64.urlsafe_b64encode(data)


def decode_key(encoding: KeyEncoding, text: str) -> bytes:
    """Return the key's bytes. Raises: ValueError when it is not written so; the message holds no part of it."""
    if encoding == "text":
        return text.encode()
    try:
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(f"is not {encoding}") from None


def write_time(clock: Clock, wall: float) -> str:
    """Write unix seconds as the provider wants them; parts of a unit are cut off."""
    if clock == "unix":
        return str(int(wall))
    if clock == "unix_ms":
        return str(int(wall * 1000))
    if clock == "rfc3339":
        return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return http_date(wall)


def http_date(wall: float) -> str:
    """Write unix seconds as an HTTP date (RFC 9110 section 5.6.7), whatever the locale."""
    at = datetime.fromtimestamp(wall, UTC)
    return f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04} {at:%H:%M:%S} GMT"
