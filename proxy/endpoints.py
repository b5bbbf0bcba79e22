"""Other addresses of a provider that tidegate calls by itself, such as its token endpoint."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from proxy.addresses import parse_base_url
from proxy.core.call import Call, Handler, Policy, Reply, field_value
from proxy.core.errors import TidegateError
from proxy.core.events import CallEnded, Event
from proxy.core.profile import Profile
from proxy.core.runtime import Runtime
from proxy.core.units import is_loopback
from proxy.edge.upstream.dial import Origin
from proxy.edge.upstream.engine import Engine
from proxy.edge.upstream.pool import PoolConfig
from proxy.edge.upstream.tls import Tls
from proxy.sansio.classify import Classifier
from proxy.settings import Leg
from proxy.stack import PER_ENDPOINT, build, take_over

_SECTIONS: Final[dict[str, Any]] = {policy.section: policy.Config for policy in PER_ENDPOINT}
_POOL: Final = PoolConfig(max_connections=16, max_idle=1)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One such address at work: its retry, breaker and timeout, and its connections."""

    url: str
    profile: Profile
    handler: Handler
    layers: list[Policy]
    engine: Engine

    def snapshot(self, at: float) -> dict[str, object]:
        """Tell the live state of every layer, then of the connections."""
        return {**{layer.section: layer.snapshot(at) for layer in self.layers}, "upstream": self.engine.snapshot()}


class Endpoints:
    """The endpoints of one leg; what asks for the same address and profile shares one.

    They show in logs and metrics as a provider of their own: `NAME/token`, a further one as `NAME/token-2`.
    tls: makes what the leg's own TLS is like; it holds for endpoints on the same host.
    """

    def __init__(self, config: Leg, tls: Callable[[], Tls | None]) -> None:
        self._config = config
        self._tls = tls
        self.known: list[Endpoint] = []

    def open(self, url: str, profile: Profile, runtime: Runtime) -> Handler:
        """Return the handler for an endpoint. The same destinations are allowed as for the provider itself.

        url: scheme, host, port and path prefix. profile: judges its answers. runtime: the leg's own.
        Raises: ValueError for an address that is not allowed.
        """
        for one in self.known:
            if (one.url, one.profile) == (url, profile):
                return one.handler
        config, base = self._config, parse_base_url(url)
        if base.scheme != "https" and not is_loopback(base.host) and not config.allow_cleartext:
            raise ValueError("sends secrets in the clear; write https://, or allow_cleartext: true")
        origin = Origin(base.scheme, base.host, base.port, base.prefix.encode(), config.allow_private)
        tls = self._tls() if base.host == config.base_url.host else None
        engine = Engine(origin, _POOL, Classifier(profile), runtime.now, tls)
        name = f"{runtime.provider}/{self._key(len(self.known))}"
        own = replace(runtime, provider=name, profile=profile, authority=origin.authority, base_path=origin.base_path)
        top, layers = build(lambda section: _SECTIONS[section](), own, engine, PER_ENDPOINT)
        handler = told(top, name, runtime.now, runtime.emit)
        self.known.append(Endpoint(url, profile, handler, layers, engine))
        return handler

    def adopt(self, old: "Endpoints") -> None:
        """Go on with what the old layers knew about the same addresses."""
        for one in self.known:
            for before in old.known:
                if before.url == one.url:
                    take_over(one.layers, before.layers)

    @property
    def keys(self) -> list[str]:
        """The names after the provider's: `token`, `token-2`."""
        return [self._key(place) for place in range(len(self.known))]

    def snapshots(self, at: float) -> dict[str, dict[str, object]]:
        """Tell the live state by key."""
        return {key: one.snapshot(at) for key, one in zip(self.keys, self.known, strict=True)}

    def close(self) -> None:
        """Close free connections now, busy ones after their exchange."""
        for one in self.known:
            one.engine.close()

    @staticmethod
    def _key(place: int) -> str:
        return "token" if place == 0 else f"token-{place + 1}"


def told(inner: Handler, name: str, now: Callable[[], float], emit: Callable[[Event], None]) -> Handler:
    """Return a handler that does what the listener does for the service: it frames the body and tells the end."""

    async def handler(call: Call) -> Reply:
        if call.body.whole and field_value(call.headers, b"content-length") is None:
            call.headers = [*call.headers, (b"Content-Length", b"%d" % len(call.body.whole))]
        try:
            reply = await inner(call)
        except TidegateError as error:
            emit(CallEnded(name, call, Reply(error.status, b"", [], b""), error.source, error.reason, now()))
            raise
        emit(CallEnded(name, call, reply, "provider", "", now()))
        return reply

    return handler
