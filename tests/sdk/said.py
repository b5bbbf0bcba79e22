"""What a request says apart from its credential, so that both ends of the sidecar can be compared byte by byte."""

import gzip
import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from backports import zstd

from tests.sdk.known import KNOWN, Known
from tests.support.framing import fields, values
from tests.support.wire import Request

_PLACEHOLDER: Final = re.compile(rb"(?i)placeholder")
_USUAL: Final = {b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"x-auth-token", b"cookie"}
_NOT_END_TO_END: Final = {
    b"connection", b"expect", b"host", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade",
}  # fmt: skip
_UNPACK: Final[Mapping[bytes, Callable[[bytes], bytes]]] = {
    b"gzip": gzip.decompress,
    b"deflate": zlib.decompress,
    b"zstd": zstd.decompress,
}


@dataclass(frozen=True)
class Said:
    """A request without credential, Host and hop-by-hop fields; the rest as on the wire, order and case included."""

    method: bytes
    target: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes


def said(name: str, head: bytes, body: bytes, varying: frozenset[bytes] = frozenset()) -> Said:
    """Return what a request to the provider of a preset says.

    varying: fields of which only the name counts, because the SDK makes up another value every time.
    """
    known = KNOWN[name]
    method, target, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
    left_out = _NOT_END_TO_END | _credentials(known) | ({b"content-length"} if known.swaps else set())
    kept = (
        (field, b"" if field.lower() in varying else value)
        for field, value in fields(head)
        if field.lower() not in left_out
    )
    return Said(
        method, _swapped(known, _without(target, known)), tuple(kept), _swapped(known, unpacked(head, body) or body)
    )


def check_known(name: str, request: Request) -> None:
    """See that the provider knows the caller by the injected credential, once, and by no other."""
    known = KNOWN[name]
    found = [(field.lower(), value) for field, value in request.fields if field.lower() in _credentials(known)]
    _check_all(found, known.fields)
    pairs = [pair.partition(b"=") for pair in request.target.partition(b"?")[2].split(b"&")]
    _check_all([(key, unquote_to_bytes(value)) for key, _, value in pairs if key in known.query], known.query)
    if known.proof is not None:
        known.proof(request)


def mentions_placeholder(head: bytes, body: bytes) -> bool:
    """Say whether a placeholder stands anywhere, also in Basic or in a packed body."""
    users = (value[len(b"Basic ") :] for value in values(head, b"authorization") if value.startswith(b"Basic "))
    texts = (head, body, unpacked(head, body), *(b64decode(user) for user in users))
    return any(_PLACEHOLDER.search(text) for text in texts)


def unpacked(head: bytes, body: bytes) -> bytes:
    """Return the body without its content coding."""
    (coding,) = values(head, b"content-encoding") or [b""]
    return _UNPACK[coding](body) if coding in _UNPACK else body


def _check_all(found: list[tuple[bytes, bytes]], expected: Mapping[bytes, bytes | None]) -> None:
    """See that each name is there once, in this order, with the value that is known beforehand."""
    assert [name for name, _ in found] == list(expected)
    assert all(expected[name] in (None, value) for name, value in found), "the credential is another one"


def _credentials(known: Known) -> set[bytes]:
    return _USUAL | set(known.fields)


def _without(target: bytes, known: Known) -> bytes:
    path, _, query = target.partition(b"?")
    kept = [pair for pair in query.split(b"&") if pair and pair.partition(b"=")[0] not in known.query]
    return path + b"?" + b"&".join(kept) if kept else path


def _swapped(known: Known, text: bytes) -> bytes:
    for pattern, plain in known.swaps:
        text = re.sub(pattern, plain, text)
    return text
