import base64
import datetime as dt
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from proxy.sansio.x509 import certificates, ends_ts, pin_of
from tests.support.tls import authority, identity


def issued(not_after: dt.datetime) -> bytes:
    long_ago = dt.datetime(1950, 1, 1, tzinfo=dt.UTC)
    return certificates(identity("svc", not_before=long_ago, not_after=not_after)[0])[0]


def test_the_pin_is_the_digest_of_the_public_key_as_it_stands_in_the_certificate() -> None:
    for pem in (authority().cert_pem.bytes().decode(), identity("svc")[0]):
        der = certificates(pem)[0]
        key = x509.load_der_x509_certificate(der).public_key()
        told = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        assert pin_of(der) == f"sha256/{base64.b64encode(told).decode()}"


@pytest.mark.parametrize("year", [1951, 1999, 2001, 2049, 2050, 2999])
def test_the_end_is_read_in_either_form_of_a_date(year: int) -> None:
    end = dt.datetime(year, 2, 28, 23, 59, 58, tzinfo=dt.UTC)
    assert ends_ts(issued(end)) == end.timestamp()


def test_all_certificates_of_a_text_are_found_whatever_stands_between_them() -> None:
    first, second = authority("one").cert_pem.bytes().decode(), authority("two").cert_pem.bytes().decode()
    found = certificates(f"# Autorité\n{first}{identity('svc')[1]}\r\n{second}".replace("\n", "\r\n"))
    assert [pin_of(der) for der in found] == [pin_of(certificates(pem)[0]) for pem in (first, second)]


def test_a_text_without_certificates_has_none() -> None:
    assert certificates(identity("svc")[1]) == []


def test_a_certificate_that_is_no_base64_is_told() -> None:
    with pytest.raises(ValueError, match="no base64"):
        certificates("-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----")


@given(at=st.integers(0, 10_000), put=st.binary(min_size=1, max_size=4), cut=st.booleans())
def test_a_damaged_certificate_is_read_or_refused_and_nothing_else(at: int, put: bytes, *, cut: bool) -> None:
    der = certificates(authority().cert_pem.bytes().decode())[0]
    at %= len(der)
    damaged = der[:at] if cut else der[:at] + put + der[at + len(put) :]
    for read in (pin_of, ends_ts):
        try:
            read(damaged)
        except ValueError:
            continue


@given(st.binary(max_size=64))
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever way it is wrong
        pin_of(data)
