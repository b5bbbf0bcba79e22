"""The catalogue is shown as a table, and each preset on a page of its own."""

import pytest

from proxy.config import catalogue
from proxy.listing import page, table


def test_the_table_has_one_line_per_preset_with_address_and_limits() -> None:
    head, *lines = table().splitlines()
    assert head.split() == ["NAME", "PROVIDER", "ADDRESS", "CREDENTIAL", "LIMITS"]
    assert [line.split()[0] for line in lines] == list(catalogue())
    stripe = next(line for line in lines if line.startswith("stripe "))
    assert stripe.split() == ["stripe", "Stripe", "https://api.stripe.com", "bearer", "100/1s"]


@pytest.mark.parametrize("name", catalogue())
def test_every_preset_has_a_page_that_ends_with_what_to_write(name: str) -> None:
    lines = page(name).splitlines()
    assert lines[0].startswith(f"{name}: ")
    assert lines[-1].strip() == f"{name}: {{}}"


def test_a_page_tells_credential_limits_and_retries() -> None:
    text = page("stripe")
    assert "{scheme: bearer, token: env:STRIPE_SECRET_KEY}, sent as header Authorization" in text
    assert "100/1s" in text
    assert "POST with the header idempotency-key" in text


def test_a_provider_without_idempotency_key_says_what_that_means() -> None:
    assert "all else only if nothing was sent" in page("twilio")


def test_the_sdk_lines_hold_the_address_on_the_sidecar() -> None:
    text = page("stripe")
    assert "http://127.0.0.1:4780/stripe" in text
    assert "{base}" not in text
