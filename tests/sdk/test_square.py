"""Square's SDK."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import httpx
import pytest
from square import Square
from square.core.api_error import ApiError

from tests.sdk.ground import Ground, Grounds, says, sent_json

pytestmark = pytest.mark.sdk

PAYMENT: Final = {"payment": {"id": "pay_1", "status": "COMPLETED"}}
MONEY: Final[Any] = {"amount": 500, "currency": "EUR"}
PICTURE: Final = bytes(range(256)) * 100


@contextmanager
def client_of(ground: Ground) -> Iterator[Square]:
    with httpx.Client() as http:  # the SDK never closes one of its own
        yield ground.client(Square=partial(Square, httpx_client=http))


def pay(ground: Ground) -> Any:
    with client_of(ground) as client:
        return client.payments.create(source_id="cnon:card", idempotency_key="k1", amount_money=MONEY, note="Fähre")


def test_pages_of_payments_are_read(ground: Grounds) -> None:
    square = ground("square")
    square.play(says({"payments": [{"id": "a"}], "cursor": "2&3"}), says({"payments": [{"id": "b"}]}))
    with client_of(square) as client:
        assert [payment.id for payment in client.payments.list(limit=1)] == ["a", "b"]
    assert square.lines == ["GET /v2/payments?limit=1", "GET /v2/payments?cursor=2%263&limit=1"]


def test_a_payment_is_made_under_the_key_of_the_caller(ground: Grounds) -> None:
    square = ground("square")
    square.play(says(PAYMENT))
    assert pay(square).payment.status == "COMPLETED"
    assert sent_json(square.requests[0]) == {
        "source_id": "cnon:card", "idempotency_key": "k1", "amount_money": MONEY, "note": "Fähre"
    }  # fmt: skip


def test_a_customer_is_made_under_a_key_that_is_minted(ground: Grounds) -> None:
    square = ground("square")
    square.play(says({"customer": {"id": "c1"}}))
    with client_of(square) as client:
        made = client.customers.with_raw_response.create(given_name="Käpten")
    key = made.headers["tidegate-idempotency-key"]
    assert sent_json(square.requests[0]) == {"idempotency_key": key, "given_name": "Käpten"}


def test_evidence_is_uploaded(ground: Grounds) -> None:
    square = ground("square")
    square.play(says({"evidence": {"id": "e1"}}))
    about: Any = {"idempotency_key": "k1", "evidence_type": "REBUTTAL_EXPLANATION"}
    with client_of(square) as client:
        client.disputes.create_evidence_file("d1", request=about, image_file=("a.png", PICTURE, "image/png"))
    assert square.lines == ["POST /v2/disputes/d1/evidence-files"]
    assert PICTURE in square.requests[0].body


def test_square_sees_the_request_that_it_would_see_without_the_sidecar(ground: Grounds) -> None:
    ground("square").compare(pay, says(PAYMENT))


def test_an_error_is_the_providers_own(ground: Grounds) -> None:
    square = ground("square")
    declined = {"errors": [{"category": "PAYMENT_METHOD_ERROR", "code": "CARD_DECLINED"}]}
    square.play(says(declined, 402))
    with pytest.raises(ApiError) as caught:
        pay(square)
    assert (caught.value.status_code, caught.value.body) == (402, declined)


def test_a_throttled_read_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    square = ground("square-busy")
    square.play(says({"errors": [{"category": "RATE_LIMIT_ERROR", "code": "RATE_LIMITED"}]}, 429, "Retry-After: 120"))
    seen = []
    with client_of(square) as client:
        for _ in range(2):
            with pytest.raises(ApiError) as caught:
                client.payments.get("pay_1", request_options={"max_retries": 0})
            seen.append(caught.value.status_code)
    assert (seen, len(square.requests)) == ([429, 503], 1)
