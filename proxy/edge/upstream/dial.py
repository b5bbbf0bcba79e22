"""Dial a provider: resolve, check every address, connect to the very address that was checked, verify TLS."""

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiohappyeyeballs

from proxy.core.call import Call
from proxy.core.errors import (
    BulkheadFull,
    ConnectFailed,
    ConnectTimeout,
    DeadlineExceeded,
    DestinationRefused,
    ResolveFailed,
    TlsFailed,
)
from proxy.core.record import Record
from proxy.edge.upstream.http1 import Connection
from proxy.edge.upstream.resolve import AddrInfo, Resolver
from proxy.edge.upstream.tls import Tls, TlsConfig
from proxy.sansio.addresses import is_public

HAPPY_EYEBALLS_DELAY_S: Final = 0.25  # RFC 8305 section 5

# This machine's own shortage must neither open the provider's breaker nor spend its error budget.
_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})
_SHORT: Final = "raise the limit of open files, or lower egress.max_connections and pool.max_connections"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a provider is: the only place its credential may go.

    base_path: prepended to every target, without a final slash. allow_private: the operator said that the host
    name may mean an address that is not public.
    """

    scheme: str
    host: str
    port: int
    base_path: bytes = b""
    allow_private: bool = False

    @property
    def authority(self) -> bytes:
        """The Host value: the port only when it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return (host if self.port == default else f"{host}:{self.port}").encode()

    @property
    def any_address(self) -> bool:
        """Whether addresses that are not public may be dialled: the operator allowed them, or named one."""
        if self.allow_private or self.host == "localhost":
            return True
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True


class Dialler:
    """Makes connections to one origin."""

    def __init__(self, origin: Origin, now: Callable[[], float], tls: Tls | None = None) -> None:
        self._origin = origin
        self._now = now
        self._resolver = Resolver(origin.host, origin.port, now)
        self._tls = tls or Tls(TlsConfig()) if origin.scheme == "https" else None

    async def dial(self, connection: Connection, call: Call) -> None:
        """Connect `connection` in the time that the call has, so that it is ready for its first exchange.

        The phases go into the call's record.
        Raises: ResolveFailed, DestinationRefused, ConnectFailed, TlsFailed, BulkheadFull where no further
        file can be opened here, CredentialMissing where TLS needs a file
        that was never there; ConnectTimeout, or DeadlineExceeded where the caller's deadline came first, which is no
        fault of the provider's.
        """
        begun_at = self._now()
        until = min(begun_at + call.connect_s, call.attempt_until, call.deadline_at)
        within_s = until - begun_at
        try:
            async with asyncio.timeout(within_s if within_s != float("inf") else None):
                await self._dial(connection, call.record)
        except TimeoutError:
            host = self._origin.host
            if until == call.deadline_at:
                raise DeadlineExceeded(f"the call's deadline passed before {host} was connected") from None
            raise ConnectTimeout(f"no connection to {host} within {within_s:g} s") from None

    async def _dial(self, connection: Connection, record: Record) -> None:
        origin, begun_at = self._origin, self._now()
        addresses = await self._resolve()
        resolved_at = self._now()
        record.dns_s = resolved_at - begun_at
        sock = await self._connect(addresses)
        connected_at = self._now()
        record.connect_s = connected_at - resolved_at
        connection.watch(sock.fileno())
        tls = self._tls
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport, _ = await asyncio.get_running_loop().create_connection(
                lambda: connection,
                sock=sock,
                ssl=tls.require() if tls else None,
                server_hostname=origin.host if tls else None,
            )
        except ssl.SSLCertVerificationError as error:
            raise TlsFailed(f"the certificate of {origin.host} was refused: {error.verify_message}") from None
        except (ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", None) or error.strerror or "the connection ended in the handshake"
            raise TlsFailed(f"TLS with {origin.host} failed: {reason}") from None
        except BaseException:
            sock.close()
            raise
        if tls is not None:
            record.tls_s = self._now() - connected_at
            tls.accept(transport.get_extra_info("ssl_object"), origin.host)

    async def _resolve(self) -> list[AddrInfo]:
        origin = self._origin
        try:
            found = await self._resolver.resolve()
        except OSError as error:
            raise ResolveFailed(f"{origin.host} could not be resolved: {error.strerror or error}") from None
        allowed = [info for info in found if origin.any_address or is_public(str(info[4][0]))]
        if not allowed:
            raise DestinationRefused(
                f"{origin.host} resolves to a private, loopback, link-local or metadata address; "
                "if that is meant, write allow_private: true for this provider"
            )
        return allowed

    async def _connect(self, addresses: list[AddrInfo]) -> socket.socket:
        try:
            return await aiohappyeyeballs.start_connection(
                addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY_S, interleave=1
            )
        except OSError as error:
            if error.errno in _NO_FILES:
                raise BulkheadFull(f"{error.strerror}; {_SHORT}", retry_after_s=1.0) from None
            origin = self._origin
            text = f"{origin.host}:{origin.port} could not be reached: {error.strerror or error}"
            raise ConnectFailed(text) from None
