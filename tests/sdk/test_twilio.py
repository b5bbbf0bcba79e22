"""Twilio's SDK."""

import os
from typing import Any, Final
from urllib.parse import parse_qs

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from tests.sdk.ground import ACCOUNT_SID, Ground, Grounds, says

pytestmark = pytest.mark.sdk

MESSAGE: Final = {
    "sid": "SM1", "account_sid": ACCOUNT_SID, "to": "+15005550006", "from": "+15005550001",
    "body": "High tide at 5 & 7", "status": "queued",
    "direction": "outbound-api", "num_segments": "1", "num_media": "0",
}  # fmt: skip
MESSAGES: Final = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages"


@pytest.fixture
def twilio(ground: Grounds) -> Ground:
    return ground("twilio")


@pytest.fixture(autouse=True)
def account_sid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the service know the account, as the catalogue's line asks."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT_SID)


def client_of(ground: Ground) -> Any:
    return ground.client(Client=Client, os=os)


def test_a_message_is_read(twilio: Ground) -> None:
    twilio.play(says(MESSAGE))
    assert client_of(twilio).messages("SM1").fetch().body == "High tide at 5 & 7"
    assert twilio.lines == [f"GET {MESSAGES}/SM1.json"]


def test_a_message_is_sent(twilio: Ground) -> None:
    twilio.play(says(MESSAGE, 201))
    sent = client_of(twilio).messages.create(to="+15005550006", from_="+15005550001", body="High tide at 5 & 7")
    assert sent.sid == "SM1"
    assert twilio.lines == [f"POST {MESSAGES}.json"]
    assert parse_qs(twilio.requests[0].body.decode()) == {
        "To": ["+15005550006"], "From": ["+15005550001"], "Body": ["High tide at 5 & 7"],
    }  # fmt: skip


def test_an_error_is_the_providers_own(twilio: Ground) -> None:
    twilio.play(says({"code": 21211, "message": "Invalid 'To' number", "status": 400, "more_info": ""}, 400))
    with pytest.raises(TwilioRestException, match="Invalid 'To' number") as caught:
        client_of(twilio).messages.create(to="1", from_="+15005550001", body="x")
    assert (caught.value.status, caught.value.code) == (400, 21211)


def test_a_throttled_message_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    twilio = ground("twilio-busy")
    twilio.play(says({"code": 20429, "message": "Too Many Requests", "status": 429}, 429, "Retry-After: 120"))
    client = client_of(twilio)
    seen = []
    for _ in range(2):
        with pytest.raises(TwilioRestException) as caught:
            client.messages.create(to="+15005550006", from_="+15005550001", body="x")
        seen.append((caught.value.status, caught.value.code))
    assert seen == [(429, 20429), (503, 503)]
    assert len(twilio.requests) == 1
