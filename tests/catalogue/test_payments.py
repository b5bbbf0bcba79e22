"""Payments: Stripe, PayPal and Square."""

import orjson
import pytest

from proxy.core.call import Call, WholeBody
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.sansio.idempotency import IdempotencyKeys
from tests.support.presets import hidden, may_repeat, profile, provider, section, verdict, wait_s
from tests.support.schemes import call_of
from tests.support.script import WALL

KEY = "0f8fad5b-d9cb-469f-a165-70867728950e"
JSON = [(b"Content-Type", b"application/json")]


def post(path: str, body: bytes = b"{}", *headers: tuple[bytes, bytes]) -> Call:
    return call_of(path.encode(), [*JSON, *headers], "POST", WholeBody(body))


def minted(name: str, call: Call) -> bool:
    """Put a key into the call as the idempotency policy does; whether the provider would heed it."""
    chosen: Profile = profile(name)
    keys = IdempotencyKeys(chosen)
    return chosen.idempotency.mint and keys.takes_key(call) and bool(keys.put(call, KEY)) and keys.is_keyed(call)


@pytest.mark.parametrize(
    ("name", "status", "body", "outcome"),
    [
        ("stripe", 429, '{"error":{"type":"invalid_request_error","code":"lock_timeout"}}', Outcome.THROTTLED),
        ("stripe", 400, '{"error":{"code":"rate_limit"}}', Outcome.THROTTLED),
        ("stripe", 400, '{"error":{"code":"parameter_missing"}}', Outcome.REFUSED),
        ("stripe", 402, '{"error":{"type":"card_error","code":"card_declined"}}', Outcome.REFUSED),
        ("stripe", 409, '{"error":{"type":"idempotency_error"}}', Outcome.REFUSED),
        ("stripe", 401, '{"error":{"type":"authentication_error"}}', Outcome.UNAUTHORISED),
        ("stripe", 500, '{"error":{"type":"api_error"}}', Outcome.FAILED),
        ("paypal", 429, '{"name":"RATE_LIMIT_REACHED"}', Outcome.THROTTLED),
        ("paypal", 422, '{"name":"UNPROCESSABLE_ENTITY"}', Outcome.REFUSED),
        ("paypal", 408, "", Outcome.FAILED),
        ("paypal", 503, '{"name":"INTERNAL_SERVER_ERROR"}', Outcome.FAILED),
        ("square", 429, '{"errors":[{"category":"RATE_LIMIT_ERROR","code":"RATE_LIMITED"}]}', Outcome.THROTTLED),
        ("square", 408, "", Outcome.FAILED),
        ("square", 409, "", Outcome.REFUSED),
        ("square", 400, '{"errors":[{"code":"IDEMPOTENCY_KEY_REUSED"}]}', Outcome.REFUSED),
        ("square", 402, '{"errors":[{"category":"PAYMENT_METHOD_ERROR"}]}', Outcome.REFUSED),
    ],
)
def test_an_answer_is_judged_as_documented(name: str, status: int, body: str, outcome: Outcome) -> None:
    assert verdict(name, status, body) is outcome


def test_stripe_says_itself_what_may_be_retried() -> None:
    assert profile("stripe").should_retry == "stripe-should-retry"


def test_stripe_is_limited_as_published_and_not_paused_for_a_429_of_one_endpoint() -> None:
    chosen = section("stripe", "rate_limit")
    assert [str(limit) for limit in chosen.limits] == ["100/1s"]
    assert chosen.unhinted_pause == 0.0


@pytest.mark.parametrize("name", ["stripe", "paypal"])
def test_a_payment_with_a_key_in_the_header_may_be_sent_again(name: str) -> None:
    header = (profile(name).idempotency.header or "").encode()
    path = {"stripe": "/v1/charges", "paypal": "/v2/checkout/orders"}[name]
    assert not may_repeat(name, post(path))
    assert may_repeat(name, post(path, b"{}", (header, b"order-1")))


def test_a_payment_at_square_with_a_key_in_its_body_may_be_sent_again() -> None:
    assert not may_repeat("square", post("/v2/payments", b'{"amount_money":{"amount":100}}'))
    assert may_repeat("square", post("/v2/payments", b'{"idempotency_key":"order-1"}'))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("stripe", "/v1/charges"),
        ("stripe", "/v2/core/event_destinations"),
        ("paypal", "/v2/checkout/orders"),
        ("paypal", "/v2/checkout/orders/5O190127TN364715T/capture"),
        ("paypal", "/v2/payments/captures/2GG279541U471931P/refund"),
        ("paypal", "/v3/vault/setup-tokens"),
        ("square", "/v2/payments"),
        ("square", "/v2/refunds"),
        ("square", "/v2/orders/CAISENgvlJ6jLWAzERDzjyHVybY/pay"),
    ],
)
def test_a_key_is_made_for_an_operation_that_takes_one(name: str, path: str) -> None:
    assert minted(name, post(path))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("paypal", "/v1/billing/subscriptions/I-BW452GLLEP1G/cancel"),
        ("paypal", "/v2/checkout/orders/5O190127TN364715T/track"),
        ("square", "/v2/customers/search"),
        ("square", "/v2/payments/GQTFp1ZlXdpoW4o6eGiZhbjosiDFf/cancel"),
    ],
)
def test_no_key_is_made_for_an_operation_that_knows_none(name: str, path: str) -> None:
    call = post(path)
    assert not minted(name, call)
    assert call.body.whole == b"{}"
    assert call.headers == JSON


def test_squares_key_stands_in_the_body_and_is_short_enough() -> None:
    call = post("/v2/payments", b'{"source_id":"cnon:card-nonce-ok"}')
    assert minted("square", call)
    body = orjson.loads(call.body.whole or b"")
    assert body == {"idempotency_key": KEY, "source_id": "cnon:card-nonce-ok"}
    assert len(KEY) <= 45


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("square", "/v2/orders/search"),
        ("square", "/v2/catalog/batch-retrieve"),
        ("paypal", "/v1/notifications/verify-webhook-signature"),
    ],
)
def test_a_post_that_only_looks_may_be_sent_again(name: str, path: str) -> None:
    assert may_repeat(name, post(path))


def test_squares_reset_is_a_unix_time() -> None:
    assert wait_s("square", {"x-ratelimit-reset": str(int(WALL) + 7)}) == 7.0
    assert wait_s("square", {"retry-after": "3"}) == 3.0


@pytest.mark.parametrize(
    ("name", "host"),
    [("paypal", "https://api-m.sandbox.paypal.com"), ("square", "https://connect.squareupsandbox.com")],
)
def test_the_sandbox_is_another_host(name: str, host: str) -> None:
    assert profile(name).hosts["sandbox"] == host
    assert str(provider(name).base_url) != host


def test_paypal_fetches_its_token_from_the_host_in_use_and_answers_the_sdks_own_request() -> None:
    credential = section("paypal", "credential")
    assert credential.token_url == "https://api-m.paypal.com/v1/oauth2/token"
    assert (credential.grant, credential.client_auth) == ("client_credentials", "basic")
    assert profile("paypal").token_path == "/v1/oauth2/token"


def test_paypals_links_lead_back() -> None:
    assert "links[].href" in profile("paypal").urls.fields


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stripe", "_".join(("sk", "test", "x" * 24))),
        ("stripe", "_".join(("rk", "live", "x" * 24))),
        ("stripe", "_".join(("whsec", "x" * 32))),
        ("paypal", "".join(("A21", "AA", "x" * 90))),
        ("square", "".join(("EA", "AA", "x" * 60))),
        ("square", "-".join(("sq0" + "csp", "x" * 43))),
        ("square", "-".join(("sq0" + "atp", "x" * 22))),
    ],
)
def test_the_shape_of_a_secret_is_known_wherever_it_stands(name: str, text: str) -> None:
    assert hidden(name, text)


@pytest.mark.parametrize(
    ("name", "scheme", "header", "dedupe"),
    [
        ("stripe", "stripe", "stripe-signature", "id"),
        ("paypal", "paypal", "paypal-transmission-sig", "id"),
        ("square", "square", "x-square-hmacsha256-signature", "event_id"),
    ],
)
def test_events_are_signed(name: str, scheme: str, header: str, dedupe: str) -> None:
    webhook = profile(name).webhook
    assert webhook is not None
    assert (webhook.scheme, webhook.header, webhook.dedupe) == (scheme, header, dedupe)
    assert webhook.tolerance == (300 if name == "stripe" else None)
