"""Warehouses and authorities: Snowflake and the Italian exchange of invoices."""

import jwt
import pytest

from proxy.core.outcome import Outcome
from tests.support.keys import pem, public_pem, rsa_key
from tests.support.presets import may_repeat, profile, provider, section, sent, verdict
from tests.support.schemes import call_of


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (202, Outcome.OK),
        (408, Outcome.REFUSED),
        (422, Outcome.REFUSED),
        (429, Outcome.THROTTLED),
        (401, Outcome.UNAUTHORISED),
        (503, Outcome.FAILED),
    ],
)
def test_snowflakes_answer_is_judged_by_its_status(status: int, outcome: Outcome) -> None:
    assert verdict("snowflake", status) is outcome


def test_a_statement_is_sent_once_because_its_id_alone_does_not_make_it_repeatable() -> None:
    assert not may_repeat("snowflake", call_of(b"/api/v2/statements?requestId=a", method="POST"))


def test_snowflake_lies_at_the_accounts_own_host_and_gets_time_for_a_statement() -> None:
    assert str(provider("snowflake").base_url) == "https://myorg-myaccount.snowflakecomputing.com"
    assert 45 < section("snowflake", "timeout").attempt < section("snowflake", "deadline").total


def test_snowflake_gets_a_token_of_the_users_key_pair() -> None:
    secrets = {"SNOWFLAKE_PRIVATE_KEY": pem(rsa_key()), "SNOWFLAKE_USER": "MYORG-MYACCOUNT.LOADER"}
    call = call_of(b"/api/v2/statements", [(b"Authorization", b"Bearer placeholder")], "POST")
    ((name, value),) = sent("snowflake", call, secrets).headers
    assert (name, value[:7]) == (b"Authorization", b"Bearer ")
    claims = jwt.decode(
        value[7:],
        public_pem(rsa_key()),
        algorithms=["RS256"],
        options={"verify_iat": False, "verify_exp": False},  # the test's clock is in the future
    )
    assert claims["sub"] == "MYORG-MYACCOUNT.LOADER"
    assert claims["iss"].startswith("MYORG-MYACCOUNT.LOADER.SHA256:")
    assert claims["exp"] - claims["iat"] <= 3600


def test_a_password_in_a_login_is_never_shown() -> None:
    assert "PASSWORD" in profile("snowflake").sensitive_fields


def test_the_exchange_of_invoices_needs_no_header_because_the_certificate_is_the_credential() -> None:
    assert section("sdi", "credential") is False
    assert str(provider("sdi").base_url) == "https://servizi.fatturapa.it"
    assert any("client_certificate" in note for note in profile("sdi").notes)


def test_an_invoice_is_sent_once() -> None:
    assert not may_repeat("sdi", call_of(b"/ricevi_file", method="POST"))
