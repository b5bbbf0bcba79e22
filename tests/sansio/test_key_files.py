import json
import secrets

import pytest

from proxy.sansio.key_files import secret_parts


def pem(label: str, lines: int = 3) -> tuple[str, list[str]]:
    """Return something in the shape of a PEM block, and its lines."""
    body = [secrets.token_urlsafe(48) for _ in range(lines)]
    return "\n".join([f"-----BEGIN {label}-----", *body, f"-----END {label}-----", ""]), body


@pytest.mark.parametrize("label", ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"])
def test_every_line_of_a_key_is_secret_and_so_is_the_whole(label: str) -> None:
    text, body = pem(label)
    assert list(secret_parts(text)) == [text, *body]


@pytest.mark.parametrize("label", ["CERTIFICATE", "PUBLIC KEY"])
def test_what_is_public_is_not_told_however_much_of_it_there_is(label: str) -> None:
    assert list(secret_parts(pem(label, 50)[0] * 20)) == []


def test_a_key_is_found_among_the_certificates_of_its_chain() -> None:
    (certificate, public), (key, body) = pem("CERTIFICATE"), pem("PRIVATE KEY")
    parts = set(secret_parts(certificate + key + certificate))
    assert set(body) <= parts
    assert not set(public) & parts


def test_the_strings_of_a_json_key_file_are_secret_but_not_its_addresses() -> None:
    key, body = pem("PRIVATE KEY")
    file = {
        "type": "service_account",
        "private_key_id": "0123456789abcdef0123",
        "private_key": key,
        "client_email": "robot@project.iam.example.com",
        "token_uri": "https://oauth2.example.com/token",
        "nested": [{"deep": "a made-up value of some length"}],
    }
    text = json.dumps(file, indent=2)
    parts = set(secret_parts(text))
    assert {text, key, *body, "0123456789abcdef0123", "a made-up value of some length"} <= parts
    assert not {"service_account", "robot@project.iam.example.com", "https://oauth2.example.com/token"} & parts


def test_a_document_that_nests_without_end_does_no_harm() -> None:
    assert list(secret_parts("[" * 100_000)) == ["[" * 100_000] * 2


def test_an_unfinished_block_is_secret_all_the_same() -> None:
    text, body = pem("PRIVATE KEY")
    assert body[0] in set(secret_parts(text[:-40]))
