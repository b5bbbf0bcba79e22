"""The scheme `azure_shared_key`: Azure Storage's Shared Key, for blobs, queues and files.

Source: Microsoft, "Authorize with Shared Key", the string to sign of version 2009-09-19 and later.
"""

import base64
import binascii
import hmac
import string
from collections.abc import Iterator
from typing import Annotated, Final, Literal
from urllib.parse import unquote_to_bytes

from pydantic import StringConstraints

from proxy.core.call import Call, Headers, field_value
from proxy.core.errors import CredentialMissing
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRefs
from proxy.credentials.scheme import Derived, Scheme, SchemeConfig, SlotOf, reveal
from proxy.sansio.signing import header_part, http_date

_DATE: Final = "x-ms-date"
# `Date` is left empty, because x-ms-date counts in its place.
_LINES: Final = (
    b"content-encoding", b"content-language", b"content-length", b"content-md5", b"content-type", b"",
    b"if-modified-since", b"if-match", b"if-none-match", b"if-unmodified-since", b"range",
)  # fmt: skip

# The service sorts by the rules of a human language: hyphens count only where nothing else differs.
_ORDER: Final = "!#$%&*.^_`|~+" + string.digits + string.ascii_lowercase
_WEIGHTS: Final = bytes.maketrans(_ORDER.encode(), bytes(range(1, len(_ORDER) + 1)))
_IGNORED: Final = b"-'"
_HYPHENS: Final = bytes(2 if byte == ord("-") else 1 if byte == ord("'") else 0 for byte in range(256))


class AzureSharedKey(Scheme, Derived):
    """Sends `Authorization: SharedKey ACCOUNT:SIGNATURE` and a fresh x-ms-date; x-ms-version stays the caller's."""

    class Config(SchemeConfig):
        """account: the storage account's name. key: where one of its two keys lies, as the portal shows it (base64)."""

        scheme: Literal["azure_shared_key"]
        account: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{3,64}$")]
        key: SecretRefs

        @property
        def changes(self) -> frozenset[str]:
            """Where the credential goes."""
            return frozenset(map(header_part, ("Authorization", _DATE)))

        def signs(self, changed: str) -> bool:  # noqa: ARG002 - path, query, headers and the length of the body
            """Say that it is so for every part."""
            return True

    def __init__(self, config: Config, slot_of: SlotOf, runtime: Runtime) -> None:
        self._slot = slot_of(config.key)
        Scheme.__init__(self, (self._slot,), runtime, headers=("Authorization", _DATE))
        Derived.__init__(self, self.slots)
        self._wall = runtime.wall
        self._resource = b"/" + config.account.encode() + runtime.base_path
        self._start = b"SharedKey " + config.account.encode() + b":"

    def derive(self) -> bytes:
        """Return the key's bytes. Raises: CredentialMissing, also for a key that is not base64."""
        try:
            return base64.b64decode(reveal(self._slot), validate=True)
        except (ValueError, binascii.Error):
            text = f"the secret {self._slot.ref} is not base64: write the account's key there as the portal shows it"
            raise CredentialMissing(text) from None

    def inject(self, sent: Call, place: int, call: Call) -> None:  # noqa: ARG002 - what goes out is what is signed
        """Sign the copy that goes out. Raises: CredentialMissing."""
        key = self.derived()
        sent.headers.insert(place, (_DATE.encode(), http_date(self._wall()).encode()))
        path, _, query = sent.target.partition(b"?")
        text = b"".join((
            sent.method.encode(), b"\n",
            *standard_lines(sent.headers),
            *service_lines(sent.headers),
            self._resource, path, *query_lines(query),
        ))  # fmt: skip
        signature = base64.b64encode(hmac.digest(key, text, "sha256"))
        sent.headers.insert(place, (b"Authorization", self._start + signature))


def standard_lines(headers: Headers) -> Iterator[bytes]:
    """Yield the lines of the standard fields; a Content-Length of 0 counts as none."""
    for name in _LINES:
        value = field_value(headers, name) or b""
        yield (b"" if name == b"content-length" and value == b"0" else value) + b"\n"


def service_lines(headers: Headers) -> Iterator[bytes]:
    """Yield the lines of the service's own fields, in its own order."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        key = name.lower()
        if key.startswith(b"x-ms-"):
            values.setdefault(key, []).append(value.strip())
    for key in sorted(values, key=_sorting):
        yield key + b":" + b",".join(values[key]) + b"\n"


def _sorting(name: bytes) -> tuple[bytes, bytes]:
    return name.translate(_WEIGHTS, _IGNORED), name.translate(_HYPHENS)


def query_lines(query: bytes) -> Iterator[bytes]:
    """Yield the lines of the query: names in lower case, everything decoded, values of one name sorted and joined."""
    values: dict[bytes, list[bytes]] = {}
    for pair in filter(None, query.split(b"&")):
        name, _, value = pair.partition(b"=")
        values.setdefault(unquote_to_bytes(name).lower(), []).append(unquote_to_bytes(value))
    for name in sorted(values):
        yield b"\n" + name + b":" + b",".join(sorted(values[name]))
