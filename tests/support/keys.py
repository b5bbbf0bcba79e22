"""Private keys for tests, made when they are needed: none lies in the repository."""

import functools

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@functools.cache
def rsa_key(which: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return an RSA key; another one for each number."""
    del which
    return rsa.generate_private_key(65537, bits)


@functools.cache
def ec_key(which: int = 0) -> ec.EllipticCurvePrivateKey:
    """Return a key on the curve P-256; another one for each number."""
    del which
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: PrivateKey) -> str:
    """Return a private key as the text of a PEM file."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: PrivateKey) -> str:
    """Return the public half in PEM form."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
