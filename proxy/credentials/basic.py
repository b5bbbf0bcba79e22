"""The scheme `basic`: a user name and a password in the Authorization header (RFC 7617)."""

from base64 import b64encode
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from proxy.core.errors import CredentialMissing
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRefs, SecretSlot
from proxy.credentials.given import Text
from proxy.credentials.scheme import HeaderScheme, SchemeConfig, SlotOf, reveal
from proxy.sansio.signing import header_part


def _sendable(name: SecretRefs | str) -> SecretRefs | str:
    if isinstance(name, str) and ":" in name:
        raise ValueError("a user name can't hold a colon (RFC 7617 section 2)")
    return name


Username = Annotated[Text, AfterValidator(_sendable)]
"""Plain, because an account id is no secret, or references."""


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
