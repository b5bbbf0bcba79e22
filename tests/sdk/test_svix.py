"""Svix's SDK."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from svix.api import ApplicationCreateOptions, ApplicationIn, MessageIn, Svix, SvixOptions
from svix.exceptions import HttpError

from tests.sdk.ground import Ground, Grounds, only, says, sent_json

pytestmark = pytest.mark.sdk

TIMES: Final = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}
APPLICATION: Final = {"id": "app_1", "uid": "acme", "name": "Acme", "metadata": {}, **TIMES}
MESSAGE: Final = {
    "id": "msg_1", "eventType": "tide.high", "payload": {"pier": "Ä"}, "timestamp": "2026-01-01T00:00:00Z",
}  # fmt: skip


@pytest.fixture
def svix(ground: Grounds) -> Ground:
    return ground("svix")


@contextmanager
def client_of(ground: Ground) -> Iterator[Svix]:
    client = ground.client(Svix=Svix, SvixOptions=SvixOptions)
    with client._httpx_client:  # the SDK itself never closes it
        yield client


def test_an_application_is_read(svix: Ground) -> None:
    svix.play(says(APPLICATION))
    with client_of(svix) as client:
        assert client.application.get("acme").id == "app_1"
    assert svix.lines == ["GET /api/v1/app/acme"]


def test_a_message_is_sent_under_the_key_that_the_sdk_made(svix: Ground) -> None:
    svix.play(says(MESSAGE, 202))
    message = MessageIn(event_type="tide.high", payload={"pier": "Ä"})
    with client_of(svix) as client:
        assert client.message.create("acme", message).id == "msg_1"
    assert svix.lines == ["POST /api/v1/app/acme/msg?with_content=false"]
    assert sent_json(svix.requests[0]) == {"eventType": "tide.high", "payload": {"pier": "Ä"}}
    assert only(svix.requests[0].head, b"idempotency-key").startswith(b"auto_")


def test_an_error_is_the_providers_own(svix: Ground) -> None:
    svix.play(says({"code": "not_found", "detail": "Entity not found"}, 404))
    with client_of(svix) as client, pytest.raises(HttpError) as caught:
        client.application.get("nobody")
    assert (caught.value.code, caught.value.status_code) == ("not_found", 404)


def test_a_throttled_message_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    svix = ground("svix-busy")
    svix.play(says({"code": "rate_limit", "detail": "slow down"}, 429, "Retry-After: 120"))
    seen = []
    with client_of(svix) as client:
        for _ in range(2):
            with pytest.raises(HttpError) as caught:
                client.application.create(ApplicationIn(name="Acme"))
            seen.append(caught.value.status_code)
    assert seen == [429, 503]
    assert len(svix.requests) == 1


def test_the_sidecar_changes_the_credential_alone(svix: Ground) -> None:
    key = ApplicationCreateOptions(idempotency_key="one")

    def create(way: Ground) -> None:
        with client_of(way) as client:
            client.application.create(ApplicationIn(name="Grüße"), key)

    svix.compare(create, says(APPLICATION, 201), varying=(b"svix-req-id",))
