"""Stripe's SDK, against localstripe where that knows enough, and against a script where it does not."""

import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import stripe
from stripe import StripeClient

from tests.sdk.ground import Ground, Grounds, only, says
from tests.sdk.known import SECRETS
from tests.support.rules import ROOT
from tests.support.sidecar import Sidecar
from tests.support.tap import Tap

pytestmark = pytest.mark.sdk

CUSTOMER = {"id": "cus_1", "object": "customer", "email": "captain@example.com"}
LOCKED = {"error": {"type": "invalid_request_error", "code": "lock_timeout", "message": "the object is locked"}}
LIMITED = {"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "too many requests"}}


@pytest.fixture(scope="module")
def local() -> Iterator[Tap]:
    """Give a tap in front of localstripe: between the sidecar and its provider."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.sdk.stripe_server"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with Tap(int(process.stdout.readline())) as tap:
            yield tap
        process.kill()


@pytest.fixture(scope="module")
def base(local: Tap, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the sidecar's address of the provider that localstripe plays."""
    folder: Path = tmp_path_factory.mktemp("stripe")
    entry = {"base_url": local.url, "credential": {"token": "env:STRIPE_SECRET_KEY"}}
    with Sidecar(folder, {"stripe": entry}, env=SECRETS) as sidecar:
        yield f"{sidecar.url}/stripe"


def test_customers_are_made_read_listed_and_deleted(local: Tap, base: str) -> None:
    client = StripeClient("sk_test_placeholder", base_addresses={"api": base})
    local.clear()
    made = client.v1.customers.create(params={"email": "captain@example.com", "name": "Grüße & Co"})
    assert client.v1.customers.retrieve(made.id).name == "Grüße & Co"
    assert [customer.id for customer in client.v1.customers.list().data] == [made.id]
    assert client.v1.customers.delete(made.id).deleted
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.customers.retrieve("cus_missing")
    assert caught.value.http_status == 404
    assert b"placeholder" not in local.sent
    assert local.sent.count(b"\r\nAuthorization: Bearer sk_test_example\r\n") == 5
    assert local.sent.lower().count(b"\r\nauthorization:") == 5
    assert b"sk_test_example" not in local.received


def test_an_error_is_the_providers_own_with_the_providers_id(ground: Grounds) -> None:
    provider = ground("stripe")
    declined = {"error": {"type": "card_error", "code": "card_declined", "message": "declined", "param": "source"}}
    provider.play(says(declined, 402, "Request-Id: req_of_stripe"))
    client: StripeClient = provider.client(StripeClient=StripeClient)
    with pytest.raises(stripe.CardError, match="declined") as caught:
        client.v1.charges.create(params={"amount": 500, "currency": "eur", "source": "tok_visa"})
    assert (caught.value.code, caught.value.request_id) == ("card_declined", "req_of_stripe")
    assert provider.requests[0].body == b"amount=500&currency=eur&source=tok_visa"


@pytest.mark.parametrize(
    "refusal", [says(LIMITED, 429), says(LOCKED, 409, "Stripe-Should-Retry: true"), says(LIMITED, 503)]
)
def test_a_write_is_repeated_under_one_key(ground: Grounds, refusal: bytes) -> None:
    provider = ground("stripe-quick")
    provider.play(refusal, says(CUSTOMER))
    client: StripeClient = provider.client(StripeClient=StripeClient)
    assert client.v1.customers.create(params={"email": "captain@example.com"}).id == "cus_1"
    first, second = provider.requests
    assert first.head == second.head
    assert first.body == second.body == b"email=captain%40example.com"
    assert only(first.head, b"idempotency-key")


def test_attempts_do_not_multiply(ground: Grounds) -> None:
    provider = ground("stripe-quick")
    provider.play(says({"error": {"message": "down"}}, 500))
    client: StripeClient = provider.client(StripeClient=StripeClient)
    with pytest.raises(stripe.APIError):
        client.v1.customers.create(params={"email": "captain@example.com"})
    assert len(provider.requests) == 3


def test_a_throttled_read_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    provider = ground("stripe-busy")
    provider.play(says(LIMITED, 429, "Retry-After: 120"))
    client: StripeClient = provider.client(StripeClient=StripeClient)
    with pytest.raises(stripe.RateLimitError) as caught:
        client.v1.customers.retrieve("cus_1")
    with pytest.raises(stripe.APIError) as held:
        client.v1.customers.retrieve("cus_1")
    assert caught.value.headers is not None
    assert caught.value.headers["Retry-After"] == "120"
    assert (held.value.http_status, len(provider.requests)) == (503, 1)


def test_a_file_is_uploaded(ground: Grounds) -> None:
    files = ground("stripe")  # files.stripe.com is a host of its own, and so an entry with `host: files`
    files.play(says({"id": "file_1", "object": "file"}))
    client = StripeClient("sk_test_placeholder", base_addresses={"files": files.base})
    content = bytes(range(256)) * 300
    assert client.v1.files.create(params={"purpose": "dispute_evidence", "file": BytesIO(content)}).id == "file_1"
    assert content in files.requests[0].body


def test_the_sidecar_changes_the_credential_alone(ground: Grounds) -> None:
    def create(way: Ground) -> None:
        client: StripeClient = way.client(StripeClient=StripeClient)
        client.v1.customers.create(params={"name": "Grüße & Co"}, options={"idempotency_key": "one"})

    ground("stripe").compare(create, says(CUSTOMER), varying=(b"x-stripe-client-telemetry",))
