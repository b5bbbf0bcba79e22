"""Large bodies: an upstream that sends and swallows them, and a caller that fetches and uploads them.

`python -m tests.bench.bulk serve PORT`, `... fetch URL BYTES`, `... upload URL BYTES`; the last two print seconds.
Blocking sockets and one buffer, so that the ends cost as little as they can.
"""

import socket
import sys
import threading
import time
import zlib
from urllib.parse import urlsplit

CHECKED_BYTES = 16 * 1024**2
"""Up to here the content is checked besides the length; beyond it the checksum would be the bottleneck."""

_PIECE_BYTES = 256 * 1024
# Not a multiple of any likely buffer size in period: a lost, doubled or moved block changes the checksum.
_PATTERN = (bytes(range(251)) * (_PIECE_BYTES // 251 + 1))[:_PIECE_BYTES]


def send_body(connection: socket.socket, size: int) -> None:
    view = memoryview(_PATTERN)
    for start in range(0, size, _PIECE_BYTES):
        connection.sendall(view[: min(_PIECE_BYTES, size - start)])


def receive_body(connection: socket.socket, first: bytes, size: int) -> int:
    """Read a body of `size` bytes whose beginning is at hand; returns its checksum, 0 beyond CHECKED_BYTES."""
    buffer = bytearray(_PIECE_BYTES)
    view = memoryview(buffer)
    checked = size <= CHECKED_BYTES
    total, checksum = len(first), zlib.crc32(first)
    while total < size:
        count = connection.recv_into(buffer)
        if not count:
            raise ConnectionError(f"the body ended after {total} of {size} bytes")
        total += count
        if checked:
            checksum = zlib.crc32(view[:count], checksum)
    return checksum if checked else 0


def expected_checksum(size: int) -> int:
    checksum = 0
    if size <= CHECKED_BYTES:
        for start in range(0, size, _PIECE_BYTES):
            checksum = zlib.crc32(_PATTERN[: min(_PIECE_BYTES, size - start)], checksum)
    return checksum


def read_head(connection: socket.socket) -> tuple[bytes, int, bytes]:
    """Read a message's head: its first line, its Content-Length (0 when absent) and what came after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed before the head was complete")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    lengths = [int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")]
    return lines[0], lengths[0] if lengths else 0, rest


def answer(connection: socket.socket) -> None:
    """Serve one connection: GET /N sends N bytes, anything else swallows its body and answers the checksum."""
    with connection:
        while True:
            try:
                line, length, rest = read_head(connection)
            except ConnectionError:
                return
            size = int(line.split()[1].rpartition(b"/")[2])
            if line.startswith(b"GET "):
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n"
                connection.sendall(head.encode())
                send_body(connection, size)
            else:
                text = f"{length} {receive_body(connection, rest, length)}"
                connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())


def serve(port: int) -> None:
    with socket.create_server(("127.0.0.1", port), backlog=64) as server:
        while True:
            threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()


def fetch(connection: socket.socket, host: str, path: str, size: int) -> None:
    """Take a body of that size from the upstream and check it."""
    connection.sendall(f"GET {path}/{size} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    line, length, rest = read_head(connection)
    if not line.startswith(b"HTTP/1.1 200") or length != size:
        raise ValueError(f"wanted {size} bytes and was answered {line!r} with {length}")
    if receive_body(connection, rest, size) != expected_checksum(size):
        raise ValueError("the body arrived altered")


def upload(connection: socket.socket, host: str, path: str, size: int) -> None:
    """Give a body of that size to the upstream and check what it says that it received."""
    head = f"PUT {path}/{size} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n"
    connection.sendall(head.encode())
    send_body(connection, size)
    line, length, rest = read_head(connection)
    while len(rest) < length:
        rest += connection.recv(length - len(rest))
    if not line.startswith(b"HTTP/1.1 200") or rest.decode() != f"{size} {expected_checksum(size)}":
        raise ValueError(f"sent {size} bytes and was answered {line!r} {rest!r}")


def main() -> None:
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
        return
    parts, size = urlsplit(sys.argv[2]), int(sys.argv[3])
    with socket.create_connection((str(parts.hostname), int(parts.port or 80)), 60) as connection:
        started = time.perf_counter()
        (fetch if sys.argv[1] == "fetch" else upload)(connection, parts.netloc, parts.path, size)
        sys.stdout.write(f"{time.perf_counter() - started}\n")


if __name__ == "__main__":
    main()
