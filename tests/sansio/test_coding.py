"""Content codings: off and on again, within a bound, whatever the bytes are."""

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from proxy.sansio.coding import canonical, decode, decode_beginning, encode

MIB = 1024 * 1024
TEXT = b'{"api_key": "placeholder"}' * 40


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: list[tuple[bytes, Callable[[bytes], bytes]]] = [
    (b"gzip", gzip.compress),
    (b"x-gzip", gzip.compress),
    (b"GZIP ", gzip.compress),
    (b"deflate", zlib.compress),
    (b"deflate", raw_deflate),
    (b"zstd", zstd.compress),
    (b"br", brotli.compress),
    (b"identity", bytes),
    (b"", bytes),
]


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
def test_what_others_packed_is_unpacked(encoding: bytes, pack: Callable[[bytes], bytes]) -> None:
    assert decode(pack(TEXT), encoding, MIB) == TEXT


@pytest.mark.parametrize(
    ("encoding", "unpack"),
    [
        (b"gzip", gzip.decompress),
        (b"deflate", zlib.decompress),
        (b"zstd", zstd.decompress),
        (b"br", brotli.decompress),
        (b"", bytes),
    ],
)
def test_what_is_packed_here_others_unpack(encoding: bytes, unpack: Callable[[bytes], bytes]) -> None:
    assert unpack(encode(TEXT, encoding)) == TEXT


def test_packing_twice_gives_the_same_bytes() -> None:
    assert encode(TEXT, b"gzip") == encode(TEXT, b"gzip")


@pytest.mark.parametrize(("encoding", "pack"), [pair for pair in PACKERS if pair[0] not in (b"deflate", b"br")])
def test_several_members_in_a_row_are_one_body(encoding: bytes, pack: Callable[[bytes], bytes]) -> None:
    assert decode(pack(b"one") + pack(b"two"), encoding, MIB) == b"onetwo"


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
def test_the_bound_holds_to_the_byte(encoding: bytes, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT)
    assert decode(packed, encoding, len(TEXT)) == TEXT
    assert decode(packed, encoding, len(TEXT) - 1) is None


@pytest.mark.parametrize(("encoding", "pack"), PACKERS[:7])
def test_a_bomb_is_not_unpacked(encoding: bytes, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(8 * MIB))
    assert decode(bomb, encoding, MIB) is None
    assert decode_beginning(bomb, encoding, 100) == bytes(100)


def test_a_zstd_frame_that_asks_for_a_huge_window_is_refused() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    packer = zstd.ZstdCompressor(options=options)
    assert decode(packer.compress(TEXT) + packer.flush(), b"zstd", MIB) is None


def test_a_brotli_stream_with_a_window_beyond_the_standard_s_is_refused() -> None:
    # An empty stream with Brotli's "large window" of 30 bits; RFC 7932 section 9.1 knows 24 at most.
    assert decode(b"\x11\xde", b"br", MIB) is None
    assert decode(brotli.compress(b""), b"br", MIB) == b""


def test_many_tiny_members_are_no_way_to_keep_the_loop_busy() -> None:
    assert decode(gzip.compress(b"") * 1000, b"gzip", MIB) is None


@pytest.mark.parametrize(("encoding", "pack"), PACKERS[:7])
def test_a_body_that_was_cut_off_or_has_a_tail_is_not_taken_as_whole(
    encoding: bytes, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(TEXT)
    assert decode(packed[:-1], encoding, MIB) is None
    assert decode(packed + b"tail", encoding, MIB) is None
    assert decode(b"", encoding, MIB) is None


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
def test_the_beginning_of_a_body_gives_the_beginning_of_the_text(
    encoding: bytes, pack: Callable[[bytes], bytes]
) -> None:
    text = bytes(range(256)) * 64
    packed = pack(text)
    assert decode_beginning(packed, encoding, 1000) == text[:1000]
    half = decode_beginning(packed[: len(packed) // 2], encoding, MIB)
    assert text.startswith(half)


@pytest.mark.parametrize("encoding", [b"compress", b"gzip, gzip", b"aws-chunked", b"\xff"])
def test_an_unknown_coding_is_not_guessed_at(encoding: bytes) -> None:
    assert canonical(encoding) is None
    assert decode(TEXT, encoding, MIB) is None
    assert decode_beginning(TEXT, encoding, MIB) == b""
    with pytest.raises(KeyError):
        encode(TEXT, encoding)


def test_no_coding_is_the_empty_one() -> None:
    assert [canonical(None), canonical(b""), canonical(b"Identity")] == [b"", b"", b""]


@given(st.binary(max_size=200), st.sampled_from([b"gzip", b"deflate", b"zstd", b"br"]))
def test_junk_never_raises(data: bytes, encoding: bytes) -> None:
    plain = decode(data, encoding, 1000)
    assert plain is None or len(plain) <= 1000
    assert len(decode_beginning(data, encoding, 1000)) <= 1000


@given(st.binary(max_size=2000), st.sampled_from([b"gzip", b"deflate", b"zstd", b"br", b"identity", b""]))
def test_on_and_off_again_is_nothing(data: bytes, encoding: bytes) -> None:
    assert decode(encode(data, encoding), encoding, 2000) == data
