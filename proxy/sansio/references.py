"""Reads the URL references that a provider writes as HTTP clients read them, those too that are meant to mislead."""

import re
from typing import Final, NamedTuple

_IGNORED: Final = b"\t\r\n"  # the URL Standard has clients drop these anywhere, and the others at both ends
_BLANKS: Final = bytes(range(0x21))
_SCHEME: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*):")
_PORTS: Final = {b"": 80, b"http": 80, b"https": 443}  # callers come by http, and so does what names no scheme
# Of RFC 3986 section 3.2 without what clients spell out in different ways: encoded or other letters, zone ids.
_NETWORK: Final = re.compile(
    rb"//(?:[^/?#\\]*@)?([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5})|:)?(?=[/?#]|\Z)",
)
_END_OF_PATH: Final = re.compile(rb"[?#]|\Z")


class Reference(NamedTuple):
    """What a client makes of a reference.

    host: in lower case without a final dot, brackets kept; "" where the reference is relative. port: the scheme's own
    where none is written. rest: what follows the authority, or all of a relative reference; no blanks around it.
    """

    host: str
    port: int
    rest: bytes


def read(value: bytes) -> Reference | None:
    """Return where a reference leads, None when it names another scheme than http and https.

    Raises: ValueError for what clients read in different ways: an authority that is missing (RFC 9110 section 4.2.1)
    or malformed, and backslashes where some take them for slashes.
    """
    text = value.translate(None, _IGNORED).strip(_BLANKS)
    scheme = _SCHEME.match(text)
    name = scheme[1].lower() if scheme is not None else b""
    if name not in _PORTS:
        return None
    text = text[len(name) + 1 :] if name else text
    if not (name or text[:1] == b"\\" or text[:2] in (b"//", b"/\\")):
        return Reference("", 0, text)
    network = _NETWORK.match(text)
    if network is None:
        raise ValueError("not a URL that all clients read alike")
    port = int(network[2]) if network[2] else _PORTS[name]
    return Reference(network[1].decode().lower().rstrip("."), port, text[network.end() :])


def resolve(path: bytes, reference: bytes) -> bytes:
    """Return what a relative reference with a path means on the page of that path: path, query and fragment.

    No dot segment is left (RFC 3986 section 5.2.4), plain or percent-encoded; above the root there is nothing.
    """
    ends_at = _END_OF_PATH.search(reference)
    end = ends_at.start() if ends_at is not None else len(reference)
    whole = reference[:end]
    if not whole.startswith(b"/"):
        whole = path[: path.rfind(b"/") + 1] + whole
    kept: list[bytes] = []
    dots = b""
    for segment in whole.split(b"/")[1:]:
        dots = segment.lower().replace(b"%2e", b".")
        if dots == b"..":
            del kept[-1:]
        elif dots != b".":
            kept.append(segment)
    if dots in (b".", b".."):
        kept.append(b"")  # what a dot segment ends is a directory
    return b"/" + b"/".join(kept) + reference[end:]
