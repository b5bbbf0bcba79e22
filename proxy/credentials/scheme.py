"""What every credential scheme is: it removes the caller's credentials and puts the real one in their place."""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import unquote_to_bytes

from pydantic import AfterValidator, BaseModel

from proxy.core.call import Call, Header, Reply, WholeBody
from proxy.core.errors import BodyTooLarge, CredentialMissing, DeadlineExceeded
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRefs, SecretSlot
from proxy.core.units import Frozen

SlotOf = Callable[[SecretRefs], SecretSlot]
"""Gives the slot of a secret; where two are live, the one that this instance of the scheme is made for."""

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_PRINTABLE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_NEVER: Final = float("inf")
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
    """Settings of one scheme; `scheme` tells which. mode: `report` goes on sending a credential that is refused."""

    scheme: str
    mode: Literal["enforce", "report"] = "enforce"

    @property
    def changes(self) -> frozenset[str]:
        """What the scheme changes in a call: `path`, `query`, `body`, and headers as `header_part` calls them."""
        return frozenset()

    def signs(self, changed: str) -> bool:  # noqa: ARG002 - most schemes sign nothing
        """Say whether what the scheme sends depends on this part of a call, named as in `changes`."""
        return False


class Scheme(ABC):
    """Removes the caller's credentials from a call and adds the real one.

    `strip` takes the caller's away: the usual headers always. A cookie or a query key may as well be a session or a
    page number: those go only where the profile's strip_headers (`cookie` takes all of them) and strip_query say so.
    `inject` then puts the real one in. Both work on the copy that one attempt sends, anew for every attempt.

    slots: the secrets in use. headers, query: what the scheme itself sets, and so removes first.
    waits: whether `prepare` has to be awaited before `inject`, for a token or for the whole body.
    """

    Config: ClassVar[type[SchemeConfig]]
    waits: bool = False

    def __init__(
        self,
        slots: tuple[SecretSlot, ...],
        runtime: Runtime,
        headers: tuple[str, ...] = (),
        query: tuple[str, ...] = (),
    ) -> None:
        self.slots = slots
        self._only_slot = slots[0] if len(slots) == 1 else None  # most schemes; every call asks for its generation
        self.headers = headers
        self.query = query
        profile = runtime.profile
        self._names = frozenset(
            name.encode().translate(_FOLD) for name in (*_ALWAYS_STRIPPED, *profile.strip_headers, *headers)
        )
        self._keys = frozenset(name.encode() for name in (*profile.strip_query, *query))

    @property
    def generation(self) -> int:
        """A number that grows whenever one of the secrets changes."""
        one = self._only_slot
        return one.generation if one is not None else sum([slot.generation for slot in self.slots])

    @property
    def places(self) -> tuple[str, ...]:
        """Say where the credential goes, for people: `header NAME`, `query NAME`."""
        return (*(f"header {name}" for name in self.headers), *(f"query {name}" for name in self.query))

    async def prepare(self, call: Call) -> None:  # noqa: B027 - most schemes have all they need
        """Wait for what `inject` needs; the body of `call` may be replaced by the same one in one piece.

        Raises: CredentialMissing, TokenUnavailable, DeadlineExceeded, BodyTooLarge, and what reading the body raises.
        """

    @abstractmethod
    def inject(self, sent: Call, place: int, call: Call) -> None:
        """Put the credential into `sent`, the stripped copy that goes out; `call` is what the caller asked for.

        place: where in the headers the caller's first credential stood. Every byte that is no credential is kept:
        order, case, duplicates, percent-encoding. Raises: CredentialMissing while a secret has never been read.
        """

    def answer(self, call: Call) -> Reply | None:  # noqa: ARG002 - most calls are the provider's to answer
        """Return the answer to a call that must not reach the provider: an SDK that asks for a token of its own."""
        return None

    def conceal(self, url: bytes) -> bytes:
        """Return a URL of the provider's, or the end of one, without what `inject` put into the call's."""
        return strip_query(url, self._keys) if self._keys and b"?" in url else url

    def rejected(self, sent: Call) -> bool:  # noqa: ARG002 - a secret that was refused is all there is
        """Hear that the provider refused the credential. Returns: whether the next attempt would carry another one.

        sent: the copy that was refused, which tells a token from the one that has replaced it meanwhile.
        """
        return False

    def resume(self) -> None:  # noqa: B027 - most schemes hold nothing back
        """Forget failures, because an operator says that they are over."""

    def adopt(self, old: "Scheme") -> None:  # noqa: B027 - most schemes remember nothing
        """Go on with what the scheme that a reload replaces by this one, of the same settings, has fetched."""

    def snapshot(self) -> dict[str, object]:
        """Tell more than the slots do; `expires_ts`, unix seconds, where the credential ends by itself."""
        return {}

    def strip(self, sent: Call) -> int:
        """Take the caller's credentials out of the copy; its headers become a list of its own.

        Returns: the place where the first of them stood in the headers.
        """
        names = self._names
        kept = []
        place = -1
        for header in sent.headers:
            if header[0].translate(_FOLD) not in names:
                kept.append(header)
            elif place < 0:
                place = len(kept)
        sent.headers = kept
        if self._keys and b"?" in sent.target:
            sent.target = strip_query(sent.target, self._keys)
        return place if place >= 0 else len(kept)


class Derived(ABC):
    """Keeps what is computed from secrets until one of them changes."""

    def __init__(self, slots: tuple[SecretSlot, ...]) -> None:
        self._of = slots
        self._seen: list[int] = []
        self._derived = b""

    @abstractmethod
    def derive(self) -> bytes:
        """Compute from the secrets what goes on the wire. Raises: CredentialMissing."""

    def derived(self) -> bytes:
        """Return what `derive` gave for the present secrets. Raises: CredentialMissing."""
        seen = [slot.generation for slot in self._of]
        if seen != self._seen:
            self._derived = self.derive()
            self._seen = seen
        return self._derived


class HeaderScheme(Scheme, Derived):
    """A scheme whose credential is one header field."""

    def __init__(self, name: str, slots: tuple[SecretSlot, ...], runtime: Runtime) -> None:
        Scheme.__init__(self, slots, runtime, headers=(name,))
        Derived.__init__(self, slots)
        self._name = name.encode()
        self._field: Header = (self._name, b"")

    def inject(self, sent: Call, place: int, call: Call) -> None:  # noqa: ARG002 - the secret alone decides
        """Put the header where the caller's first credential stood, or else last."""
        value = self.derived()
        if value is not self._field[1]:
            self._field = (self._name, value)
        sent.headers.insert(place, self._field)


def references(node: Any, where: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], SecretRefs]]:
    """Yield the secrets that a scheme's settings name, each with the path of its key."""
    if isinstance(node, SecretRefs):
        yield where, node
    elif isinstance(node, BaseModel | Mapping):
        for key, inner in node if isinstance(node, BaseModel) else node.items():
            yield from references(inner, (*where, key))


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


def add_query(target: bytes, pairs: bytes) -> bytes:
    """Return the target with these pairs last in its query; they are encoded already."""
    _, mark, query = target.partition(b"?")
    return target + (b"&" if query else b"" if mark else b"?") + pairs


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


async def whole_body(call: Call, most_bytes: int) -> bytes:
    """Return the call's body in one piece; from then on the call has it so, and can send it again.

    A caller that waits for `100 Continue` is told to go on, unless it has announced too much already.
    Raises: BodyTooLarge, DeadlineExceeded, and what reading the body raises.
    """
    body = call.body
    data = body.whole
    if (len(data) if data is not None else body.length or 0) > most_bytes:
        raise _too_large(call, most_bytes)
    if data is not None:
        return data
    if call.on_continue is not None:
        call.on_continue()
        call.on_continue = None
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    try:
        # The idle time of each piece would let a caller that drips hold a place for ever.
        async with asyncio.timeout_at(call.deadline_at if call.deadline_at < _NEVER else None):
            data = await _joined(call, most_bytes)
    except TimeoutError:
        raise DeadlineExceeded("the deadline of the call passed before its request body was here") from None
    finally:
        call.record.receive_s += loop.time() - began_at
    call.body = WholeBody(data, chunked=body.length is None)
    return data


async def _joined(call: Call, most_bytes: int) -> bytes:
    pieces, size = [], 0
    async for piece in call.body.chunks():
        size += len(piece)
        if size > most_bytes:
            raise _too_large(call, most_bytes)
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(call: Call, most_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"the credential of {call.provider} must read the whole body, {most_bytes} bytes at most; send less"
    )
