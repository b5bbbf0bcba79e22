"""The scheme `query`: the secret as a query parameter, such as `?apiKey=`."""

from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import StringConstraints

from proxy.core.call import Headers
from proxy.core.profile import Profile
from proxy.core.secret import SecretRef
from proxy.credentials.scheme import Scheme, SchemeConfig, SlotOf, reveal


class QueryKey(Scheme):
    """Appends `NAME=VALUE` to the raw query and removes the caller's own parameter of that name."""

    class Config(SchemeConfig):
        """name: the parameter, not percent-encoded. value: where the secret lies."""

        scheme: Literal["query"]
        name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
        value: SecretRef

    def __init__(self, config: Config, slot_of: SlotOf, profile: Profile | None = None) -> None:
        self._value = slot_of(config.value)
        self._name = quote(config.name, safe="")
        super().__init__((self._value,), profile or Profile(), query=(config.name,))

    def derive(self) -> bytes:
        """Return the pair, both sides percent-encoded (RFC 3986 section 2.1). Raises: CredentialMissing."""
        return f"{self._name}={quote(reveal(self._value), safe='')}".encode()

    def apply(self, target: bytes, headers: Headers) -> tuple[bytes, Headers]:
        """Put the pair last in the query."""
        pair = self.derived()
        target = self.strip_target(target)
        _, mark, query = target.partition(b"?")
        joint = b"&" if query else b"" if mark else b"?"
        return target + joint + pair, self.strip_headers(headers)[0]
