"""What every credential scheme is: it removes the caller's credentials and puts the real one in their place."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Annotated, ClassVar, Final
from urllib.parse import unquote_to_bytes

from pydantic import AfterValidator

from proxy.core.call import Header, Headers
from proxy.core.errors import CredentialMissing
from proxy.core.profile import Profile
from proxy.core.secret import SecretRef, SecretSlot
from proxy.core.units import Frozen

SlotOf = Callable[[SecretRef], SecretSlot]

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_PRINTABLE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_NOT_A_CREDENTIAL: Final = frozenset({
    "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip

# Many servers read `X_Api_Key` as `X-Api-Key`; whoever sends the first must not get past the second.
_FOLD: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_", b"abcdefghijklmnopqrstuvwxyz-")

# Where credentials usually sit, whichever of them this provider reads.
_ALWAYS_STRIPPED: Final = ("authorization", "proxy-authorization", "x-api-key", "api-key", "x-auth-token")


def _field_name(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError("not a header name: write letters, digits and -, such as X-Api-Key")
    if text.lower().replace("_", "-") in _NOT_A_CREDENTIAL:
        raise ValueError("this header frames or routes the message, it can't carry a credential")
    return text


def _printable(text: str) -> str:
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("write printable ASCII without a space at either end; one space is put before the secret")
    return text


FieldName = Annotated[str, AfterValidator(_field_name)]
"""A header name that may carry a credential; sent in the case in which it is written."""

Prefix = Annotated[str, AfterValidator(_printable)]
"""What stands before the secret, one space between."""


class SchemeConfig(Frozen):
    """Settings of one scheme; `scheme` tells which."""

    scheme: str


class Scheme(ABC):
    """Removes the caller's credentials from a call and adds the real one.

    The usual headers are always removed. A cookie or a query key may as well be a session or a page number: those
    go only where the profile's strip_headers (`cookie` takes all of them) and strip_query say so.

    profile: where else a credential of this provider can sit. headers, query: what the scheme itself
    sets, and so removes first. What is derived from the secrets is kept until one of them changes.
    """

    Config: ClassVar[type[SchemeConfig]]

    def __init__(
        self,
        slots: tuple[SecretSlot, ...],
        profile: Profile,
        headers: tuple[str, ...] = (),
        query: tuple[str, ...] = (),
    ) -> None:
        self._slots = slots
        self._names = frozenset(
            name.encode().translate(_FOLD) for name in (*_ALWAYS_STRIPPED, *profile.strip_headers, *headers)
        )
        self._keys = frozenset(name.encode() for name in (*profile.strip_query, *query))
        self._seen: list[int] = []
        self._derived = b""

    @abstractmethod
    def apply(self, target: bytes, headers: Headers) -> tuple[bytes, Headers]:
        """Return the target and headers for the provider; the ones given stay as they are.

        Every byte that is no credential is kept: order, case, duplicates, percent-encoding.
        Raises: CredentialMissing while a secret has never been read.
        """

    @abstractmethod
    def derive(self) -> bytes:
        """Compute from the secrets what goes on the wire. Raises: CredentialMissing."""

    def slots(self) -> tuple[SecretSlot, ...]:
        """Return the secrets that the scheme uses."""
        return self._slots

    def derived(self) -> bytes:
        """Return what `derive` gave for the present secrets. Raises: CredentialMissing."""
        seen = [slot.generation for slot in self._slots]
        if seen != self._seen:
            self._derived = self.derive()
            self._seen = seen
        return self._derived

    def strip_target(self, target: bytes) -> bytes:
        """Return the target without the caller's credentials."""
        return strip_query(target, self._keys) if self._keys and b"?" in target else target

    def strip_headers(self, headers: Headers) -> tuple[Headers, int]:
        """Return a list without the caller's credentials, and the place where the first of them stood."""
        names = self._names
        kept = []
        place = -1
        for header in headers:
            if header[0].translate(_FOLD) not in names:
                kept.append(header)
            elif place < 0:
                place = len(kept)
        return kept, place if place >= 0 else len(kept)


class HeaderScheme(Scheme):
    """A scheme whose credential is one header field."""

    def __init__(self, name: str, slots: tuple[SecretSlot, ...], profile: Profile) -> None:
        super().__init__(slots, profile, headers=(name,))
        self._name = name.encode()
        self._field: Header = (self._name, b"")

    def apply(self, target: bytes, headers: Headers) -> tuple[bytes, Headers]:
        """Put the header where the caller's first credential stood, or else last."""
        value = self.derived()
        if value is not self._field[1]:
            self._field = (self._name, value)
        kept, place = self.strip_headers(headers)
        kept.insert(place, self._field)
        return self.strip_target(target), kept


def strip_query(target: bytes, keys: Iterable[bytes]) -> bytes:
    """Return the target without the pairs of these keys, however the caller percent-encoded the names.

    keys: decoded names; they are case-sensitive (RFC 3986 section 6.2.2.1). Every other byte stays; a
    query of which nothing is left goes away with its question mark.
    """
    path, mark, query = target.partition(b"?")
    pairs = query.split(b"&")
    kept = [pair for pair in pairs if _key(pair) not in keys]
    if len(kept) == len(pairs):
        return target
    return path + mark + b"&".join(kept) if kept else path


def _key(pair: bytes) -> bytes:
    return unquote_to_bytes(pair.partition(b"=")[0].replace(b"+", b" "))


def reveal(slot: SecretSlot) -> str:
    """Return the secret in a slot.

    Raises: CredentialMissing, which names the reference and what to do, and never a value.
    """
    if slot.secret is None:
        todo = (
            "set the variable and start tidegate again"
            if slot.ref.source == "env"
            else "put the secret there, it is picked up within seconds"
        )
        raise CredentialMissing(f"the secret {slot.ref} is missing ({slot.problem}): {todo}")
    return slot.secret.reveal()
