"""The scheme `basic`: a user name and a password in the Authorization header (RFC 7617)."""

from base64 import b64encode
from typing import Annotated, Literal, Self

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from proxy.core.errors import CredentialMissing
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRefs, SecretSlot
from proxy.credentials.scheme import HeaderScheme, SchemeConfig, SlotOf, reveal
from proxy.sansio.signing import header_part


def parse_username(text: object) -> SecretRefs | str:
    """Read a user name: a reference, or a plain one, because an account id is no secret.

    Raises: ValueError when it could not be sent. The text is not repeated in the message.
    """
    if isinstance(text, SecretRefs | list | tuple):
        return SecretRefs.parse(text)
    if not isinstance(text, str) or not text:
        raise ValueError("not a user name: write it as text, or as a reference env:NAME or file:/absolute/path")
    if text.startswith(("env:", "file:", "exec:")):
        return SecretRefs.parse(text)
    if ":" in text or not text.isprintable():
        raise ValueError("a user name can't hold a colon or a control character (RFC 7617 section 2)")
    return text


Username = Annotated[
    SecretRefs | str,
    PlainValidator(parse_username),
    PlainSerializer(lambda name: name if isinstance(name, str) else name.written()),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1, "examples": ["api", "env:ACCOUNT_SID"]},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
            ]
        }
    ),
]


class Basic(HeaderScheme):
    """Sends `Authorization: Basic BASE64(USERNAME:PASSWORD)`, in UTF-8."""

    class Config(SchemeConfig):
        """username: plain, or where it lies. password: where it lies; absent: empty."""

        scheme: Literal["basic"]
        username: Username
        password: SecretRefs | None = None

        @model_validator(mode="after")
        def _has_a_secret(self) -> Self:
            # Without a password the user name is the key (Stripe takes it so), and a literal key is refused.
            if self.password is None and not isinstance(self.username, SecretRefs):
                raise ValueError("without a password the user name is the secret: write env:NAME or file:/path")
            return self

        @property
        def changes(self) -> frozenset[str]:
            """Where the credential goes."""
            return frozenset({header_part("Authorization")})

    def __init__(self, config: Config, slot_of: SlotOf, runtime: Runtime) -> None:
        self._parts = [
            slot_of(part) if isinstance(part, SecretRefs) else part or "" for part in (config.username, config.password)
        ]
        slots = tuple(part for part in self._parts if isinstance(part, SecretSlot))
        super().__init__("Authorization", slots, runtime)

    def derive(self) -> bytes:
        """Return the field value. Raises: CredentialMissing, also for a user name that can't be sent."""
        username, password = (reveal(part) if isinstance(part, SecretSlot) else part for part in self._parts)
        if ":" in username:
            raise CredentialMissing("the secret for the user name holds a colon, which basic can't send: correct it")
        return b"Basic " + b64encode(f"{username}:{password}".encode())
