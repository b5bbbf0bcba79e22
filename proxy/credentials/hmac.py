"""The scheme `hmac`: a signature by the provider's own recipe, written as templates."""

import re
import secrets
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from proxy.core.call import Call, Headers
from proxy.core.errors import CredentialMissing
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRefs
from proxy.credentials.scheme import FieldName, Scheme, SchemeConfig, SlotOf, add_query, reveal, whole_body
from proxy.sansio.signing import (
    BODY,
    HEADER,
    PARTS,
    Clock,
    Encoding,
    Hash,
    KeyEncoding,
    Material,
    Template,
    decode_key,
    digest,
    encode,
    header_part,
    write_time,
)

MOST_BODY_BYTES: Final = 8 * 1024 * 1024
_SIGNATURE: Final = "signature"
_PARTS: Final = frozenset(PARTS)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
"""How a template calls a secret."""

QueryName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]+$", max_length=128)]
"""A query parameter that needs no percent-encoding."""


class Hmac(Scheme):
    """Fills the message template, hashes it with or without a key, and puts the result into headers and query.

    Templates know the secrets by name, and {timestamp}, {nonce}, {method}, {path}, {query}, {target}, {host}, {body},
    {body_sha256}, {body_md5}, {header:NAME}; those of headers and query {signature} too. Path, query and target are
    those that the provider sees, before the parameters that the scheme itself adds.
    """

    class Config(SchemeConfig):
        """secrets: where they lie, by the names that templates use. message: what is signed.

        hash: with which function. key: the secret that keys the MAC; absent: a plain hash. key_encoding: how that
        secret is written. encoding: how the signature is. timestamp: what {timestamp} looks like.
        headers, query: what is sent, by name.
        """

        scheme: Literal["hmac"]
        secrets: dict[SecretName, SecretRefs] = Field(min_length=1)
        message: str
        hash: Hash = "sha256"
        key: str | None = None
        key_encoding: KeyEncoding = "text"
        encoding: Encoding = "hex"
        timestamp: Clock = "unix"
        headers: dict[FieldName, str] = {}
        query: dict[QueryName, str] = {}

        @model_validator(mode="after")
        def _is_a_recipe(self) -> Self:
            names = frozenset(self.secrets)
            if taken := sorted(names & (_PARTS | {_SIGNATURE})):
                raise ValueError(f"{taken[0]} has a meaning of its own in templates: call the secret otherwise")
            if self.key is not None and self.key not in names:
                raise ValueError(f"key must be the name of a secret: one of {', '.join(sorted(names))}")
            used = _used(self)
            if _SIGNATURE not in used:
                raise ValueError("the signature goes nowhere: write {signature} into headers or query")
            if unused := sorted(names - used - {self.key}):
                raise ValueError(f"the secret {unused[0]} is used nowhere: write it as key, or into a template")
            return self

        @property
        def changes(self) -> frozenset[str]:
            """Where the credential goes."""
            return frozenset((*(("query",) if self.query else ()), *map(header_part, self.headers)))

        def signs(self, changed: str) -> bool:
            """Say whether a template names this part; {target} is path and query, a length tells of the body."""
            used = {header_part(name.removeprefix(HEADER)) if name.startswith(HEADER) else name for name in _used(self)}
            if changed == "body":
                return not used.isdisjoint((*BODY, header_part("Content-Length")))
            return changed in used or (changed in ("path", "query") and "target" in used)

    def __init__(self, config: Config, slot_of: SlotOf, runtime: Runtime) -> None:
        self._named = {name: slot_of(refs) for name, refs in config.secrets.items()}
        slots = tuple(self._named.values())
        super().__init__(slots, runtime, headers=tuple(config.headers), query=tuple(config.query))
        self._config = config
        self._wall = runtime.wall
        self._host = runtime.authority
        self._base_path = runtime.base_path
        self._message, self._in_headers, self._in_query = _templates(config)
        used = _used(config)
        self.waits = bool(used & BODY)
        self._fresh = "nonce" in used
        self._values: dict[str, bytes] = {}
        self._key: bytes | None = None
        self._values_of = -1

    async def prepare(self, call: Call) -> None:
        """Read the whole body. Raises: BodyTooLarge above 8 MiB, and what reading the body raises."""
        if call.body.whole is None:
            await whole_body(call, MOST_BODY_BYTES)

    def inject(self, sent: Call, place: int, call: Call) -> None:  # noqa: ARG002 - what goes out is what is signed
        """Sign the copy that goes out. Raises: CredentialMissing."""
        config = self._config
        if self._values_of != self.generation:
            self._read()
        material = Material(
            method=sent.method.encode(),
            target=self._base_path + sent.target,
            host=self._host,
            headers=sent.headers,
            body=sent.body.whole or b"",
            timestamp=write_time(config.timestamp, self._wall()).encode(),
            nonce=secrets.token_hex(16).encode() if self._fresh else b"",
        )
        message = self._message.fill(material, self._values)
        signature = encode(config.encoding, digest(config.hash, self._key, message))
        values = {**self._values, _SIGNATURE: signature}
        fields: Headers = [(name, template.fill(material, values)) for name, template in self._in_headers]
        if self._in_query:
            pairs = [name + b"=" + template.fill(material, values) for name, template in self._in_query]
            sent.target = add_query(sent.target, b"&".join(pairs))
        sent.headers[place:place] = fields

    def _read(self) -> None:
        """Take the secrets as they are now."""
        config, generation = self._config, self.generation
        self._values = {name: reveal(slot).encode() for name, slot in self._named.items()}
        if config.key is not None:
            slot = self._named[config.key]
            try:
                self._key = decode_key(config.key_encoding, reveal(slot))
            except ValueError as error:
                text = f"the secret {slot.ref} {error}: correct it, or write another credential.key_encoding"
                raise CredentialMissing(text) from None
        self._values_of = generation


_Templates = tuple[Template, list[tuple[bytes, Template]], list[tuple[bytes, Template]]]


def _templates(config: Hmac.Config) -> _Templates:
    """Read all templates. Raises: ValueError that names the one at fault."""
    known = _PARTS | frozenset(config.secrets)
    sent = known | {_SIGNATURE}
    for name, text in config.headers.items():
        if _CONTROL.search(text):
            raise ValueError(f"headers.{name}: a control character can't stand in a header")
    # A body has lines, and a header must not.
    headers = [(name, _template(f"headers.{name}", text, sent - {"body"})) for name, text in config.headers.items()]
    query = [(name, _template(f"query.{name}", text, sent, quoted=True)) for name, text in config.query.items()]
    return (
        _template("message", config.message, known),
        [(name.encode(), template) for name, template in headers],
        [(name.encode(), template) for name, template in query],
    )


def _template(where: str, text: str, known: frozenset[str], *, quoted: bool = False) -> Template:
    try:
        return Template(text, known, quoted=quoted)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _used(config: Hmac.Config) -> frozenset[str]:
    message, headers, query = _templates(config)
    return frozenset().union(message.names, *(template.names for _, template in (*headers, *query)))
