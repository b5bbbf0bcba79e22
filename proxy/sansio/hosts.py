"""Which Host header a loopback listener serves: the answer to DNS rebinding."""

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

_PORT: Final = re.compile(r"[0-9]{1,5}")
# Underscores are no host name letters, yet container networks hand them out.
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_REMEMBERED: Final = 256
# What the URL Standard has clients read as an IPv4 address: 127.1, 0x7f.1, 2130706433.
_NUMERIC: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


class HostRule:
    """Decides whether a Host value names this listener.

    Address literals pass, because rebinding needs a name that the attacker's DNS answers for; of names only
    `localhost`, `*.localhost` (RFC 6761: never asked of a DNS server) and the configured ones pass.
    """

    def __init__(self, extra: Iterable[str] = ()) -> None:
        """Take the configured names, without ports; raises ValueError for one that is no host name."""
        self._names = {"localhost", *map(_configured, extra)}
        self._admitted: set[bytes | str] = set()

    def admits(self, host: bytes | str) -> bool:
        """Say whether the value of a Host field (RFC 9110 section 7.2) is served; never raises."""
        if host in self._admitted:
            return True
        name = try_host(host)
        admitted = name is not None and (name in self._names or name.endswith(".localhost") or _is_address(name))
        # Callers repeat a few values; a stranger can't fill the memory, because only admitted ones are kept.
        if admitted and len(self._admitted) < _REMEMBERED:
            self._admitted.add(host)
        return admitted


class Served:
    """Decides whether an authority leads to this process: any port of its listeners, any name that they serve.

    hosts: the configured names. ports: of all listeners.
    """

    def __init__(self, hosts: Iterable[str] = (), ports: Iterable[int] = ()) -> None:
        self._rule = HostRule(hosts)
        self._ports = frozenset(ports)

    def includes(self, host: str, port: int, more: frozenset[int]) -> bool:
        """Say whether it does. host: in lower case, without a final dot. more: further ports that count."""
        if port not in self._ports and port not in more:
            return False
        return _NUMERIC.fullmatch(host) is not None or self._rule.admits(host)


def try_host(value: bytes | str) -> str | None:
    """Read the host of a Host value: lower case, no port, no brackets, no final dot; None when malformed.

    Userinfo, an empty or impossible port, a zone id and every character outside the grammar make it malformed.
    """
    if not value.isascii():  # before lower(), which turns the Kelvin sign into a k
        return None
    text = (value.decode() if isinstance(value, bytes) else value).lower()
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or not _is_v6(host) or (rest and not rest.startswith(":")):
            return None
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
        host = host.removesuffix(".")
        if len(host) > 253 or not _NAME.fullmatch(host):
            return None
    if colon and not (_PORT.fullmatch(port) and int(port) <= 65535):
        return None
    return host


def _configured(name: str) -> str:
    host = try_host(name)
    if host is None or ":" in name:
        raise ValueError("not a host name; write it without scheme and port, such as tidegate.internal")
    return host


def _is_address(name: str) -> bool:
    try:
        IPv4Address(name)
    except AddressValueError:
        return _is_v6(name)
    return True


def _is_v6(text: str) -> bool:
    try:
        return IPv6Address(text).scope_id is None
    except AddressValueError:
        return False
