"""What becomes of each header field of an answer on its way to the caller."""

from enum import IntEnum
from functools import lru_cache
from typing import Final

from proxy.edge.listener.fields import Kinds


class Kind(IntEnum):
    """What becomes of a reply header field."""

    KEEP = 0
    DROP = 1  # hop-by-hop, or a name that only tidegate may use
    CONNECTION = 2
    LENGTH = 3
    ENCODING = 4
    URL = 5  # may hold an absolute URL that leads past the sidecar


KINDS: Final[dict[bytes, Kind]] = {
    b"keep-alive": Kind.DROP,
    b"proxy-connection": Kind.DROP,
    b"upgrade": Kind.DROP,
    b"x-request-id": Kind.DROP,
    b"tidegate-source": Kind.DROP,
    b"tidegate-attempts": Kind.DROP,
    b"tidegate-idempotency-key": Kind.DROP,
    b"tidegate-provider-request-id": Kind.DROP,
    b"connection": Kind.CONNECTION,
    b"content-length": Kind.LENGTH,
    b"transfer-encoding": Kind.ENCODING,
}
"""The fields that are not simply kept, by name in lower case."""


@lru_cache(maxsize=64)
def kinds_with(urls: frozenset[bytes]) -> Kinds[Kind]:
    """Return the table for answers in which these fields, in lower case, hold URLs; the same names share one."""
    return Kinds(lambda name: KINDS.get(name, Kind.URL if name in urls else Kind.KEEP))
