import base64
import hashlib

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.core.errors import CredentialMissing
from proxy.credentials.assertions import Algorithm, Assertions
from tests.support.keys import PrivateKey, ec_key, pem, public_pem, rsa_key

WHERE = "file:/etc/creds/key"
ED25519 = ed25519.Ed25519PrivateKey.generate()
P384 = ec.generate_private_key(ec.SECP384R1())


def assertions(text: str, algorithm: Algorithm) -> Assertions:
    return Assertions(lambda: text, WHERE, algorithm)


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [("RS256", rsa_key()), ("PS256", rsa_key()), ("ES256", ec_key()), ("ES384", P384), ("EdDSA", ED25519)],
)
def test_what_is_signed_verifies_with_the_public_key(algorithm: Algorithm, key: PrivateKey) -> None:
    token = assertions(pem(key), algorithm).sign({"iss": "me", "n": 1}, "key-1")
    assert jwt.decode(token, public_pem(key), [algorithm]) == {"iss": "me", "n": 1}
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": "key-1"}


def test_without_a_key_id_the_header_has_none() -> None:
    assert "kid" not in jwt.get_unverified_header(assertions(pem(ec_key()), "ES256").sign({}))


@pytest.mark.parametrize(
    ("algorithm", "text"),
    [
        ("RS256", pem(ec_key())),
        ("ES256", pem(rsa_key())),
        ("ES256", pem(P384)),
        ("EdDSA", pem(ec_key())),
        ("RS256", pem(rsa_key(bits=1024))),
        ("RS256", public_pem(rsa_key())),
        ("RS256", "no key at all"),
        ("ES256", pem(ec_key())[:60]),
    ],
)
def test_a_key_that_can_not_sign_so_is_told_without_any_part_of_it(algorithm: Algorithm, text: str) -> None:
    with pytest.raises(CredentialMissing) as caught:
        assertions(text, algorithm).sign({})
    said = str(caught.value)
    assert WHERE in said
    assert algorithm in said
    assert not [line for line in text.splitlines() if len(line) > 4 and line in said]
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_key_that_was_replaced_signs_from_then_on() -> None:
    texts = [pem(ec_key(1))]
    signer = Assertions(lambda: texts[-1], WHERE, "ES256")
    assert jwt.decode(signer.sign({"n": 1}), public_pem(ec_key(1)), ["ES256"]) == {"n": 1}
    texts.append(pem(ec_key(2)))
    assert jwt.decode(signer.sign({"n": 2}), public_pem(ec_key(2)), ["ES256"]) == {"n": 2}


def test_the_fingerprint_is_the_hash_of_the_public_key() -> None:
    der = rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    expected = "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()
    assert assertions(pem(rsa_key()), "RS256").fingerprint() == expected
