"""Leads a provider's URLs back through the sidecar, so that pagination does not walk around it; refuses those by which
the provider would have the caller call another one.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from proxy.core.call import Call, Reply, field_value
from proxy.core.errors import DestinationRefused
from proxy.core.profile import Urls
from proxy.edge.listener.kinds import kinds_with
from proxy.edge.prefixed import beginning_of
from proxy.edge.upstream.dial import Origin
from proxy.sansio.coding import decode
from proxy.sansio.hosts import Served
from proxy.sansio.json_fields import replace
from proxy.sansio.paths import has_dot_segment
from proxy.sansio.references import Reference, read, resolve
from proxy.sansio.templates import path_of

MOST_BYTES: Final = 1024 * 1024
"""The largest body that is looked into, with and without its content coding."""

WITHIN_S: Final = 10.0
"""The longest wait for a whole body; one that takes longer goes on as it is."""

_BODYLESS: Final = (204, 304)
_PARTIAL: Final = 206  # a piece of another body, whose length the caller knows already
_WATCHED: Final = frozenset((b"link", b"location", b"content-location"))  # clients follow these by themselves
# A quoted text, or a target. A quote that stays open takes the rest: to look for its end behind every `"` of 128 KiB
# would take minutes.
_IN_LINK: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?|<([^<>]*)(>?)')
_TARGET: Final = re.compile(rb"<([^<>]*)")
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"content-encoding"))
# They tell what the provider's bytes add up to, and an SDK that compares would refuse ours. An ETag stays: it goes
# back to the provider (RFC 9110 section 13), who knows no other.
_DIGESTS: Final = frozenset((b"content-md5", b"digest", b"content-digest", b"repr-digest", b"x-amz-crc32"))


@lru_cache(maxsize=256)
def base_of(host: bytes | None, prefix: str) -> str:
    """Return the address by which a caller reached a provider, "" for an HTTP/1.0 caller that named no host.

    host: an admitted Host value. prefix: the provider's name where it stood in the path, else "".
    """
    if host is None:
        return ""
    return f"http://{host.decode()}/{prefix}" if prefix else f"http://{host.decode()}"


@lru_cache(maxsize=256)
def _known_as(base: str) -> tuple[Reference, frozenset[int]]:
    """Return the caller's address for a provider, and the ports that its way of writing it may mean."""
    known = read(base.encode())
    if known is None:
        raise ValueError("the address by which a caller came is always one of http")
    # Without a port it may come over something that ends TLS.
    return known, frozenset((known.port, 443) if known.port == 80 else (known.port,))


class Rewriter:
    """Knows which URLs mean one provider: those of its origins, below their base path, and those of further hosts.

    kinds: what becomes of the header fields of its answers. fields: places in JSON bodies, none where URLs are to be
    left as they are.
    """

    def __init__(
        self,
        urls: Urls,
        origins: Mapping[str, Origin],
        conceal: Callable[[bytes], bytes] = bytes,
        served: Callable[[], Served] = Served,
        *,
        leads: bool = True,
    ) -> None:
        """Take what is known of the provider.

        origins: by account, "" for the provider's own. conceal: takes the credential out of a URL; providers repeat it
        in those of further pages, where the caller must not see it. served: this process's own addresses.
        leads: whether URLs are led back; where not, those that mislead are still refused.
        """
        names = frozenset(name.encode() for name in urls.headers)
        self.kinds = kinds_with(_WATCHED | names)
        self.fields = urls.fields if leads else ()
        self._led = names if leads else frozenset[bytes]()
        self._origins = origins
        self._conceal = conceal
        self._served = served
        known = list(origins.values())
        bases = sorted({origin.base_path for origin in known}, key=len, reverse=True)
        own = [_spellings(origin) for origin in known]
        own += [
            rb"(?i:(?:https?:)?//%b)%b" % (re.escape(host.encode()), re.escape(base))
            for host in urls.hosts
            for base in bases
        ]
        self._own = re.compile(rb"(?:%b)(?=[/?#]|\Z)" % b"|".join(own))
        hosts = {origin.host.encode() for origin in known} | {host.encode() for host in urls.hosts}
        self._mentioned = re.compile(b"|".join(map(re.escape, sorted(hosts))), re.IGNORECASE)

    def url(self, value: bytes, base: bytes) -> bytes | None:
        """Return the URL under `base` that leads to the same place, None when it is not this provider's.

        One with dot segments goes on leading past the sidecar.
        """
        found = self._own.match(value)
        if found is None:
            return None
        target = value[found.end() :]
        return self._conceal(value) if _may_leave(target) else base + self._conceal(target)

    def header(self, name: bytes, value: bytes, call: Call) -> bytes:
        """Return the value of a field that holds a URL, or of Link (RFC 8288), as the caller shall see it.

        Raises: DestinationRefused when it leads to another provider on the sidecar.
        """
        if not call.base:
            return value
        field = name.lower()
        leads = field in self._led
        if field != b"link":
            return self._reference(value, call, leads=leads)
        if value.lstrip()[:1] != b"<":
            self._watch(value.partition(b";")[0], call)

        def target(match: re.Match[bytes]) -> bytes:
            if match[1] is None or not match[2]:  # readers that are not strict find targets in there too
                for text in _TARGET.findall(match[0]):
                    self._watch(text, call)
                return match[0]
            return b"<%b>" % self._reference(match[1], call, leads=leads)

        return _IN_LINK.sub(target, value)

    def _watch(self, value: bytes, call: Call) -> None:
        reference = self._judged(value, call)
        if reference is not None and not reference.host and _strays(reference.rest, call):
            raise _refusal("in a place where it can't be led back")

    def _reference(self, value: bytes, call: Call, *, leads: bool) -> bytes:
        url = self.url(value, call.base.encode()) if leads else None
        if url is not None:
            return url
        reference = self._judged(value, call)
        if reference is None or reference.host:
            return value
        text = reference.rest
        if not (_strays(text, call) or (leads and text[:1] == b"/")):
            return value
        # On the sidecar the path would name another provider, or nothing (RFC 3986 section 4.2).
        origin = self._origins.get(call.account or "") or next(iter(self._origins.values()))
        path = resolve(origin.base_path + path_of(call.target), text)
        below = path.startswith(origin.base_path) and path[len(origin.base_path) :][:1] in (b"", b"/", b"?", b"#")
        if not leads or not below or _may_leave(path):
            root = b"%b://%b" % (origin.scheme.encode(), origin.authority)
            return root + (self._conceal(path) if leads else path)
        base = call.base.encode()
        target = self._conceal(path[len(origin.base_path) :])
        led_back = b"".join(b"/" + part for part in base.split(b"/")[3:]) + target
        # With the base path gone, `//x` would name a host, and an empty path the page that was asked for.
        return base + target if led_back[:2] in (b"//", b"/\\") or led_back[:1] != b"/" else led_back

    def _judged(self, value: bytes, call: Call) -> Reference | None:
        """Read a reference. Raises: DestinationRefused when it leads to this process, past the provider's own place."""
        try:
            reference = read(value)
        except ValueError as error:
            raise _refusal(f"that is {error}") from None
        if reference is None or not reference.host:
            return reference
        known, ports = _known_as(call.base)
        host, port, rest = reference
        if (host == known.host and port in ports) or self._served().includes(host, port, ports):
            below = rest.startswith(known.rest) and rest[len(known.rest) :][:1] in (b"", b"/", b"?", b"#")
            if host != known.host or port != known.port or not below or _may_leave(rest):
                raise _refusal("that leads to the sidecar itself, and from there to another provider")
        return reference

    def wants_body(self, call: Call, reply: Reply) -> bool:
        """Say whether the answer is JSON in which URLs are to be found; asked only where `fields` names places."""
        status = reply.status
        if not call.base or call.method == "HEAD" or status in _BODYLESS or status == _PARTIAL:
            return False
        content_type = field_value(reply.headers, b"content-type")
        if content_type is None or not _is_json(content_type[:100]):
            return False
        length = field_value(reply.headers, b"content-length")
        return length is None or not length.isdigit() or int(length[:20]) <= MOST_BYTES

    async def body(self, call: Call, reply: Reply) -> None:
        """Rewrite the URLs of a JSON body; one that is too large, too slow or no JSON goes on as it came."""
        data = await beginning_of(reply, MOST_BYTES, WITHIN_S)
        if reply.stream is not None or len(data) > MOST_BYTES:
            return
        plain = decode(data, field_value(reply.headers, b"content-encoding") or b"", MOST_BYTES)
        if plain is None or self._mentioned.search(plain) is None:
            return
        base = call.base.encode()

        def led_back(value: object) -> str | None:
            url = self.url(value.encode("utf-8", "surrogatepass"), base) if isinstance(value, str) else None
            return None if url is None else url.decode("utf-8", "surrogatepass")

        changed = replace(plain, self.fields, led_back)
        if changed is None or changed is plain:
            return
        gone = _FRAMING | _DIGESTS
        reply.headers = [pair for pair in reply.headers if pair[0].lower() not in gone]
        reply.headers.append((b"Content-Length", b"%d" % len(changed)))
        reply.body, reply.trailers = changed, []


def _strays(text: bytes, call: Call) -> bool:
    """Say whether a client that resolves a relative reference could come out beyond the caller's own base."""
    if text[:1] in (b"", b"?", b"#"):
        return False
    below_name = _known_as(call.base)[0].rest
    if below_name and (text[:1] == b"/" or path_of(call.target) == b"/"):  # it may have asked for /name, without /
        return True
    return _may_leave(text) or _may_leave(call.target)


def _refusal(why: str) -> DestinationRefused:
    return DestinationRefused(f"the provider's answer names a URL {why}; nothing of the answer is passed on")


def _may_leave(target: bytes) -> bool:
    """Say whether a client that resolves dot segments before it asks could come out at another provider's prefix."""
    return has_dot_segment(target.decode("latin-1"))


def _spellings(origin: Origin) -> bytes:
    scheme = origin.scheme.encode()
    port = b":%d" % origin.port
    if origin.port == (443 if origin.scheme == "https" else 80):
        port = b"(?:%b)?" % port
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return rb"(?i:(?:%b:)?//%b)%b%b" % (scheme, re.escape(host.encode()), port, re.escape(origin.base_path))


@lru_cache(maxsize=256)
def _is_json(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind in (b"application/json", b"text/json") or kind.endswith(b"+json") or b"/x-amz-json" in kind
