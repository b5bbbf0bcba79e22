"""The scheme `query`: the secret as a query parameter, such as `?apiKey=`."""

from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import StringConstraints

from proxy.core.call import Call
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRefs
from proxy.credentials.scheme import Derived, Scheme, SchemeConfig, SlotOf, add_query, reveal


class QueryKey(Scheme, Derived):
    """Appends `NAME=VALUE` to the raw query and removes the caller's own parameter of that name."""

    class Config(SchemeConfig):
        """name: the parameter, not percent-encoded. value: where the secret lies."""

        scheme: Literal["query"]
        name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
        value: SecretRefs

        @property
        def changes(self) -> frozenset[str]:
            """Where the credential goes."""
            return frozenset({"query"})

    def __init__(self, config: Config, slot_of: SlotOf, runtime: Runtime) -> None:
        self._value = slot_of(config.value)
        self._name = quote(config.name, safe="")
        Scheme.__init__(self, (self._value,), runtime, query=(config.name,))
        Derived.__init__(self, self.slots)

    def derive(self) -> bytes:
        """Return the pair, both sides percent-encoded (RFC 3986 section 2.1). Raises: CredentialMissing."""
        return f"{self._name}={quote(reveal(self._value), safe='')}".encode()

    def inject(self, sent: Call, place: int, call: Call) -> None:  # noqa: ARG002 - the query has a place of its own
        """Put the pair last in the query."""
        sent.target = add_query(sent.target, self.derived())
