"""Signs a body in AWS's chunks anew while it passes; every other byte, and its length, stay.

The body is `SIZE;chunk-signature=SIGNATURE CRLF DATA CRLF` until a chunk of size 0, then maybe trailers of which
`x-amz-trailer-signature` is the last. Source: AWS, "Signature calculations for the Authorization header: transferring
payload in multiple chunks", and "… with trailing headers".
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Final

from proxy.core.errors import BadRequest, BodyTooLarge
from proxy.sansio.sigv4 import EMPTY_SHA256, Signed

SIGNED_PAYLOADS: Final = (b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
"""The values of X-Amz-Content-Sha256 that announce such a body."""

MOST_CHUNK_BYTES: Final = 1024 * 1024
_MOST_LINE_BYTES: Final = 1024  # SDKs write 90; a trailer is a checksum or a signature
_MOST_TRAILERS: Final = 32
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8});chunk-signature=[0-9a-f]{64}")
_SIGNATURE: Final = b"x-amz-trailer-signature:"


class ChunkSigner:
    """Takes the caller's body piece by piece and gives the one for the provider.

    seed: the signature of the request's head, on which the first chunk's stands.
    A chunk is held back until it is complete, because its signature goes before it.
    """

    def __init__(self, seed: Signed) -> None:
        self._signed = seed
        self._rest = bytearray()
        self._trailers: list[bytes] = []
        self._size = 0  # of the present chunk
        self._before_signature = b""  # of its first line
        self._state: Callable[[], bytes | None] = self._head

    def feed(self, piece: bytes) -> bytes:
        """Return what can go out now. Raises: BadRequest for a body that is none of these, BodyTooLarge."""
        self._rest += piece
        return b"".join(self._steps())

    def end(self) -> None:
        """Hear that the caller's body is over. Raises: BadRequest when it was cut short."""
        if self._rest or self._state != self._over:
            raise _broken("it ends before its last line, or goes on after it")

    def _steps(self) -> Iterator[bytes]:
        while (out := self._state()) is not None:
            yield out

    def _line(self) -> bytes | None:
        at = self._rest.find(b"\r\n", 0, _MOST_LINE_BYTES)
        if at < 0:
            if len(self._rest) >= _MOST_LINE_BYTES:
                raise _broken("a line of it is too long")
            return None
        line = bytes(self._rest[:at])
        del self._rest[: at + 2]
        return line

    def _head(self) -> bytes | None:
        line = self._line()
        if line is None:
            return None
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise _broken("a chunk does not begin with SIZE;chunk-signature=SIGNATURE")
        self._size = int(match[1], 16)
        if self._size > MOST_CHUNK_BYTES:
            raise BodyTooLarge(
                f"a chunk of the signed body is larger than {MOST_CHUNK_BYTES} bytes, and has to be held to sign it: "
                "set a smaller chunk size in the SDK, or send the body as UNSIGNED-PAYLOAD"
            )
        self._before_signature = line[:-64]
        if self._size:
            self._state = self._data
            return b""
        self._state = self._tail
        return self._sign(b"")

    def _data(self) -> bytes | None:
        end = self._size + 2
        if len(self._rest) < end:
            return None
        data = bytes(self._rest[:end])
        del self._rest[:end]
        if not data.endswith(b"\r\n"):
            raise _broken("a chunk is not as long as it says")
        self._state = self._head
        return self._sign(data[:-2]) + data

    def _sign(self, data: bytes) -> bytes:
        self._signed = self._signed.next("PAYLOAD", EMPTY_SHA256.decode(), hashlib.sha256(data).hexdigest())
        return self._before_signature + self._signed.signature.encode() + b"\r\n"

    def _tail(self) -> bytes | None:
        line = self._line()
        if line is None:
            return None
        if line.lower().startswith(_SIGNATURE):
            # The bytes that are signed: every trailer's name and value, each line ended by LF alone.
            text = b"".join([name.lower() + b":" + value.strip() + b"\n" for name, value in self._fields()])
            self._signed = self._signed.next("TRAILER", hashlib.sha256(text).hexdigest())
            return line[: len(_SIGNATURE)] + self._signed.signature.encode() + b"\r\n"
        if line:
            self._trailers.append(line)
        else:
            self._state = self._over
        if len(self._trailers) > _MOST_TRAILERS:
            raise _broken("it has too many trailers")
        return line + b"\r\n"

    def _over(self) -> bytes | None:
        return None

    def _fields(self) -> Iterator[tuple[bytes, bytes]]:
        for line in self._trailers:
            name, _, value = line.partition(b":")
            yield name.strip(), value


def _broken(what: str) -> BadRequest:
    return BadRequest(f"the body is not what X-Amz-Content-Sha256 announces (AWS chunks with signatures): {what}")
