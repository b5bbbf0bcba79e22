"""A certificate authority that no machine trusts, and the servers and clients that it vouches for."""

import ssl
from functools import cache
from typing import Any, Final

import trustme

from proxy.core.events import Event
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.edge.upstream.tls import Tls, TlsConfig
from tests.support.wire import Wire

KEYS: Final = ("ca", "client_certificate", "client_key", "client_key_password")


def authority(name: str = "ours") -> trustme.CA:
    """Return the authority of that name; making one is slow."""
    return _authority(name)


@cache
def _authority(name: str) -> trustme.CA:
    return trustme.CA(organization_name=name)


def server(certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """Return a server's context; its certificate names localhost and 127.0.0.1 unless another is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (certificate or authority().issue_cert("localhost", "127.0.0.1")).configure_cert(context)
    return context


def authority_pem(name: str = "ours") -> str:
    """Return the certificate of an authority."""
    return authority(name).cert_pem.bytes().decode()


class Pems:
    """The files of a provider's `tls`, in memory: they can be replaced while they are in use.

    texts: by key of the section. events: what was told about them.
    """

    def __init__(self, **texts: str) -> None:
        self._slots = {key: SecretSlot(SecretRef("file", f"/{key}", document=True)) for key in KEYS}
        self.events: list[Event] = []
        self.named = list(texts)
        self.put(**texts)

    def put(self, **texts: str) -> None:
        """Replace files, all in one step."""
        for key, text in texts.items():
            self._slots[key].put(Secret(text))

    def config(self, **more: Any) -> TlsConfig:
        """Return the section that names the files."""
        return TlsConfig.model_validate({key: f"file:/{key}" for key in self.named} | more)

    def slots(self) -> dict[str, SecretSlot]:
        """Return the slots of the files that are named."""
        return {key: self._slots[key] for key in self.named}

    def tls(self, **more: Any) -> Tls:
        """Return what an engine is given."""
        return Tls(self.config(**more), ("acme", ""), lambda ref: self._slots[ref.name[1:]], self.events.append)


def trusting(name: str = "ours", **more: Any) -> Tls:
    """Return what an engine is given that trusts one of our authorities only."""
    return Pems(ca=authority_pem(name)).tls(**more)


def identity(name: str, issuer: str = "ours", **more: Any) -> tuple[str, str]:
    """Return a client's certificate with its chain, and its key, in PEM; `name` is its common name."""
    leaf = authority(issuer).issue_cert(common_name=name, **more)
    chain = "".join(pem.bytes().decode() for pem in leaf.cert_chain_pems)
    return chain, leaf.private_key_pem.bytes().decode()


def asking_server(certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """Return the context of a server that talks to those only whose certificate our authority has issued."""
    context = server(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    authority().configure_trust(context)
    return context


def peer_name(tls: ssl.SSLObject) -> str:
    """Return the common name of the client at the other end."""
    subject: Any = (tls.getpeercert() or {}).get("subject", ())
    return next((value for part in subject for key, value in part if key == "commonName"), "")


def client_names(wire: Wire) -> list[str]:
    """Return who was at the other end of each connection whose handshake is done."""
    done = [link for link in wire.links if hasattr(link, "writer")]
    return [peer_name(link.writer.get_extra_info("ssl_object")) for link in done]


def signed(name: str, **more: Any) -> Pems:
    """Return the files of a client that trusts our authority and has a certificate of it."""
    certificate, key = identity(name, **more)
    return Pems(ca=authority_pem(), client_certificate=certificate, client_key=key)


def only(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return the context, which speaks this version from now on."""
    context.minimum_version = context.maximum_version = version
    return context
