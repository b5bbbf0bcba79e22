"""Analytics: Mixpanel's two presets."""

from base64 import b64encode
from urllib.parse import parse_qs, quote_plus

import pytest

from proxy.core.call import WholeBody
from proxy.core.outcome import Outcome
from tests.support.presets import may_repeat, profile, section, sent, verdict
from tests.support.schemes import call_of

FORM = [(b"Content-Type", b"application/x-www-form-urlencoded")]


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, '{"status":1,"error":null}', Outcome.OK),
        (200, '{"error":"token, missing or empty","status":0}', Outcome.REFUSED),
        (200, "0", Outcome.REFUSED),
        (200, "0\n", Outcome.REFUSED),
        (200, "1", Outcome.OK),
        (200, "10", Outcome.OK),
        (429, "", Outcome.THROTTLED),
        (500, "", Outcome.FAILED),
    ],
)
def test_a_message_that_mixpanel_refused_with_200_is_seen(status: int, body: str, outcome: Outcome) -> None:
    assert verdict("mixpanel", status, body) is outcome


@pytest.mark.parametrize(
    "json",
    [
        '{"event":"a","properties":{"token":"placeholder"}}',
        '[{"event":"a","properties":{"token":"placeholder"}},{"event":"b","properties":{"token":"placeholder"}}]',
        '{"$token":"placeholder","$set":{"name":"Ann"}}',
        '[{"$token":"placeholder","$set":{}}]',
    ],
)
def test_the_token_is_replaced_inside_the_json_of_the_form(json: str) -> None:
    form = WholeBody(f"data={quote_plus(json)}&verbose=1&ip=0".encode())
    out = sent("mixpanel", call_of(b"/track", FORM, "POST", form), {"MIXPANEL_TOKEN": "tok_test_example"})
    fields = parse_qs((out.body.whole or b"").decode())
    assert fields == {"data": [json.replace("placeholder", "tok_test_example")], "verbose": ["1"], "ip": ["0"]}


def test_a_token_in_a_json_body_is_replaced_and_every_other_byte_kept() -> None:
    before = b'[ {"event":"a", "properties":{"token":"placeholder","n":1.0e2}} ]'
    json = [(b"Content-Type", b"application/json")]
    out = sent("mixpanel", call_of(b"/track", json, "POST", WholeBody(before)), {"MIXPANEL_TOKEN": "tok_test_example"})
    assert out.body.whole == before.replace(b"placeholder", b"tok_test_example")


def test_a_service_account_imports_and_the_token_in_the_events_is_replaced_too() -> None:
    secrets = {
        "MIXPANEL_SERVICE_ACCOUNT": "svc",
        "MIXPANEL_SERVICE_SECRET": "sk_test_example",
        "MIXPANEL_TOKEN": "tok_test_example",
    }
    headers = [*FORM, (b"Authorization", b"Basic cDpw")]
    form = WholeBody(b"data=" + quote_plus('{"properties":{"token":"placeholder"}}').encode())
    out = sent("mixpanel-import", call_of(b"/import?project_id=1", headers, "POST", form), secrets)
    assert out.headers == [*FORM, (b"Authorization", b"Basic " + b64encode(b"svc:sk_test_example"))]
    assert parse_qs((out.body.whole or b"").decode())["data"] == ['{"properties":{"token":"tok_test_example"}}']


def test_a_batch_may_be_sent_again_because_each_event_must_have_an_id() -> None:
    assert may_repeat("mixpanel-import", call_of(b"/import?project_id=1&strict=1", method="POST"))
    assert not may_repeat("mixpanel", call_of(b"/track", method="POST"))


@pytest.mark.parametrize("name", ["mixpanel", "mixpanel-import"])
def test_a_429_without_a_time_pauses_for_two_seconds_and_the_eu_has_a_host(name: str) -> None:
    assert section(name, "rate_limit").unhinted_pause == 2.0
    assert profile(name).hosts == {"eu": "https://api-eu.mixpanel.com"}
