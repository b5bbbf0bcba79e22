"""A page tells whoever wants to use a provider all that there is to know, and shows no value twice."""

import re
from pathlib import Path

import pytest

from proxy.config import catalogue
from proxy.core.errors import ConfigError
from proxy.pages import page
from proxy.presets import Presets

ACME = """\
base_url: https://api.acme.example
credential: {scheme: header, name: X-Acme, value: [env:ACME_NEW, file:/etc/acme-old]}
rate_limit: {limits: [5/1s], max_wait: 1s, unhinted_pause: 0s}
retry: off
profile:
  title: Acme
  docs: https://docs.acme.example
  exhausted: [{status: 403, field: error.code, matches: quota.*}]
  failed: [{status: 200, body: "<error>"}]
  resets: [{header: x-reset, unit: epoch_ms, when_zero: x-left}]
  renewal: utc_day
  strip_query: [key]
  token_path: /token
  version: {header: x-version, value: "7"}
  webhook: {scheme: acme, header: x-sign, timestamp: x-time, tolerance: 60, dedupe: id}
  sdk: {node: 'new Acme("{base}")', env: "ACME_URL={base}", placeholder: ak_placeholder, tested: {node: acme 1.2}}
  unverified: [Nobody knows.]
"""


@pytest.fixture
def acme(tmp_path: Path) -> str:
    (tmp_path / "acme.yaml").write_text(ACME)
    return page("acme", Presets(tmp_path))


def section(text: str, title: str) -> str:
    """Return a section in one line, blanks pressed."""
    found = re.search(rf"^{title}\n(.*?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return "" if found is None else " ".join(found[1].split())


@pytest.mark.parametrize("name", catalogue())
def test_every_preset_has_a_page_with_its_name_its_address_and_what_is_sent_again(name: str) -> None:
    text = page(name)
    assert text.startswith(f"{name}: ")
    assert section(text, "Address")
    assert section(text, "Sent again")
    assert "{base}" not in text


def test_what_to_write_is_what_is_missing() -> None:
    assert section(page("stripe"), "What to write").startswith("providers: stripe: {} and set STRIPE_SECRET_KEY;")
    assert section(page("aws-s3"), "What to write").startswith("providers: aws-s3: {vars: {region: ...}} and set AWS_")


def test_a_provider_that_can_not_be_served_says_why_and_not_what_to_write() -> None:
    text = page("apns")
    assert "HTTP/2" in text.split("\n\n")[0]
    assert section(text, "What to write") == ""


def test_the_credential_is_told_with_its_keys_and_its_places() -> None:
    text = section(page("stripe"), "Credential")
    assert text == "scheme bearer token env:STRIPE_SECRET_KEY goes to header Authorization"
    assert section(page("mock"), "Credential") == "none what callers send is not touched"


def test_two_live_secrets_are_both_told(acme: str) -> None:
    assert "value env:ACME_NEW, file:/etc/acme-old" in section(acme, "Credential")
    assert "and set ACME_NEW, file:/etc/acme-old;" in section(acme, "What to write")


def test_what_is_taken_from_callers_and_answered_in_the_providers_place_is_told(acme: str) -> None:
    text = section(acme, "Credential")
    assert "taken out besides the usual: query key" in text
    assert "callers of /token get a placeholder" in text


def test_limits_are_those_set_and_those_published(acme: str) -> None:
    text = section(page("stripe"), "Limits")
    assert text.startswith("set here 100/1s; every attempt counts; waits 2s at most published 100/1s: an account")
    text = section(acme, "Limits")
    assert "waits told by x-reset (unix milliseconds, when x-left is 0)" in text
    assert text.endswith("renewed at midnight UTC")
    assert "otherwise" not in text


def test_a_post_is_sent_again_with_its_key_or_when_it_only_reads(acme: str) -> None:
    text = section(page("stripe"), "Sent again")
    assert "with a key POST with header idempotency-key; tidegate makes one where the caller sent none" in text
    assert "SDK is told stripe-should-retry: false" in text
    text = section(page("square"), "Sent again")
    assert "with body field idempotency_key" in text
    assert re.search(r"only reads \d+ paths such as POST /v2/", text)
    assert "with a key" not in section(page("twilio"), "Sent again")
    assert section(acme, "Sent again") == "never retry is off"


def test_answers_are_told_where_they_mean_more_than_their_status(acme: str) -> None:
    assert "429; 400 with error.code = rate_limit" in section(page("stripe"), "Answers")
    assert section(acme, "Answers") == (
        "exhausted the quota is used up, hold all calls: 403 with error.code like /quota.*/"
        " failed the provider's failure, as is any 5xx: 200 with /<error>/ in its body"
    )
    assert section(page("mock"), "Answers") == ""


def test_a_webhook_is_told_with_where_its_signature_stands(acme: str) -> None:
    expected = "scheme acme signature header x-sign time header x-time, 60 s old at most event known by id"
    assert section(acme, "Webhooks") == expected
    assert "time 300 s old at most" in section(page("stripe"), "Webhooks")


def test_sdk_lines_can_be_copied_and_say_what_was_tested(acme: str) -> None:
    assert '    new Acme("http://127.0.0.1:4780/acme")' in acme.splitlines()
    assert "node (tested: acme 1.2)" in section(acme, "SDKs")
    assert section(acme, "SDKs").endswith("ACME_URL=http://127.0.0.1:4780/acme instead of the secret ak_placeholder")


def test_hosts_are_told_by_name_and_of_many_the_names() -> None:
    assert "host: sandbox https://api-m.sandbox.paypal.com" in section(page("paypal"), "Address")
    assert "host one of accounts, bulkexports" in section(page("twilio"), "Address")


def test_what_is_not_verified_is_said(acme: str) -> None:
    assert section(acme, "Not verified") == "- Nobody knows."


def test_a_page_of_a_broken_preset_is_its_problems(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text("base_url: ftp://x\n")
    with pytest.raises(ConfigError) as caught:
        page("acme", Presets(tmp_path))
    assert caught.value.problems[0].startswith(f"{tmp_path}/acme.yaml:1: base_url: not a base URL")
