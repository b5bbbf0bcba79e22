"""Mixpanel's SDK, which puts the project's token into every event."""

from typing import Any, Final
from urllib.parse import parse_qs

import mixpanel
import orjson
import pytest
from mixpanel import BufferedConsumer, Consumer, Mixpanel, MixpanelException, ServiceAccountCredentials

from tests.sdk.ground import Ground, Grounds, says
from tests.sdk.known import SECRETS

pytestmark = pytest.mark.sdk

DONE: Final = says({"status": 1, "error": None})
FIXED: Final = {"time": 1_700_000_000, "$insert_id": "one"}  # else the SDK makes up others every time


@pytest.fixture
def events(ground: Grounds) -> Ground:
    return ground("mixpanel")


def client_of(ground: Ground) -> Any:
    return ground.client(Mixpanel=Mixpanel, Consumer=Consumer, ServiceAccountCredentials=ServiceAccountCredentials)


def data_of(body: bytes) -> Any:
    return orjson.loads(parse_qs(body.decode(), strict_parsing=True)["data"][0])


def test_an_event_carries_the_projects_token(events: Ground) -> None:
    events.play(DONE)
    client_of(events).track("captain", "High tide", {"pier": "Ä & B = 5 %", **FIXED})
    assert events.lines == ["POST /track"]
    sent = data_of(events.requests[0].body)
    assert sent["properties"] == {
        "token": SECRETS["MIXPANEL_TOKEN"], "distinct_id": "captain", "pier": "Ä & B = 5 %", "mp_lib": "python",
        "$lib_version": mixpanel.__version__, **FIXED,
    }  # fmt: skip


def test_a_profile_carries_it_as_well(events: Ground) -> None:
    events.play(DONE)
    client_of(events).people_set("captain", {"$name": "Ada"}, meta={"$time": 1})
    assert events.lines == ["POST /engage"]
    assert data_of(events.requests[0].body)["$token"] == SECRETS["MIXPANEL_TOKEN"]


def test_every_event_of_a_batch_carries_it(events: Ground) -> None:
    events.play(DONE)
    consumer = BufferedConsumer(events_url=f"{events.base}/track")
    client = Mixpanel("placeholder", consumer=consumer)
    for name in ("Ebb", "Flow"):
        client.track("captain", name)
    consumer.flush()
    assert [(one["event"], one["properties"]["token"]) for one in data_of(events.requests[0].body)] == [
        ("Ebb", SECRETS["MIXPANEL_TOKEN"]), ("Flow", SECRETS["MIXPANEL_TOKEN"]),
    ]  # fmt: skip


def test_old_events_are_imported_by_a_service_account(ground: Grounds) -> None:
    imports = ground("mixpanel-import")
    imports.play(DONE)
    client_of(imports).import_data("", "captain", "High tide", 1_700_000_000)
    assert imports.lines == ["POST /import?project_id=PROJECT_ID"]
    assert data_of(imports.requests[0].body)["properties"]["token"] == SECRETS["MIXPANEL_TOKEN"]


def test_an_error_inside_a_200_is_the_providers_own(events: Ground) -> None:
    events.play(says({"status": 0, "error": "token, missing or empty"}))
    with pytest.raises(MixpanelException, match="Mixpanel error: token, missing or empty"):
        client_of(events).track("captain", "High tide")


def test_a_throttled_event_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    events = ground("mixpanel-busy")
    events.play(says({"status": 0, "error": "too many"}, 429, "Retry-After: 120"))
    client = client_of(events)
    with pytest.raises(MixpanelException, match="too many"):
        client.track("captain", "High tide")
    with pytest.raises(MixpanelException, match="the provider asked for a pause"):
        client.track("captain", "High tide")
    assert len(events.requests) == 1


def test_the_sidecar_changes_the_token_alone(events: Ground) -> None:
    events.compare(lambda way: client_of(way).track("captain", "High tide", {"pier": "Ä & B", **FIXED}), DONE)


def test_an_import_differs_by_token_and_account_alone(ground: Grounds) -> None:
    meta = {"properties": {"token": "placeholder", **FIXED}}
    ground("mixpanel-import").compare(lambda way: client_of(way).import_data("", "a", "b", 1, meta=meta), DONE)
