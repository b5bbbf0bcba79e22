"""Reads from a certificate its public key and its end (RFC 5280 section 4.1), and takes PEM apart (RFC 7468).

Only as much DER (X.690) as that needs. What is read here has been verified, or is the operator's own; a malformed one
is told by ValueError all the same.
"""

import binascii
import hashlib
import re
from base64 import b64encode
from datetime import UTC, datetime
from typing import Final

_BLOCK: Final = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----")
_VERSION: Final = 0xA0  # [0], absent in a certificate of version 1
_SHORT_YEAR: Final = 0x17  # UTCTime; the other is GeneralizedTime

Element = tuple[int, int, int]
"""Where an element begins, where its contents begin, and where both end."""


def certificates(pem: str) -> list[bytes]:
    """Return the certificates of a PEM text in DER, in their order; whatever else the text holds is passed over.

    Raises: ValueError when one of them is no base64.
    """
    try:
        return [binascii.a2b_base64(match[1]) for match in _BLOCK.finditer(pem)]
    except binascii.Error:
        raise ValueError("holds a certificate that is no base64") from None


def pin_of(certificate: bytes) -> str:
    """Return the pin of a certificate's key: `sha256/` and the base64 of its digest (RFC 7469 section 2.4).

    certificate: DER. The key is hashed as it stands there, its algorithm included (SubjectPublicKeyInfo).
    Raises: ValueError.
    """
    start, _, end = _fields(certificate)[5]
    return "sha256/" + b64encode(hashlib.sha256(certificate[start:end]).digest()).decode()


def ends_ts(certificate: bytes) -> float:
    """Return the last instant at which a certificate (DER) is valid, in unix seconds.

    Raises: ValueError.
    """
    times = _children(certificate, _fields(certificate)[3])
    if len(times) != 2:
        raise ValueError("not a certificate: its validity has no two ends")
    start, contents, end = times[1]
    text = certificate[contents:end].decode("ascii", "replace")
    if certificate[start] == _SHORT_YEAR:
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _fields(certificate: bytes) -> list[Element]:
    """Return serial, signature, issuer, validity, subject, key and what follows."""
    signed = _children(certificate, _element(certificate, 0, len(certificate)))[:1]
    fields = [one for part in signed for one in _children(certificate, part)]
    if fields and certificate[fields[0][0]] == _VERSION:
        fields = fields[1:]
    if len(fields) < 6:
        raise ValueError("not a certificate: fields are missing")
    return fields


def _children(data: bytes, around: Element) -> list[Element]:
    _, at, end = around
    found = []
    while at < end:
        found.append(_element(data, at, end))
        at = found[-1][2]
    return found


def _element(data: bytes, at: int, limit: int) -> Element:
    contents = at + 2
    size = data[at + 1] if contents <= limit else -1
    if size >= 0x80:  # the long form: so many bytes tell the size
        contents += size & 0x7F
        size = int.from_bytes(data[at + 2 : contents]) if contents - at <= 6 else -1
    if size < 0 or contents + size > limit:
        raise ValueError("not a certificate: an element does not end where it should")
    return at, contents, contents + size
