"""A stand-in for the admin listener of a running tidegate, in a thread of its own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any


@dataclass
class Admin:
    """What it answers. state: of `/api/state`. events: raw bytes of each stream in turn, which then ends.

    token: what it asks for. asked: the paths, in order.
    """

    state: Any = field(default_factory=dict)
    events: list[bytes] = field(default_factory=list)
    token: str | None = None
    status: int = 200
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def event(name: str, value: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()


def _handler(admin: Admin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            admin.asked.append(self.path)
            if admin.token is not None and self.headers["Authorization"] != f"Bearer {admin.token}":
                self._answer(401, json.dumps({"title": "The admin token is missing", "detail": "send it"}).encode())
            elif admin.status != 200:
                self._answer(admin.status, b"no document")
            elif self.path.startswith("/api/stream"):
                self._answer(200, admin.events.pop(0) if admin.events else b"")
            else:
                self._answer(200, json.dumps(admin.state).encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "-"

        def log_message(self, *_: object) -> None:
            return

    return Handler


class _UnixServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@contextmanager
def serving(admin: Admin, path: Path | None = None) -> Iterator[Admin]:
    """Serve on a free port, or at a unix path."""
    handler = _handler(admin)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler) if path is None else _UnixServer(str(path), handler)
    if path is None:
        admin.port = server.socket.getsockname()[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield admin
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
