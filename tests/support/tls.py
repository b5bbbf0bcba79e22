"""A certificate authority that no machine trusts, and servers that it vouches for."""

import ssl
from functools import cache

import trustme


@cache
def authority(name: str = "ours") -> trustme.CA:
    """Return the authority of that name; making one is slow."""
    return trustme.CA(organization_name=name)


def server(certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """Return a server's context; its certificate names localhost and 127.0.0.1 unless another is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (certificate or authority().issue_cert("localhost", "127.0.0.1")).configure_cert(context)
    return context
