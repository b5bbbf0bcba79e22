"""Twilio's SDK."""

from typing import Any, Final
from urllib.parse import parse_qs

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from tests.sdk.ground import Ground, Grounds, says
from tests.sdk.known import ACCOUNT_SID
from tests.support.wire import Wire

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


def client_of(ground: Ground) -> Any:
    return ground.client(Client=Client)


def page(sids: list[str], **meta: str | None) -> dict[str, object]:
    services = [{"sid": sid, "account_sid": ACCOUNT_SID} for sid in sids]
    return {"services": services, "meta": {"key": "services", "page": 0, "page_size": 1, **meta}}


def test_pages_of_another_product_lead_back_through_its_entry(ground: Grounds, wire: Wire) -> None:
    verify = ground("twilio-other")  # each product has a host of its own, and so an entry
    following = f"{wire.url}/v2/Services?PageSize=1&Page=1&PageToken=two"
    verify.play(says(page(["VA1"], next_page_url=following)), says(page(["VA2"], next_page_url=None)))
    client = Client("ACplaceholder", "placeholder")
    client.verify.base_url = verify.base
    assert [service.sid for service in client.verify.v2.services.list(page_size=1)] == ["VA1", "VA2"]
    assert verify.lines == ["GET /v2/Services?PageSize=1", "GET /v2/Services?PageSize=1&Page=1&PageToken=two"]


def test_a_subaccount_keeps_its_place_in_the_path(twilio: Ground) -> None:
    twilio.play(says(MESSAGE))
    client_of(twilio).api.v2010.accounts("ACsub").messages("SM1").fetch()
    assert twilio.lines == ["GET /2010-04-01/Accounts/ACsub/Messages/SM1.json"]


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


def test_the_sidecar_changes_credential_and_account_alone(twilio: Ground) -> None:
    def send(way: Ground) -> None:
        client_of(way).messages.create(to="+15005550006", from_="+15005550001", body="Grüße")

    twilio.compare(send, says(MESSAGE, 201))
