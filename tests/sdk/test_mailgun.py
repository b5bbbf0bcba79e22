"""Mailgun's SDK."""

from io import BytesIO
from typing import Any, Final

import pytest
from mailgun.client import Client
from mailgun.config import RetryPolicy

from tests.sdk.ground import Ground, Grounds, says
from tests.support.wire import Wire

pytestmark = pytest.mark.sdk

MAIL: Final = {"from": "harbour@example.com", "to": "captain@example.com", "subject": "Tide", "text": "High at 5 & 7"}
QUEUED: Final = {"id": "<1@example.com>", "message": "Queued. Thank you."}


@pytest.fixture
def mailgun(ground: Grounds) -> Ground:
    return ground("mailgun")


def client_of(ground: Ground) -> Any:
    return ground.client(Client=Client, RetryPolicy=RetryPolicy)


def test_domains_are_read(mailgun: Ground) -> None:
    mailgun.play(says({"items": [{"name": "example.com"}]}))
    assert client_of(mailgun).domains.get().json() == {"items": [{"name": "example.com"}]}
    assert mailgun.lines == ["GET /v3/domains"]


def test_a_mail_is_sent(mailgun: Ground) -> None:
    mailgun.play(says(QUEUED))
    assert client_of(mailgun).messages.create(data=MAIL, domain="example.com").json() == QUEUED
    assert mailgun.lines == ["POST /v3/example.com/messages"]
    assert b"subject=Tide" in mailgun.requests[0].body


def test_a_file_goes_with_a_mail(mailgun: Ground) -> None:
    mailgun.play(says(QUEUED))
    files = [("attachment", ("tide.bin", BytesIO(bytes(range(256)) * 400)))]
    client_of(mailgun).messages.create(data=MAIL, files=files, domain="example.com")
    assert bytes(range(256)) * 400 in mailgun.requests[0].body


def test_pages_lead_back_through_the_sidecar(mailgun: Ground, wire: Wire) -> None:
    paging = {"next": f"{wire.url}/v3/example.com/events/page-2", "first": "https://elsewhere.example.com/"}
    mailgun.play(says({"items": [], "paging": paging}))
    told = client_of(mailgun).events.get(domain="example.com").json()["paging"]
    assert told == {"next": f"{mailgun.base}/v3/example.com/events/page-2", "first": "https://elsewhere.example.com/"}


def test_an_error_is_the_providers_own(mailgun: Ground) -> None:
    mailgun.play(says({"message": "to parameter is not a valid address"}, 400))
    answer = client_of(mailgun).messages.create(data=MAIL, domain="example.com")
    assert (answer.status_code, answer.json()) == (400, {"message": "to parameter is not a valid address"})


def test_a_throttled_mail_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    mailgun = ground("mailgun-busy")
    mailgun.play(says({"message": "too many"}, 429, "Retry-After: 120"))
    client = client_of(mailgun)
    first, second = (client.messages.create(data=MAIL, domain="example.com") for _ in range(2))
    assert (first.status_code, first.headers["Retry-After"]) == (429, "120")
    assert (second.status_code, second.json()["reason"]) == (503, "provider_paused")
    assert len(mailgun.requests) == 1


def test_the_sidecar_changes_the_credential_alone(mailgun: Ground) -> None:
    mailgun.compare(lambda way: client_of(way).messages.create(data=MAIL, domain="example.com"), says(QUEUED))
