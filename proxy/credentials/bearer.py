"""The scheme `bearer`: a token in the Authorization header (RFC 6750 section 2.1)."""

from typing import Literal

from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRefs
from proxy.credentials.scheme import HeaderScheme, Prefix, SchemeConfig, SlotOf, reveal
from proxy.sansio.signing import header_part


class Bearer(HeaderScheme):
    """Sends `Authorization: Bearer TOKEN`."""

    class Config(SchemeConfig):
        """token: where the token lies. prefix: the word before it, for providers that want another one."""

        scheme: Literal["bearer"]
        token: SecretRefs
        prefix: Prefix = "Bearer"

        @property
        def changes(self) -> frozenset[str]:
            """Where the credential goes."""
            return frozenset({header_part("Authorization")})

    def __init__(self, config: Config, slot_of: SlotOf, runtime: Runtime) -> None:
        self._token = slot_of(config.token)
        self._prefix = config.prefix
        super().__init__("Authorization", (self._token,), runtime)

    def derive(self) -> bytes:
        """Return the field value. Raises: CredentialMissing."""
        return f"{self._prefix} {reveal(self._token)}".encode()
