"""Which provider a request is for: by path prefix, by host name, or by the port it came in on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from proxy.core.call import Handler
from proxy.core.errors import BadRequest, MisdirectedHost, UnknownProvider
from proxy.core.profile import Profile
from proxy.edge.listener.rewrite import Rewriter
from proxy.sansio.hosts import HostRule, try_host
from proxy.sansio.paths import has_dot_segment

_NAMED_BY_HOST: Final = ".localhost"


@dataclass(frozen=True, slots=True)
class Route:
    """A provider as the listener sees it.

    handler: the top of its stack. restart_trace: whether the caller's trace ids stay inside.
    request_id: the provider's own header for the id of a call, in lower case. stop: the name of the header that keeps
    its SDKs from retrying, in lower case, and the line that does. rewriter: leads its URLs back, None to leave them.
    accounts: names that `Tidegate-Account` may choose. needs_account: whether it has to.
    """

    name: str
    handler: Handler
    profile: Profile
    restart_trace: bool
    request_id: bytes | None = None
    stop: tuple[bytes, bytes] | None = None
    rewriter: Rewriter | None = None
    accounts: tuple[str, ...] = ()
    needs_account: bool = False


def stop_line(profile: Profile) -> tuple[bytes, bytes] | None:
    """Return what `Route.stop` says of this provider."""
    name = profile.should_retry
    return None if name is None else (name.encode(), b"%b: false\r\n" % name.title().encode())


class Routes:
    """The table of providers, replaced as a whole on reload.

    only: the one provider of a listener of its own; then neither prefix nor host name is looked at.
    """

    def __init__(self, table: Callable[[], Mapping[str, Route]], hosts: HostRule, only: str | None = None) -> None:
        self._table = table
        self._hosts = hosts
        self._only = only

    def find(self, host: bytes | None, raw_path: str) -> tuple[Route, str]:
        """Return the route and the target that goes to the provider, byte for byte as received.

        host: the Host value, None when absent (HTTP/1.0). raw_path: path and query as on the wire.
        Raises: BadRequest, MisdirectedHost, UnknownProvider.
        """
        if raw_path[:1] != "/" or "#" in raw_path:
            raise BadRequest("the request target must be a path; absolute and authority forms are not served here")
        if host is not None and not self._hosts.admits(host):
            raise MisdirectedHost("this Host is not served here; call 127.0.0.1, localhost or add it to egress.hosts")
        table = self._table()
        route, target = self._by_host(table, host, raw_path) or self._by_prefix(table, raw_path)
        if not route.profile.dot_segments and has_dot_segment(target):
            raise BadRequest("the path holds a dot segment; this provider's profile does not allow them")
        return route, target

    def _by_host(self, table: Mapping[str, Route], host: bytes | None, path: str) -> tuple[Route, str] | None:
        if self._only is not None:
            return self._existing(table, self._only), path
        if host is None or b".localhost" not in host.lower():
            return None
        name = (try_host(host) or "").removesuffix(_NAMED_BY_HOST)
        return self._existing(table, name), path

    def _by_prefix(self, table: Mapping[str, Route], path: str) -> tuple[Route, str]:
        name, slash, rest = path[1:].partition("/")
        if slash and "?" not in name:
            return self._existing(table, name), slash + rest
        name, mark, query = path[1:].partition("?")  # /stripe and /stripe?next=/x name stripe and its root
        return self._existing(table, name), "/" + mark + query

    @staticmethod
    def _existing(table: Mapping[str, Route], name: str) -> Route:
        route = table.get(name)
        if route is None:
            known = ", ".join(sorted(table))
            raise UnknownProvider(f"no provider of that name is configured; configured are: {known}")
        return route
