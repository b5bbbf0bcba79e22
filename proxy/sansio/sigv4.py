"""The arithmetic of AWS Signature version 4: canonical request, string to sign, signature.

Source: AWS, "Signature Version 4 signing process", and for S3 "Authenticating Requests (AWS Signature Version 4)".
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from proxy.core.call import Header, Headers

ALGORITHM: Final = b"AWS4-HMAC-SHA256"
UNSIGNED: Final = b"UNSIGNED-PAYLOAD"
_EMPTY: Final = ("e3b0c442", "98fc1c14", "9afbf4c8", "996fb924", "27ae41e4", "649b934c", "a495991b", "7852b855")
EMPTY_SHA256: Final = "".join(_EMPTY).encode()
"""Written out, because the first hash of a process takes 20 ms, and most processes never sign."""

S3: Final = frozenset({"s3", "s3-object-lambda", "s3-outposts"})
"""The services that take the path as an object's key: neither normalised nor encoded twice."""

UNSIGNED_FIELDS: Final = frozenset({
    b"authorization", b"baggage", b"connection", b"expect", b"keep-alive", b"proxy-authenticate",
    b"proxy-authorization", b"te", b"traceparent", b"tracestate", b"trailer", b"transfer-encoding", b"upgrade",
    b"user-agent", b"x-amzn-trace-id",
    b"accept-encoding",  # servers that only speak S3's language rewrite it on their way in
})  # fmt: skip
"""The header fields that are never signed, because what lies between may change them."""

AUTH_KEYS: Final = (
    "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Security-Token", "X-Amz-Signature",
    "X-Amz-SignedHeaders",
)  # fmt: skip
"""The query parameters of a presigned URL."""

_PLAIN_PATH: Final = re.compile(rb"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?|/")
_PLAIN_QUERY: Final = re.compile(rb"[A-Za-z0-9._~-]*")
_MOST_KEYS: Final = 64  # days, regions and services of one secret: a handful is in use


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and where a signature counts. date: as in `20150830T123600Z`."""

    date: str
    region: str
    service: str

    @property
    def scope(self) -> str:
        """The credential scope."""
        return f"{self.date[:8]}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True, slots=True)
class Request:
    """What is signed. target: path and query as they are sent, the provider's own path before them included.

    headers: as they are sent, with `host`. payload: the body's SHA-256 in hex, or what stands in its place.
    """

    method: str
    target: bytes
    headers: Headers
    payload: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature, in hex. key: the one that it was made with, for the chunks that follow. stamp: its own."""

    signature: str
    stamp: Stamp
    key: bytes = field(repr=False)

    def next(self, kind: str, *hashes: str) -> "Signed":
        """Sign a piece of a body that is signed in chunks, which stands on the signature before it.

        kind: PAYLOAD or TRAILER. hashes: SHA-256 in hex of what AWS names for it.
        """
        lines = (f"AWS4-HMAC-SHA256-{kind}", self.stamp.date, self.stamp.scope, self.signature, *hashes)
        return Signed(_hex_mac(self.key, "\n".join(lines).encode()), self.stamp, self.key)


class Signer:
    """Signs with one access key. session_token: of temporary credentials; None for permanent ones."""

    def __init__(self, access_key: str, secret_key: str, session_token: str | None = None) -> None:
        self.access_key = access_key
        self.session_token = session_token
        self._first_key = f"AWS4{secret_key}".encode()
        self._keys: dict[tuple[str, str, str], bytes] = {}

    def fields(self, request: Request, stamp: Stamp) -> tuple[Headers, Signed]:
        """Return the header fields that authenticate the request, and the signature in them."""
        made: Headers = [(b"X-Amz-Date", stamp.date.encode())]
        if self.session_token is not None:
            made.append((b"X-Amz-Security-Token", self.session_token.encode()))
        names, lines = canonical_headers(request.headers + made)
        signed = self._sign(request, canonical_query(_query(request.target)), (names, lines), stamp)
        value = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{stamp.scope}, "
            f"SignedHeaders={names.decode()}, Signature={signed.signature}"
        )
        return [(b"Authorization", value.encode()), *made], signed

    def presigned(self, request: Request, stamp: Stamp, expires_s: int) -> bytes:
        """Return the query parameters that authenticate the request for `expires_s` seconds, to be put last."""
        names, lines = canonical_headers(request.headers)
        pairs = [
            ("X-Amz-Algorithm", ALGORITHM.decode()),
            ("X-Amz-Credential", f"{self.access_key}/{stamp.scope}"),
            ("X-Amz-Date", stamp.date),
            ("X-Amz-Expires", str(expires_s)),
            ("X-Amz-SignedHeaders", names.decode()),
        ]
        if self.session_token is not None:
            pairs.append(("X-Amz-Security-Token", self.session_token))
        made = "&".join([f"{key}={quote(value, safe='')}" for key, value in pairs]).encode()
        before = _query(request.target)
        query = canonical_query(before + b"&" + made if before else made)
        signed = self._sign(request, query, (names, lines), stamp)
        return made + b"&X-Amz-Signature=" + signed.signature.encode()

    def _sign(self, request: Request, query: bytes, headers: tuple[bytes, bytes], stamp: Stamp) -> Signed:
        path = canonical_path(request.target.partition(b"?")[0], stamp.service)
        names, lines = headers
        canonical = b"\n".join((request.method.encode(), path, query, lines, names, request.payload))
        digest = hashlib.sha256(canonical).hexdigest()
        key = self._key(stamp)
        text = f"AWS4-HMAC-SHA256\n{stamp.date}\n{stamp.scope}\n{digest}"
        return Signed(_hex_mac(key, text.encode()), stamp, key)

    def _key(self, stamp: Stamp) -> bytes:
        parts = (stamp.date[:8], stamp.region, stamp.service)
        key = self._keys.get(parts)
        if key is None:
            key = self._first_key
            for part in (*parts, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            if len(self._keys) >= _MOST_KEYS:
                self._keys.clear()
            self._keys[parts] = key
        return key


def amz_date(wall: float) -> str:
    """Write unix seconds as AWS does: `20150830T123600Z`."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y%m%dT%H%M%SZ")


def canonical_path(path: bytes, service: str) -> bytes:
    """Return the path as the service reads it.

    S3 takes it as it is, encoded once; every other service resolves dot segments and empty ones, and encodes what is
    encoded already once more.
    """
    if _PLAIN_PATH.fullmatch(path):
        return path
    if service in S3:
        return quote_from_bytes(path or b"/", safe="/~%").encode()
    return quote_from_bytes(_resolved(path), safe="/~").encode()


def _resolved(path: bytes) -> bytes:
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in {b"", b"."}:
            kept.append(segment)
    return b"/" + b"/".join(kept) + (b"/" if kept and path.endswith(b"/") else b"")


def canonical_query(query: bytes) -> bytes:
    """Return the query sorted and encoded in the one way that AWS accepts; a plus sign stands for a space."""
    if not query:
        return b""
    pairs = [pair.partition(b"=") for pair in query.split(b"&") if pair]
    return b"&".join([key + b"=" + value for key, value in sorted((_encoded(key), _encoded(v)) for key, _, v in pairs)])


def _encoded(text: bytes) -> bytes:
    if _PLAIN_QUERY.fullmatch(text):
        return text
    return quote_from_bytes(unquote_to_bytes(text.replace(b"+", b" ")), safe="~").encode()


def canonical_headers(headers: Iterable[Header]) -> tuple[bytes, bytes]:
    """Return the names of the signed fields, such as `a;b`, and their lines, each `name:value` and ended by LF."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        key = name.lower()
        if key not in UNSIGNED_FIELDS:
            values.setdefault(key, []).append(b" ".join(value.split()))
    names = sorted(values)
    return b";".join(names), b"".join([b"%b:%b\n" % (name, b",".join(values[name])) for name in names])


def _query(target: bytes) -> bytes:
    return target.partition(b"?")[2]


def _hex_mac(key: bytes, text: bytes) -> str:
    return hmac.digest(key, text, "sha256").hex()
