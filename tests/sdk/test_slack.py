"""Slack's SDK."""

from typing import Final

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tests.sdk.ground import Ground, Grounds, says, sent_json

pytestmark = pytest.mark.sdk

POSTED: Final = {"ok": True, "channel": "C1", "ts": "1.2", "message": {"text": "High tide 🌊"}}


@pytest.fixture
def slack(ground: Grounds) -> Ground:
    return ground("slack")


def client_of(ground: Ground) -> WebClient:
    client: WebClient = ground.client(WebClient=WebClient)
    return client


def test_channels_are_read(slack: Ground) -> None:
    slack.play(says({"ok": True, "channels": [{"id": "C1"}]}))
    assert client_of(slack).conversations_list(limit=1)["channels"] == [{"id": "C1"}]
    assert slack.lines == ["POST /api/conversations.list"]
    assert slack.requests[0].body == b"limit=1"


def test_a_message_is_posted(slack: Ground) -> None:
    slack.play(says(POSTED))
    posted = client_of(slack).chat_postMessage(channel="C1", text="High tide 🌊")
    assert posted["message"] == {"text": "High tide 🌊"}
    assert slack.lines == ["POST /api/chat.postMessage"]
    assert sent_json(slack.requests[0]) == {"channel": "C1", "text": "High tide 🌊"}


def test_an_error_inside_a_200_is_the_providers_own(slack: Ground) -> None:
    slack.play(says({"ok": False, "error": "channel_not_found"}))
    with pytest.raises(SlackApiError) as caught:
        client_of(slack).chat_postMessage(channel="C9", text="x")
    assert caught.value.response["error"] == "channel_not_found"


def test_a_throttled_message_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    slack = ground("slack-busy")
    slack.play(says({"ok": False, "error": "ratelimited"}, 429, "Retry-After: 120"))
    client = client_of(slack)
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="C1", text="x")
    with pytest.raises(SlackApiError) as held:
        client.chat_postMessage(channel="C1", text="x")
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "120")
    assert (held.value.response.status_code, held.value.response["reason"]) == (503, "provider_paused")
    assert len(slack.requests) == 1


def test_a_token_that_was_revoked_is_told(ground: Grounds) -> None:
    slack = ground("slack-other")
    slack.play(says({"ok": False, "error": "token_revoked"}))
    with pytest.raises(SlackApiError) as caught:
        client_of(slack).auth_test()
    assert caught.value.response["error"] == "token_revoked"


def test_the_sidecar_changes_the_credential_alone(slack: Ground) -> None:
    slack.compare(lambda way: client_of(way).chat_postMessage(channel="C1", text="High tide 🌊"), says(POSTED))
