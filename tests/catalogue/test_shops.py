"""Shops: Shopify's Admin and Storefront API."""

import json

import pytest

from proxy.core.outcome import Outcome
from tests.support.presets import hidden, may_repeat, profile, provider, section, sent, verdict, wait_s
from tests.support.schemes import call_of


def errors(*codes: str) -> str:
    return json.dumps({"errors": [{"message": "No", "extensions": {"code": code}} for code in codes]})


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, '{"data":{"shop":{"name":"Throttled"}}}', Outcome.OK),
        (200, errors("THROTTLED"), Outcome.THROTTLED),
        (200, errors("OTHER", "THROTTLED"), Outcome.THROTTLED),
        (200, '{"errors":[{"message":"Throttled"}]}', Outcome.THROTTLED),
        (200, errors("INTERNAL_SERVER_ERROR"), Outcome.FAILED),
        (200, errors("MAX_COST_EXCEEDED"), Outcome.REFUSED),
        (200, errors("ACCESS_DENIED"), Outcome.REFUSED),
        (200, '{"data":{"x":{"userErrors":[{"message":"no"}]}}}', Outcome.OK),
        (429, "", Outcome.THROTTLED),
        (402, "", Outcome.REFUSED),
        (401, "", Outcome.UNAUTHORISED),
        (503, "", Outcome.FAILED),
    ],
)
def test_what_graphql_says_with_200_is_read_from_the_body(status: int, body: str, outcome: Outcome) -> None:
    assert verdict("shopify", status, body) is outcome


def test_the_wait_is_a_decimal_fraction_of_seconds() -> None:
    assert wait_s("shopify", {"Retry-After": "2.5"}) == 2.5
    assert section("shopify", "rate_limit").unhinted_pause == 1.0


@pytest.mark.parametrize("name", ["shopify", "shopify-storefront"])
def test_each_shop_has_its_own_host(name: str) -> None:
    assert str(provider(name).base_url) == "https://acme.myshopify.com"


@pytest.mark.parametrize(
    ("name", "header", "variable"),
    [
        ("shopify", b"X-Shopify-Access-Token", "SHOPIFY_ACCESS_TOKEN"),
        ("shopify-storefront", b"Shopify-Storefront-Private-Token", "SHOPIFY_STOREFRONT_TOKEN"),
    ],
)
def test_no_token_of_the_callers_is_left_whichever_api_it_is_for(name: str, header: bytes, variable: str) -> None:
    places = (b"x-shopify-access-token", b"Shopify-Storefront-Private-Token", b"X-Shopify-Storefront-Access-Token")
    call = call_of(b"/graphql.json", [(place, b"placeholder") for place in places], "POST")
    assert sent(name, call, {variable: "sk_test_example"}).headers == [(header, b"sk_test_example")]


def test_a_graphql_post_may_be_a_mutation_and_is_sent_once() -> None:
    assert not may_repeat("shopify", call_of(b"/admin/api/2026-07/graphql.json", method="POST"))


@pytest.mark.parametrize("kind", ["at", "ca", "pa", "ss"])
def test_a_token_is_known_by_its_shape(kind: str) -> None:
    assert hidden("shopify", "_".join((f"shp{kind}", "0a" * 16)))


def test_a_webhook_has_no_time_and_tells_deliveries_apart() -> None:
    webhook = profile("shopify").webhook
    assert webhook is not None
    assert (webhook.scheme, webhook.tolerance, webhook.dedupe) == ("shopify", None, "x-shopify-webhook-id")
