"""Reads HTTP/1.1 messages off a socket plainly and leniently: tests judge the bytes, this only finds their ends."""

import asyncio

LIMIT = 64 * 1024 * 1024
"""Bytes that a test's reader buffers at most."""


def fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """Return the header fields below the first line as they stand, values stripped."""
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:] if line)
    return [(name, value.strip()) for name, _, value in pairs]


def values(head: bytes, name: bytes) -> list[bytes]:
    """Return all values of a field; `name` in any case."""
    return [value for key, value in fields(head) if key.lower() == name.lower()]


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """Return the next head, its empty line included.

    Raises: IncompleteReadError when the other side ends before.
    """
    return await reader.readuntil(b"\r\n\r\n")


async def read_chunked(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return the joined chunks and the raw trailer section."""
    pieces = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        pieces.append((await reader.readexactly(size + 2))[:-2])
    trailers = b""
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        trailers += line
    return b"".join(pieces), trailers


async def read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """Return the body that the head announces; none when it announces none."""
    if b"chunked" in b",".join(values(head, b"transfer-encoding")).lower():
        return (await read_chunked(reader))[0]
    lengths = values(head, b"content-length")
    return await reader.readexactly(int(lengths[0])) if lengths else b""


def split_requests(stream: bytes) -> list[tuple[bytes, bytes]]:
    """Return head and body of each request that one connection carried; one that is cut off is left out."""
    found = []
    while (end := stream.find(b"\r\n\r\n") + 4) > 3:
        head, stream = stream[:end], stream[end:]
        if b"chunked" in b",".join(values(head, b"transfer-encoding")).lower():
            body, stream = _split_chunked(stream)
        else:
            length = int((values(head, b"content-length") or [b"0"])[0])
            body, stream = stream[:length], stream[length:]
        found.append((head, body))
    return found


def _split_chunked(stream: bytes) -> tuple[bytes, bytes]:
    pieces = []
    while True:
        line, _, stream = stream.partition(b"\r\n")
        size = int(line.partition(b";")[0] or b"0", 16)
        pieces.append(stream[:size])
        if not size:
            return b"".join(pieces), stream.partition(b"\r\n")[2]  # no client here sends trailers
        stream = stream[size + 2 :]
