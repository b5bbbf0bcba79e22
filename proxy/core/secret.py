"""Secrets: a value that hides itself, the reference that names it, and the slot that holds the current one."""

import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

MASK: Final = "[secret]"
_REF: Final = re.compile(r"env:[A-Za-z0-9_]+|file:/.+")


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
    """Where a secret lies: `env:NAME` or `file:/path`. It is safe to print: it holds no secret."""

    source: Literal["env", "file"]
    name: str

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"

    @classmethod
    def parse(cls, text: object) -> "SecretRef":
        """Read a reference.

        Raises: ValueError for anything else, a literal secret above all; the text is not repeated in
        the message, because it may be the secret.
        """
        if isinstance(text, cls):
            return text
        if isinstance(text, str) and _REF.fullmatch(text):
            source, _, name = text.partition(":")
            return cls("env" if source == "env" else "file", name)
        raise ValueError("not a secret reference (a literal secret is refused): write env:NAME or file:/absolute/path")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.parse, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^({_REF.pattern})$", "examples": ["env:API_KEY"]}


@dataclass(slots=True)
class SecretSlot:
    """The current value behind a reference.

    secret: the last good value, None while there has been none.
    generation: grows by one whenever `secret` changes, so that a scheme can keep what it derived.
    problem: why the last read failed, without any part of the value; empty when it succeeded.
    """

    ref: SecretRef
    secret: Secret | None = None
    generation: int = 0
    problem: str = field(default="not read yet")

    def put(self, secret: Secret) -> bool:
        """Take a good value; True when it differs from the one before."""
        self.problem = ""
        if self.secret is not None and self.secret.reveal() == secret.reveal():
            return False
        self.secret = secret
        self.generation += 1
        return True


def parse_secret(raw: bytes) -> Secret:
    """Take the bytes of a file or variable as a secret: one final newline (LF or CRLF) is stripped.

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
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise ValueError("holds a control character (CR, LF, NUL or the like); only one final newline is allowed")
    return Secret(text)
