"""The refresh token in use, and the file that keeps it over restarts where the endpoint replaces it each time."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import orjson

from proxy.core.errors import CredentialMissing

_MOST_BYTES: Final = 128 * 1024  # an endpoint's answer has half of that at most, and what is escaped grows
_ALONE: Final[WeakValueDictionary[str, asyncio.Lock]] = WeakValueDictionary()  # by file


class KeptToken:
    """Knows the newest refresh token.

    One that the endpoint gave wins over the configured one, until that is changed: then the user began anew.
    configured: reads the configured one. path: of the file, None for memory alone.
    alone: held from `load` to `replace`, so that no other with the same file sends the same token meanwhile: of two
    client secrets that are live, or before and after a reload.
    """

    def __init__(self, configured: Callable[[], str], path: str | None) -> None:
        self._configured = configured
        self._path = path
        self._origin = self._token = ""
        self._written = True
        self.alone = asyncio.Lock() if path is None else _ALONE.setdefault(path, asyncio.Lock())

    async def load(self) -> str:
        """Read the file, unless a newer one is known. Returns: the token that `current` gives from now on.

        Raises: CredentialMissing, also for a file that can't be read: the one in it may have replaced the configured
        one, and endpoints take a second use of that for theft (RFC 9700 section 4.14).
        """
        origin = _hash(self._configured())
        if self._origin != origin:
            self._token, self._written = "", True
        if self._path is not None and self._written:
            try:
                self._token = await asyncio.to_thread(read_kept, self._path, origin) or self._token
            except OSError as error:
                why = error.strerror or "failed"
                text = f"the refresh token in {self._path} can't be read ({why}): make the file readable, or remove it"
                raise CredentialMissing(text) from None
        self._origin = origin
        return self.current()

    def current(self) -> str:
        """Return the newest refresh token. Raises: CredentialMissing."""
        configured = self._configured()
        return self._token if self._token and self._origin == _hash(configured) else configured

    async def replace(self, token: str) -> str:
        """Take the token that the endpoint gave, and write it down before anything else is done.

        Returns: why it could not be written, "" when it was or need not be.
        """
        self._token = token
        if self._path is None:
            return ""
        try:
            self._written = False
            await asyncio.to_thread(write_kept, self._path, self._origin, token)
            self._written = True
        except OSError as error:
            return f"the new refresh token can't be written to {self._path}: {error.strerror or 'failed'}"
        return ""


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def read_kept(path: str, origin: str) -> str:
    """Return the token in the file when it began with the configured one of that hash, else "".

    Raises: OSError for a file that is there and can't be read.
    """
    try:
        with Path(path).open("rb") as file:
            document = orjson.loads(file.read(_MOST_BYTES))
    except (FileNotFoundError, ValueError):
        return ""
    if not isinstance(document, dict) or document.get("configured_sha256") != origin:
        return ""
    token = document.get("refresh_token")
    return token if isinstance(token, str) else ""


def write_kept(path: str, origin: str, token: str) -> None:
    """Replace the file in one step, readable for its owner alone: whenever the machine stops, one of both is whole.

    Raises: OSError.
    """
    fresh = Path(f"{path}.new")
    fresh.unlink(missing_ok=True)  # left behind by a process that was killed
    data = orjson.dumps({"configured_sha256": origin, "refresh_token": token})
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(fresh.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # or else the rename may be lost with the power
    finally:
        os.close(folder)
