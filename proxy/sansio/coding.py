"""Takes content codings (RFC 9110 section 8.4.1) off a body and puts them on again, within a bound."""

import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_RAW_WINDOW: Final = -zlib.MAX_WBITS
_QUICK: Final = 1  # bodies are packed on the loop, where other calls wait
_ZSTD_WINDOW_LOG: Final = 23  # 8 MiB (RFC 8878 section 3.1.1.1.2); a frame may ask for a window of terabytes
_MOST_MEMBERS: Final = 64  # gzip members and zstd frames; each one costs a decompressor


class _Decompressor(Protocol):
    """What the decompressors have in common. `decompress` gives at most `max_length` bytes, of one member."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _zstd() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found]  # noqa: PLC0415 - Python >= 3.14; seldom used
    except ImportError:
        from backports import zstd  # noqa: PLC0415 - seldom used
    return zstd


def _zstd_decompressor() -> _Decompressor:
    zstd = _zstd()
    made: _Decompressor = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})
    return made


def _zstd_compress(data: bytes) -> bytes:
    packed: bytes = _zstd().compress(data, _QUICK)
    return packed


class _Brotli:
    """Brotli's decompressor (RFC 7932): it stops near a bound, not at it, and fails on whatever follows the end."""

    unused_data = b""

    def __init__(self) -> None:
        import brotli  # noqa: PLC0415 - seldom used

        self._stream = brotli.Decompressor()  # a window of 16 MiB at most; "large" ones are refused
        self.eof = False

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return what `data` holds. Raises: brotli.error."""
        pieces = []
        room = max_length
        while room > 0 and not self.eof:
            piece = self._stream.process(data, output_buffer_limit=room)
            self.eof = self._stream.is_finished()
            data = b""  # it keeps what it has not read yet
            if not piece and not self.eof:
                break
            pieces.append(piece)
            room -= len(piece)
        return b"".join(pieces)[:max_length]


def _brotli_compress(data: bytes) -> bytes:
    import brotli  # noqa: PLC0415 - seldom used

    packed: bytes = brotli.compress(data, quality=_QUICK)
    return packed


def _gzip_compress(data: bytes) -> bytes:
    packer = zlib.compressobj(_QUICK, zlib.DEFLATED, _GZIP_WINDOW)  # no name and no time in the head
    return packer.compress(data) + packer.flush()


_UNPACK: Final[dict[bytes, tuple[Callable[[], _Decompressor], ...]]] = {
    b"gzip": (lambda: zlib.decompressobj(_GZIP_WINDOW),),
    # RFC 9110 means the zlib form; some have always sent the bare one.
    b"deflate": (zlib.decompressobj, lambda: zlib.decompressobj(_RAW_WINDOW)),
    b"zstd": (_zstd_decompressor,),
    b"br": (_Brotli,),
}
_PACK: Final[dict[bytes, Callable[[bytes], bytes]]] = {
    b"gzip": _gzip_compress,
    b"deflate": lambda data: zlib.compress(data, _QUICK),
    b"zstd": _zstd_compress,
    b"br": _brotli_compress,
}


def canonical(encoding: bytes | None) -> bytes | None:
    """Return the coding that a Content-Encoding value names, b"" for none.

    Returns: None for one that is not known here, and for several on top of one another.
    """
    name = (encoding or b"").strip().lower()
    if name in (b"", b"identity"):
        return b""
    name = b"gzip" if name == b"x-gzip" else name
    return name if name in _PACK else None


def decode(data: bytes, encoding: bytes, most_bytes: int) -> bytes | None:
    """Return the whole body without its coding; never raises on junk.

    encoding: the Content-Encoding value, b"" for none. most_bytes: of the result.
    Returns: None when the coding is unknown, or the data damaged, cut off, or larger than that.
    """
    name = canonical(encoding)
    if name is None:
        return None
    if not name:
        return data if len(data) <= most_bytes else None
    for make in _UNPACK[name]:
        plain, complete = _unpack(make, data, most_bytes + 1)
        if complete and len(plain) <= most_bytes:
            return plain
    return None


def decode_beginning(data: bytes, encoding: bytes, most_bytes: int) -> bytes:
    """Return the beginning of a body, of which `data` is the beginning, without its coding; never raises on junk.

    Returns: at most so many bytes; b"" when the coding is unknown or nothing can be read.
    """
    name = canonical(encoding)
    if name is None:
        return b""
    if not name:
        return data[:most_bytes]
    return max((_unpack(make, data, most_bytes)[0] for make in _UNPACK[name]), key=len)


def encode(data: bytes, encoding: bytes) -> bytes:
    """Return the body with the coding on, quickly packed; `deflate` in the zlib form.

    encoding: one that `decode` took. Raises: KeyError for any other.
    """
    name = canonical(encoding)
    return data if name == b"" else _PACK[name or encoding](data)


def _unpack(make: Callable[[], _Decompressor], data: bytes, most_bytes: int) -> tuple[bytes, bool]:
    """Return what could be read, cut at the bound, and whether the data ended where a member ended."""
    pieces: list[bytes] = []
    room = most_bytes
    for _ in range(_MOST_MEMBERS):
        try:
            member = make()
            piece = member.decompress(data, room)
        except Exception:  # noqa: BLE001 - zlib.error, ImportError, and errors without a name until their module is imported
            break
        pieces.append(piece)
        room -= len(piece)
        if not member.eof or room <= 0:  # zlib reads a bound of 0 as none
            break
        data = member.unused_data
        if not data:
            return b"".join(pieces), True
    return b"".join(pieces), False
