"""The scheme `header`: the secret in a header field of the provider's own, such as X-Api-Key."""

from typing import Literal

from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRefs
from proxy.credentials.scheme import FieldName, HeaderScheme, Prefix, SchemeConfig, SlotOf, reveal
from proxy.sansio.signing import header_part


class HeaderField(HeaderScheme):
    """Sends `NAME: VALUE`, or `NAME: PREFIX VALUE`."""

    class Config(SchemeConfig):
        """name: the header. value: where the secret lies. prefix: a word before it, if the provider wants one."""

        scheme: Literal["header"]
        name: FieldName
        value: SecretRefs
        prefix: Prefix | None = None

        @property
        def changes(self) -> frozenset[str]:
            """Where the credential goes."""
            return frozenset({header_part(self.name)})

    def __init__(self, config: Config, slot_of: SlotOf, runtime: Runtime) -> None:
        self._value = slot_of(config.value)
        self._before = f"{config.prefix} " if config.prefix else ""
        super().__init__(config.name, (self._value,), runtime)

    def derive(self) -> bytes:
        """Return the field value. Raises: CredentialMissing."""
        return f"{self._before}{reveal(self._value)}".encode()
