"""PayPal's SDK, which fetches a token of its own and gets a placeholder."""

from typing import Any

import pytest
from paypalserversdk.configuration import Configuration, Environment, Server
from paypalserversdk.exceptions.api_exception import ApiException
from paypalserversdk.exceptions.error_exception import ErrorException
from paypalserversdk.http.auth.o_auth_2 import ClientCredentialsAuthCredentials
from paypalserversdk.models.o_auth_token import OAuthToken
from paypalserversdk.paypal_serversdk_client import PaypalServersdkClient

from tests.sdk.ground import Ground, Grounds, only, says, sent_json
from tests.support.wire import Wire

pytestmark = pytest.mark.sdk

ORDER = {
    "intent": "CAPTURE",
    "purchase_units": [{"amount": {"currency_code": "EUR", "value": "12.50"}, "description": "Fähre"}],
}


def orders_of(ground: Ground, token: OAuthToken | None = None) -> Any:
    ground.client(Configuration=Configuration, Environment=Environment, Server=Server)
    credentials = ClientCredentialsAuthCredentials("placeholder", "placeholder", token)
    client = PaypalServersdkClient(environment=Environment.PRODUCTION, client_credentials_auth_credentials=credentials)
    return client.orders


def test_an_order_is_read_with_a_token_that_the_sdk_never_sees(ground: Grounds) -> None:
    paypal = ground("paypal")
    paypal.play(says({"id": "5O1", "status": "CREATED"}))
    assert orders_of(paypal).get_order({"id": "5O1"}).body.status == "CREATED"
    assert paypal.lines == ["GET /v2/checkout/orders/5O1"]
    assert b"POST /paypal/v1/oauth2/token" in paypal.tap.sent


def test_an_order_is_made_under_a_key_that_is_minted(ground: Grounds) -> None:
    paypal = ground("paypal")
    paypal.play(says({"id": "5O1", "status": "CREATED"}, 201))
    made = orders_of(paypal).create_order({"body": ORDER, "prefer": "return=minimal"})
    assert (made.status_code, made.body.id) == (201, "5O1")
    assert sent_json(paypal.requests[0]) == ORDER
    key = only(paypal.requests[0].head, b"paypal-request-id").decode()
    assert made.headers["Tidegate-Idempotency-Key"] == key


def test_links_to_the_api_lead_back_here_and_those_for_the_payer_do_not(ground: Grounds, wire: Wire) -> None:
    paypal = ground("paypal")
    payer = "https://www.paypal.com/checkoutnow?token=5O1"
    links = [{"href": f"{wire.url}/v2/checkout/orders/5O1", "rel": "self"}, {"href": payer, "rel": "approve"}]
    paypal.play(says({"id": "5O1", "links": links}))
    order = orders_of(paypal).get_order({"id": "5O1"}).body
    assert [link.href for link in order.links] == [f"{paypal.base}/v2/checkout/orders/5O1", payer]


def test_paypal_sees_the_request_that_it_would_see_without_the_sidecar(ground: Grounds) -> None:
    def call(way: Ground) -> None:
        orders = orders_of(way, OAuthToken(access_token="placeholder", token_type="Bearer"))  # fetches none
        orders.create_order({"body": ORDER, "paypal_request_id": "k1", "prefer": "return=minimal"})

    ground("paypal").compare(call, says({"id": "5O1"}, 201))


def test_an_error_is_the_providers_own(ground: Grounds) -> None:
    paypal = ground("paypal")
    captured = {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": "ORDER_ALREADY_CAPTURED"}], "debug_id": "d1"}
    paypal.play(says(captured, 422))
    with pytest.raises(ErrorException) as caught:
        orders_of(paypal).capture_order({"id": "5O1", "prefer": "return=minimal"})
    assert (caught.value.response_code, caught.value.details[0].issue) == (422, "ORDER_ALREADY_CAPTURED")


def test_a_throttled_read_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    paypal = ground("paypal-busy")
    paypal.play(says({"name": "RATE_LIMIT_REACHED"}, 429, "Retry-After: 120"))
    orders = orders_of(paypal)
    seen = []
    for _ in range(2):
        with pytest.raises(ApiException) as caught:
            orders.get_order({"id": "5O1"})
        seen.append(caught.value.response_code)
    assert (seen, len(paypal.requests)) == ([429, 503], 1)
