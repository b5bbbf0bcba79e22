"""JSON Web Tokens signed with the user's private key (RFC 7519), by PyJWT and cryptography."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Final, Literal

from proxy.core.errors import CredentialMissing

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""How a token is signed with a private key (RFC 7518 section 3.1, RFC 8037)."""

Claims = Mapping[str, object]

_SHORTEST_RSA: Final = 2048  # bits; RFC 7518 section 3.3


def require_libraries() -> None:
    """Raise ValueError when the libraries are absent; they are loaded with the first token, and not before."""
    if find_spec("jwt") is None or find_spec("cryptography") is None:
        raise ValueError("signing tokens needs PyJWT and cryptography: pip install 'tidegate[jwt]'")


class Assertions:
    """Signs claims with one private key, which is parsed again only when it changes.

    read_pem: gives the key's PEM text. where: its reference, for messages.
    """

    def __init__(self, read_pem: Callable[[], str], where: str, algorithm: Algorithm) -> None:
        self._read_pem = read_pem
        self._where = where
        self._algorithm = algorithm
        self._pem = ""
        self._key: Any = None

    def sign(self, claims: Claims, key_id: str | None = None) -> str:
        """Return the token in compact form. Raises: CredentialMissing for a key that is absent or can't do it."""
        return sign(self.key(), self._algorithm, claims, key_id)

    def key(self) -> Any:
        """Return the parsed private key. Raises: CredentialMissing."""
        pem = self._read_pem()
        if pem != self._pem:
            self._key = parse_key(pem, self._algorithm, self._where)
            self._pem = pem
        return self._key

    def fingerprint(self) -> str:
        """Return `SHA256:` and the base64 of the hash over the public key's DER form, as Snowflake names a key.

        Raises: CredentialMissing.
        """
        # Imported with the first token: cryptography takes tens of milliseconds and megabytes.
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - see above

        public: bytes = self.key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return "SHA256:" + b64encode(hashlib.sha256(public).digest()).decode()


def parse_key(pem: str, algorithm: Algorithm, where: str) -> Any:
    """Return the private key in a PEM text.

    where: its reference, for the message. Raises: CredentialMissing, with no part of the key.
    """
    from jwt.algorithms import get_default_algorithms  # noqa: PLC0415 - with the first token, see fingerprint
    from jwt.exceptions import InvalidKeyError  # noqa: PLC0415 - as above

    try:
        key: Any = get_default_algorithms()[algorithm].prepare_key(pem)
        usable = hasattr(key, "sign") and getattr(key, "key_size", _SHORTEST_RSA) >= (
            _SHORTEST_RSA if algorithm[:2] in ("RS", "PS") else 0
        )
    except (InvalidKeyError, ValueError, TypeError):  # their texts are about the key, and may show of it
        usable, key = False, None
    if not usable:
        kind = "EC" if algorithm.startswith("ES") else "Ed25519" if algorithm == "EdDSA" else "RSA (2048 bits or more)"
        todo = f"put an unencrypted {kind} key in PEM form there"
        raise CredentialMissing(f"the secret {where} is no private key for {algorithm}: {todo}")
    return key


def sign(key: Any, algorithm: Algorithm, claims: Claims, key_id: str | None) -> str:
    """Return the claims as a signed token. key_id: goes into its header as `kid`."""
    from jwt import encode  # noqa: PLC0415 - with the first token, see Assertions.fingerprint

    headers = None if key_id is None else {"kid": key_id}
    return encode(dict(claims), key, algorithm, headers)
