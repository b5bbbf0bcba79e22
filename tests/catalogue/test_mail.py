"""Mail and webhooks as a service: Mailgun and Svix."""

from base64 import b64encode

import pytest

from proxy.core.call import WholeBody
from proxy.core.outcome import Outcome
from tests.support.presets import hidden, may_repeat, profile, sent, verdict, wait_s
from tests.support.schemes import call_of


@pytest.mark.parametrize(
    ("name", "status", "outcome"),
    [
        ("mailgun", 429, Outcome.THROTTLED),
        ("mailgun", 402, Outcome.REFUSED),
        ("mailgun", 401, Outcome.UNAUTHORISED),
        ("mailgun", 502, Outcome.FAILED),
        ("svix", 429, Outcome.THROTTLED),
        ("svix", 409, Outcome.REFUSED),
        ("svix", 500, Outcome.FAILED),
    ],
)
def test_an_answer_is_judged_by_its_status(name: str, status: int, outcome: Outcome) -> None:
    assert verdict(name, status) is outcome


def test_mailgun_gets_its_key_as_the_password_of_the_user_api() -> None:
    call = call_of(b"/v3/example.com/messages", [(b"Authorization", b"Basic cGxhY2Vob2xkZXI=")], "POST")
    out = sent("mailgun", call, {"MAILGUN_API_KEY": "sk_test_example"})
    assert out.headers == [(b"Authorization", b"Basic " + b64encode(b"api:sk_test_example"))]


def test_a_mail_is_sent_once_even_with_the_header_that_the_sdk_puts_into_it() -> None:
    form = WholeBody(b"to=a%40example.com&h%3AX-Idempotency-Key=k")
    call = call_of(b"/v3/example.com/messages", [(b"Idempotency-Key", b"k")], "POST", form)
    assert not may_repeat("mailgun", call)


def test_mailguns_pages_lead_back_here_and_the_wait_is_told_in_seconds() -> None:
    assert "paging.next" in profile("mailgun").urls.fields
    assert wait_s("mailgun", {"Retry-After": "10"}) == 10.0
    assert profile("mailgun").hosts == {"eu": "https://api.eu.mailgun.net"}


def test_mailguns_signature_is_part_of_the_body() -> None:
    webhook = profile("mailgun").webhook
    assert webhook is not None
    assert (webhook.scheme, webhook.header, webhook.tolerance, webhook.dedupe) == (
        "mailgun",
        None,
        300,
        "event-data.id",
    )


def test_a_post_to_svix_gets_a_key_and_may_then_be_repeated() -> None:
    key = profile("svix").idempotency
    assert (key.header, key.mint, key.methods) == ("idempotency-key", True, ("POST",))
    assert may_repeat("svix", call_of(b"/api/v1/app/a/msg", [(b"idempotency-key", b"auto_1")], "POST"))
    assert not may_repeat("svix", call_of(b"/api/v1/app/a/msg", method="POST"))


@pytest.mark.parametrize("region", ["us", "eu", "in", "ca", "au"])
def test_svix_has_a_host_in_each_region(region: str) -> None:
    assert profile("svix").hosts[region] == f"https://api.{region}.svix.com"


def test_the_sdks_own_attempts_are_told_by_a_header() -> None:
    assert profile("svix").attempt_header == "svix-retry-count"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mailgun", "-".join(("key", "0a" * 16))),
        ("mailgun", "-".join(("0a" * 16, "0b" * 4, "0c" * 4))),
        ("svix", "_".join(("whsec", "x" * 32))),
        ("svix", "_".join(("whsk", "x" * 32))),
        ("svix", "_".join(("testsk", "x" * 32)) + ".eu"),
        ("svix", "_".join(("sk", "x" * 32)) + ".us"),
    ],
)
def test_a_secret_is_known_by_its_shape(name: str, text: str) -> None:
    assert hidden(name, text)
