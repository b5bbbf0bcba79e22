"""The scheme `bearer`: a token in the Authorization header (RFC 6750 section 2.1)."""

from typing import Literal

from proxy.core.profile import Profile
from proxy.core.secret import SecretRef
from proxy.credentials.scheme import HeaderScheme, Prefix, SchemeConfig, SlotOf, reveal


class Bearer(HeaderScheme):
    """Sends `Authorization: Bearer TOKEN`."""

    class Config(SchemeConfig):
        """token: where the token lies. prefix: the word before it, for providers that want another one."""

        scheme: Literal["bearer"]
        token: SecretRef
        prefix: Prefix = "Bearer"

    def __init__(self, config: Config, slot_of: SlotOf, profile: Profile | None = None) -> None:
        self._token = slot_of(config.token)
        self._prefix = config.prefix
        super().__init__("Authorization", (self._token,), profile or Profile())

    def derive(self) -> bytes:
        """Return the field value. Raises: CredentialMissing."""
        return f"{self._prefix} {reveal(self._token)}".encode()
