"""Secrets: a value that hides itself, the reference that names it, and the slot that holds the current one."""

import hmac
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, NoReturn, Self, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

MASK: Final = "[secret]"
_REF: Final = re.compile(r"env:[A-Za-z0-9_]+|file:/.+|exec:/.+")
_MOST_LIVE: Final = 2  # the new one and the one that it replaces


class Secret:
    """A secret value. Every way to print, format, serialise, compare or pickle it shows the mask or fails.

    `reveal()` is for credential schemes and the redactor alone.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the secret itself."""
        return self.__value

    def equals(self, text: str) -> bool:
        """Say whether this is the secret, in a time that does not tell how much of it is right."""
        return hmac.compare_digest(self.__value.encode(), text.encode("utf-8", "surrogateescape"))

    def sign(self, data: bytes) -> bytes:
        """Return the HMAC-SHA256 of data with the secret as key (RFC 2104), 32 bytes."""
        return hmac.digest(self.__value.encode(), data, "sha256")

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __getstate__(self) -> NoReturn:  # what pickle and copy take along; object's own hands out the value
        raise TypeError("a secret can't be pickled or copied")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret lies: `env:NAME`, `file:/path`, or `exec:/command arguments`. It is safe to print.

    document: whether it may have several lines (a PEM key, a JSON key file); such a one never goes into a header.
    """

    source: Literal["env", "file", "exec"]
    name: str
    document: bool = False

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"

    @classmethod
    def parse(cls, text: object, *, document: bool = False) -> "SecretRef":
        """Read a reference.

        Raises: ValueError for anything else, a literal secret above all; the text is not repeated in
        the message, because it may be the secret.
        """
        if isinstance(text, cls):
            return text
        if isinstance(text, str) and _REF.fullmatch(text):
            source, _, name = text.partition(":")
            return cls(cast(Literal["env", "file", "exec"], source), name, document)
        raise ValueError(
            "not a secret reference (a literal secret is refused): write env:NAME, file:/absolute/path or exec:/command"
        )


class SecretRefs(tuple[SecretRef, ...]):
    """One reference, or two while a secret is being replaced: the new one first, then the old one.

    Written as text or as a list of two. `document` as in `SecretRef`.
    """

    __slots__ = ()
    document: ClassVar[bool] = False

    def __str__(self) -> str:
        return ", ".join(map(str, self))

    def written(self) -> str | list[str]:
        """Return them as they stand in the configuration."""
        return str(self[0]) if len(self) == 1 else [str(ref) for ref in self]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read what stands in the configuration. Raises: ValueError."""
        if isinstance(value, cls):
            return value
        texts = value if isinstance(value, list | tuple) else (value,)
        refs = cls(SecretRef.parse(text, document=cls.document) for text in texts)
        if not 1 <= len(refs) <= _MOST_LIVE or len(set(refs)) < len(refs):
            raise ValueError("write one reference, or a list of two different ones: the new secret, then the old one")
        return refs

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        plain = core_schema.plain_serializer_function_ser_schema(cls.written)
        return core_schema.no_info_plain_validator_function(cls.parse, serialization=plain)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        one = {"type": "string", "pattern": f"^({_REF.pattern})$", "examples": ["env:API_KEY"]}
        several = {"type": "array", "items": one, "minItems": 1, "maxItems": _MOST_LIVE}
        return {"anyOf": [one, several]}


class DocumentRefs(SecretRefs):
    """References to secrets of several lines: PEM keys and JSON key files."""

    __slots__ = ()
    document: ClassVar[bool] = True


@dataclass(slots=True)
class SecretSlot:
    """The current value behind a reference.

    secret: the last good value, None while there has been none.
    generation: grows by one whenever `secret` changes, so that a scheme can keep what it derived.
    problem: why the last read failed, without any part of the value; empty when it succeeded.
    since_ts: unix seconds since when the value is there: its file's time of change, else when it was read.
    """

    ref: SecretRef
    secret: Secret | None = None
    generation: int = 0
    problem: str = field(default="not read yet")
    since_ts: float = 0.0

    def put(self, secret: Secret) -> bool:
        """Take a good value; True when it differs from the one before."""
        self.problem = ""
        if self.secret is not None and self.secret.reveal() == secret.reveal():
            return False
        self.secret = secret
        self.generation += 1
        return True


def parse_secret(raw: bytes, *, document: bool = False) -> Secret:
    """Take the bytes of a file or variable as a secret: one final newline (LF or CRLF) is stripped.

    document: whether lines and tabs may be in it.
    Raises: ValueError when it is empty, not UTF-8, or holds a control character, which could split a
    header (CWE-93, CWE-113). The message never shows the value.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    text = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    if not text:
        raise ValueError("is empty")
    allowed = "\t\n\r" if document else ""
    if any((ord(char) < 0x20 and char not in allowed) or ord(char) == 0x7F for char in text):
        raise ValueError("holds a control character (CR, LF, NUL or the like); only one final newline is allowed")
    return Secret(text)
