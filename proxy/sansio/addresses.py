"""Decides whether an address may be dialled for a public host name (SSRF and DNS rebinding, CWE-918)."""

import ipaddress
from typing import Final

_REFUSED: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, cloud metadata among them
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",  # reserved, broadcast among them
        "::/96",  # unspecified, loopback, and IPv4-compatible: an IPv4 address inside (RFC 4291 section 2.5.5.1)
        "::ffff:0:0/96",  # IPv4-mapped: dialled as IPv4, so it could name any address above
        "64:ff9b::/96",  # NAT64, 6to4 and Teredo carry an IPv4 address inside
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/32",
        "2001:db8::/32",
        "2002::/16",
        "fc00::/7",  # unique local, the AWS metadata address fd00:ec2::254 among them
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)


def is_public(address: str) -> bool:
    """Say whether `address` (numeric, as a resolver returns it) is a public unicast one.

    Ranges follow the IANA special-purpose registries (RFC 6890). Anything that is no address is not public.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return not any(parsed.version == network.version and parsed in network for network in _REFUSED)
