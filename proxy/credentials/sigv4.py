"""The scheme `sigv4`: AWS Signature version 4, made anew for every attempt.

An SDK signs with any dummy key; the region and service of its signature are taken over, the signature is not.
"""

import hashlib
import re
from collections.abc import AsyncIterator
from typing import Final, Literal, Self
from urllib.parse import unquote

from pydantic import model_validator

from proxy.core.call import Body, Call, WholeBody, field_value
from proxy.core.errors import BadRequest, CredentialMissing
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRefs
from proxy.credentials.scheme import Scheme, SchemeConfig, SlotOf, add_query, reveal, whole_body
from proxy.sansio.aws_chunked import SIGNED_PAYLOADS, ChunkSigner
from proxy.sansio.signing import header_part
from proxy.sansio.sigv4 import AUTH_KEYS, EMPTY_SHA256, S3, UNSIGNED, Request, Signed, Signer, Stamp, amz_date

MOST_BODY_BYTES: Final = 8 * 1024 * 1024
_LONGEST_S: Final = 7 * 24 * 3600  # for which a presigned URL may count
_DIGITS: Final = 16  # none that counts has more, and Python refuses to read thousands of them
_FIELDS: Final = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
_KEYS: Final = (*AUTH_KEYS, "AWSAccessKeyId")
_NAME: Final = r"[A-Za-z0-9-]{1,64}"
_HEADER: Final = re.compile(
    rf"AWS4-HMAC-SHA256 .*?Credential=[^,/]{{1,256}}/[0-9]{{8}}/({_NAME})/({_NAME})/aws4_request\b"
)
_QUERY: Final = re.compile(rf"[^/]{{1,256}}/[0-9]{{8}}/({_NAME})/({_NAME})/aws4_request")
_HASH: Final = re.compile(rb"[0-9a-f]{64}")
_AS_ANNOUNCED: Final = frozenset((UNSIGNED, b"STREAMING-UNSIGNED-PAYLOAD-TRAILER", *SIGNED_PAYLOADS))
_ACCESS_KEY: Final = re.compile(r"[!-+\--.0-~]+")  # printable, but neither comma nor slash, which end it


class SigV4(Scheme):
    """Signs with the real key what the caller signed with a dummy one, in the header or, presigned, in the query.

    The body is signed as the caller announces it in X-Amz-Content-Sha256. Without that, S3 gets UNSIGNED-PAYLOAD for
    a body that is still coming, and any other service the hash of the whole body.
    """

    class Config(SchemeConfig):
        """access_key, secret_key, session_token: where they lie; the last one for temporary credentials.

        region, service: absent, those of the caller's signature. regions, services: which of them it may name; empty:
        any.
        """

        scheme: Literal["sigv4"]
        access_key: SecretRefs
        secret_key: SecretRefs
        session_token: SecretRefs | None = None
        region: str | None = None
        service: str | None = None
        regions: tuple[str, ...] = ()
        services: tuple[str, ...] = ()

        @model_validator(mode="after")
        def _is_plain(self) -> Self:
            for one, several, key in ((self.region, self.regions, "region"), (self.service, self.services, "service")):
                if one is not None and several:
                    raise ValueError(
                        f"write {key} for a fixed one, or {key}s for those that callers may name, not both"
                    )
                for name in (*several, *(() if one is None else (one,))):
                    if not re.fullmatch(_NAME, name):
                        raise ValueError(f"{name!r} is no {key}: write one such as {_EXAMPLES[key]}")
            return self

        @property
        def changes(self) -> frozenset[str]:
            """Where the credential goes, unless the caller has presigned the URL."""
            return frozenset(map(header_part, _FIELDS))

        def signs(self, changed: str) -> bool:  # noqa: ARG002 - method, path, query, headers and body
            """Say that it is so for every part."""
            return True

    def __init__(self, config: Config, slot_of: SlotOf, runtime: Runtime) -> None:
        refs = (config.access_key, config.secret_key, config.session_token)
        super().__init__(tuple([slot_of(ref) for ref in refs if ref]), runtime, headers=_FIELDS, query=_KEYS)
        self._config = config
        self._wall = runtime.wall
        self._host = (b"host", runtime.authority)
        self._base_path = runtime.base_path
        self._signer: Signer | None = None
        self._signer_of = -1
        self.waits = config.service not in S3  # any other service's body is hashed before it goes out

    @property
    def places(self) -> tuple[str, ...]:
        """Say where the credential goes."""
        return (*(f"header {name}" for name in _FIELDS), "query X-Amz-Signature")

    async def prepare(self, call: Call) -> None:
        """Read the whole body when its hash is needed.

        Raises: BadRequest without region or service, BodyTooLarge above 8 MiB, and what reading the body raises.
        """
        if call.body.whole is None and field_value(call.headers, b"x-amz-content-sha256") is None:
            _, service = self._scope(call)
            if service not in S3:
                await whole_body(call, MOST_BODY_BYTES)

    def inject(self, sent: Call, place: int, call: Call) -> None:
        """Sign the copy that goes out. Raises: CredentialMissing, BadRequest for what can't be signed."""
        signer = self._current()
        stamp = Stamp(amz_date(self._wall()), *self._scope(call))
        expires_s = _presigned_s(call.target)
        payload, told = _payload(sent, stamp.service, presigned=expires_s is not None)
        if not told and stamp.service in S3 and expires_s is None:
            sent.headers.insert(place, (b"X-Amz-Content-Sha256", payload))
        target = self._base_path + sent.target
        request = Request(sent.method, target, [self._host, *sent.headers], payload)
        if expires_s is not None:
            sent.target = add_query(sent.target, signer.presigned(request, stamp, expires_s))
            return
        fields, signed = signer.fields(request, stamp)
        sent.headers[place:place] = fields
        if payload in SIGNED_PAYLOADS:
            sent.body = _resigned(sent.body, signed)

    def _current(self) -> Signer:
        generation = self.generation
        if self._signer is None or self._signer_of != generation:
            access_key, *others = map(reveal, self.slots)
            if not _ACCESS_KEY.fullmatch(access_key):
                text = f"the access key in {self.slots[0].ref} holds a comma, a slash or no plain ASCII: correct it"
                raise CredentialMissing(text)
            self._signer = Signer(access_key, *others)
            self._signer_of = generation
        return self._signer

    def _scope(self, call: Call) -> tuple[str, str]:
        config = self._config
        if config.region is not None and config.service is not None:
            return config.region, config.service
        named = _named_scope(call)
        region = config.region or _allowed("region", named and named[0], config.regions)
        return region, config.service or _allowed("service", named and named[1], config.services)


_EXAMPLES: Final = {"region": "us-east-1", "service": "s3"}


def _allowed(kind: str, name: str | None, names: tuple[str, ...]) -> str:
    if name is None:
        raise BadRequest(
            f"no {kind} to sign for: let the SDK sign with a dummy key (version 4), or write credential.{kind}"
        )
    if names and name not in names:
        raise BadRequest(f"the {kind} {name} of the call's signature is not allowed here; allowed: {', '.join(names)}")
    return name


def _named_scope(call: Call) -> tuple[str, str] | None:
    """Return region and service of the caller's own signature."""
    field = field_value(call.headers, b"authorization")
    match = None if field is None else _HEADER.match(field.decode("latin-1"))
    if match is None:
        credential = _parameter(call.target, b"X-Amz-Credential")
        match = None if credential is None else _QUERY.fullmatch(credential)
    return None if match is None else (match[1], match[2])


def _parameter(target: bytes, name: bytes) -> str | None:
    before = name + b"="
    for pair in target.partition(b"?")[2].split(b"&"):
        if pair.startswith(before):
            return unquote(pair[len(before) :].decode("latin-1"))
    return None


def _presigned_s(target: bytes) -> int | None:
    """Return for how many seconds the caller's presigned URL counts, None when the call is none."""
    if _parameter(target, b"AWSAccessKeyId") is not None:
        raise BadRequest("a URL presigned with signature version 2 can't be signed anew: set signature_version to s3v4")
    if _parameter(target, b"X-Amz-Signature") is None:
        return None
    text = _parameter(target, b"X-Amz-Expires") or ""
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS or not 1 <= int(text) <= _LONGEST_S:
        raise BadRequest(f"X-Amz-Expires of the presigned URL must be 1 to {_LONGEST_S} seconds")
    return int(text)


def _payload(sent: Call, service: str, *, presigned: bool) -> tuple[bytes, bool]:
    """Return what the signature says of the body, and whether the caller's header says it."""
    told = field_value(sent.headers, b"x-amz-content-sha256")
    if presigned and told in SIGNED_PAYLOADS:
        # Chunk signatures go on from that of an Authorization header, so here the caller's own would stay.
        raise BadRequest(
            "the body of a presigned URL can't be signed in chunks: send it plain, with X-Amz-Content-Sha256:"
            " UNSIGNED-PAYLOAD, or let the SDK sign in the Authorization header"
        )
    if told is not None:
        if told not in _AS_ANNOUNCED and not _HASH.fullmatch(told):
            raise BadRequest("X-Amz-Content-Sha256 is neither a SHA-256 in hex nor a way of signing that is known here")
        return told, True
    whole = sent.body.whole
    if service in S3 and (presigned or whole is None):
        return UNSIGNED, False
    return (hashlib.sha256(whole).hexdigest().encode() if whole else EMPTY_SHA256), False


def _resigned(body: Body, seed: Signed) -> Body:
    if body.whole is None or not body.can_replay():
        return _Resigned(body, seed)
    signer = ChunkSigner(seed)
    data = signer.feed(body.whole)
    signer.end()
    return WholeBody(data, chunked=body.length is None)


class _Resigned(Body):
    """The caller's body with chunk signatures of our own; as long as the caller's, and made anew when sent again."""

    whole = None

    def __init__(self, body: Body, seed: Signed) -> None:
        self.length = body.length
        self._body = body
        self._seed = seed

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body from its first byte. Raises: BadRequest, BodyTooLarge, and what the caller's body raises."""
        signer = ChunkSigner(self._seed)
        async for piece in self._body.chunks():
            if out := signer.feed(piece):  # a piece without a byte would end a chunked body
                yield out
        signer.end()

    def can_replay(self) -> bool:
        """Say whether the caller's body can."""
        return self._body.can_replay()
