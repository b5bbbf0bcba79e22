"""Reads the admin listener of a running tidegate, over TCP or a unix socket."""

import argparse
import http.client
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from proxy.core.errors import ConfigError
from proxy.core.secret import Secret, SecretRef
from proxy.core.units import Listen, parse_listen
from proxy.edge.observe.console import printable
from proxy.edge.secrets import Secrets

_SILENT_S: Final = 20.0
"""After so long without a byte the stream counts as broken; its comments come every 10 s."""
_MOST_BYTES: Final = 16 * 1024 * 1024  # of one line: the state of thousands of providers


class Unreachable(Exception):
    """Nothing can be read there now; the text says why."""


class Refused(ConfigError):
    """Asking again would not help; the text says what would."""

    def __init__(self, text: str) -> None:
        super().__init__([f"tidegate: {text}"])


class Client:
    """One running tidegate. where: its admin listener. token: what is sent along, if any."""

    def __init__(self, where: Listen, token: Secret | None = None) -> None:
        self.where = where
        self._token = token

    def state(self) -> dict[str, Any]:
        """Return what `/api/state` tells. Raises: Unreachable, Refused."""
        with self._answer("/api/state") as answer:
            return _object(answer.read(_MOST_BYTES))

    def events(self, only: str) -> Iterator[tuple[str, Any]]:
        """Yield name and value of every event of `/api/stream` (WHATWG HTML section 9.2) until it ends.

        It yields ("", None) when it begins, and now and then while it is quiet. Raises: Unreachable, Refused.
        """
        with self._answer(f"/api/stream?only={only}") as answer:
            yield "", None
            name, data = "", b""
            while line := answer.readline(_MOST_BYTES):
                key, _, value = line.rstrip(b"\r\n").partition(b": ")
                if key == b"event":
                    name = value.decode("utf-8", "replace")
                elif key == b"data":
                    data = value
                elif line in (b"\n", b"\r\n"):  # the end of an event, or of a comment
                    yield name, _value(data) if name else None
                    name, data = "", b""

    @contextmanager
    def _answer(self, path: str) -> Iterator[http.client.HTTPResponse]:
        connection = _Connection(self.where)
        try:
            headers = {} if self._token is None else {"Authorization": b"Bearer " + self._token.reveal().encode()}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise _refusal(answer.status, answer.read(_MOST_BYTES))
            yield answer
        except (OSError, http.client.HTTPException) as error:
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unreachable(printable(said)) from None  # a line that is no HTTP is part of it
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, where: Listen) -> None:
        # The Host of a unix socket is any that is served.
        super().__init__("localhost" if where.path else where.dialled, where.port or None, _SILENT_S)
        self._path = where.path

    def connect(self) -> None:
        if not self._path:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SILENT_S)
        self.sock.connect(self._path)


def client_of(arguments: argparse.Namespace) -> Client:
    """Return the client that the command line asks for. config: read only where `admin` is None. Raises: Refused."""
    return Client(_where(arguments), _token(arguments.token))


def _where(arguments: argparse.Namespace) -> Listen:
    if arguments.admin is not None:
        return _parse(arguments.admin)
    from proxy.config import load  # noqa: PLC0415 - slow, and not needed with an address

    listen = load(arguments.config).admin.listen
    if not listen.path and listen.port == 0:
        raise Refused(f"admin.listen of {arguments.config} is any free port; name the one that it has with --admin URL")
    return listen


def _parse(text: str) -> Listen:
    try:
        if text.startswith("unix:"):
            return parse_listen(text)
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or 4781
    except ValueError:
        raise _no_address() from None
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/") or "@" in parts.netloc:
        raise _no_address()
    return Listen(parts.hostname, port)


def _no_address() -> Refused:
    return Refused("--admin is no address: write http://127.0.0.1:4781 or unix:/path")


def _token(text: str | None) -> Secret | None:
    if text is None:
        return None
    try:
        ref = SecretRef.parse(text)
    except ValueError as error:
        raise Refused(f"--token is {error}") from None
    if ref.source == "exec":
        raise Refused("--token takes env:NAME or file:/absolute/path")
    slot = Secrets(lambda _: None, os.environ).slot(ref)
    if slot.secret is None:
        raise Refused(f"--token {ref}: {slot.problem}")
    return slot.secret


def _refusal(status: int, body: bytes) -> Exception:
    problem = _object(body)
    said = printable(f"{problem.get('title', 'HTTP')}: {problem.get('detail', status)}")
    if status == 401:
        said += "; name it with --token env:NAME or file:/path"
    # 503 passes: too many streams, or a process that is only just going.
    return Unreachable(said) if status >= 500 else Refused(said)


def _object(data: bytes) -> dict[str, Any]:
    value = _value(data)
    return value if isinstance(value, dict) else {}


def _value(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
