"""Slack's SDK for incoming webhooks, whose address is the secret."""

from typing import Any, Final

import pytest
from slack_sdk.webhook import WebhookClient

from tests.sdk.ground import Ground, Grounds, sent_json
from tests.sdk.known import SECRETS
from tests.support.wire import reply

pytestmark = pytest.mark.sdk

OK: Final = reply(200, b"ok", b"Content-Type: text/html")


@pytest.fixture
def hook(ground: Grounds) -> Ground:
    return ground("slack-webhooks")


def client_of(ground: Ground) -> Any:
    client = ground.client(WebhookClient=WebhookClient)
    assert isinstance(client, WebhookClient)
    return client


def test_a_message_is_posted_to_the_secret_path(hook: Ground) -> None:
    hook.play(OK)
    answer = client_of(hook).send(text="High tide 🌊")
    assert (answer.status_code, answer.body) == (200, "ok")
    assert hook.lines == [f"POST /services/{SECRETS['SLACK_WEBHOOK_PATH']}"]
    assert sent_json(hook.requests[0]) == {"text": "High tide 🌊"}


def test_an_error_is_the_providers_own(hook: Ground) -> None:
    hook.play(reply(404, b"no_service"))
    answer = client_of(hook).send(text="x")
    assert (answer.status_code, answer.body) == (404, "no_service")


def test_a_throttled_message_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    hook = ground("slack-webhooks-busy")
    hook.play(reply(429, b"rate_limited", b"Retry-After: 120"))
    client = client_of(hook)
    first, second = client.send(text="x"), client.send(text="x")
    assert (first.status_code, first.body) == (429, "rate_limited")
    assert second.status_code == 503
    assert len(hook.requests) == 1


def test_the_sidecar_changes_the_path_alone(hook: Ground) -> None:
    hook.compare(lambda way: client_of(way).send(text="High tide"), OK)
