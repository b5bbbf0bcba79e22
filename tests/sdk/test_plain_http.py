"""Providers without an SDK that takes a base URL: any HTTP client will do."""

import hashlib
from collections.abc import Iterator
from typing import Final

import httpx
import pytest

from tests.sdk.ground import Ground, Grounds, only, says, sent_json
from tests.sdk.known import ACCESS_TOKEN, SECRETS
from tests.support.wire import Wire

pytestmark = pytest.mark.sdk

PRESETS: Final = (
    "apple", "edamam", "facebook", "facebook-login", "fcm", "hotelbeds", "shopify-storefront", "snowflake",
    "spoonacular",
)  # fmt: skip


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def form_of(ground: Ground) -> dict[str, str]:
    """Return what the provider's callers send; only Apple's form holds a placeholder."""
    form = {"grant_type": "refresh_token", "refresh_token": "one"}
    return form | {"client_secret": "placeholder"} if ground.name == "apple" else form


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_read_and_written_differs_by_the_credential_alone(
    ground: Grounds, http: httpx.Client, name: str
) -> None:
    provider = ground(name)

    def read_and_write(way: Ground) -> None:
        http.get(f"{way.base}/v1/Pier%20Ä//é", params={"q": "a b&c", "n": ["1", "2"]}, headers={"X-Case": "Kept"})
        http.post(f"{way.base}/v1/piers", data=form_of(way))

    provider.compare(read_and_write, says({"ok": True}))


@pytest.mark.parametrize("name", PRESETS)
def test_an_error_is_the_providers_own(ground: Grounds, http: httpx.Client, name: str) -> None:
    provider = ground(name)
    provider.play(says({"error": {"message": "no such pier"}}, 404, "X-Its-Own: yes"))
    answer = http.post(f"{provider.base}/v1/piers", data=form_of(provider))
    assert (answer.status_code, answer.json()) == (404, {"error": {"message": "no such pier"}})
    assert (answer.headers["X-Its-Own"], answer.headers["Tidegate-Source"]) == ("yes", "provider")


@pytest.mark.parametrize("name", PRESETS)
def test_a_throttled_call_is_told_and_the_next_one_is_held_back(ground: Grounds, http: httpx.Client, name: str) -> None:
    provider = ground(f"{name}-busy")
    provider.play(says({"error": {"message": "slow down"}}, 429, "Retry-After: 120"))
    first, second = (http.post(f"{provider.base}/v1/piers", data=form_of(provider)) for _ in range(2))
    assert (first.status_code, first.headers["Retry-After"]) == (429, "120")
    assert (second.status_code, second.json()["reason"]) == (503, "provider_paused")
    assert len(provider.requests) == 1


def test_spoonacular_is_called_no_more_once_the_days_points_are_used_up(ground: Grounds, http: httpx.Client) -> None:
    spoonacular = ground("spoonacular-other")
    spoonacular.play(says({"status": "failure", "code": 402}, 402, "X-API-Quota-Left: 0"))
    first, second = (http.get(f"{spoonacular.base}/recipes/random") for _ in range(2))
    assert (first.status_code, first.headers["X-API-Quota-Left"]) == (402, "0")
    assert (second.status_code, second.json()["reason"]) == (503, "quota_exhausted")
    assert 0 < int(second.headers["Retry-After"]) <= 86_400
    assert len(spoonacular.requests) == 1


def test_a_page_of_edamam_leads_back_and_its_key_goes_no_further(
    ground: Grounds, http: httpx.Client, wire: Wire
) -> None:
    edamam = ground("edamam")
    known = f"app_id={SECRETS['EDAMAM_APP_ID']}&app_key={SECRETS['EDAMAM_APP_KEY']}"
    following = f"{wire.url}/api/recipes/v2?q=crab&{known}&_cont=two"
    edamam.play(says({"hits": [], "_links": {"next": {"href": following}}}), says({"hits": [1]}))
    told = http.get(f"{edamam.base}/api/recipes/v2?q=crab").json()["_links"]["next"]["href"]
    assert told == f"{edamam.base}/api/recipes/v2?q=crab&_cont=two"
    assert http.get(told).json() == {"hits": [1]}
    assert edamam.lines == [
        f"GET /api/recipes/v2?q=crab&{known}", f"GET /api/recipes/v2?q=crab&_cont=two&{known}",
    ]  # fmt: skip


def test_facebook_says_with_400_that_a_limit_is_reached(ground: Grounds, http: httpx.Client) -> None:
    facebook = ground("facebook-other")
    facebook.play(says({"error": {"code": 4, "message": "Application request limit reached"}}, 400, "Retry-After: 120"))
    first, second = (http.get(f"{facebook.base}/v24.0/me") for _ in range(2))
    assert (first.status_code, second.status_code, second.json()["reason"]) == (400, 503, "provider_paused")


def test_a_message_of_fcm_carries_the_token_of_the_service_account(ground: Grounds, http: httpx.Client) -> None:
    fcm = ground("fcm")
    message = {"message": {"token": "device", "notification": {"title": "Grüße"}}}
    fcm.play(says({"name": "projects/tide/messages/1"}))
    for _ in range(2):
        answer = http.post(f"{fcm.base}/v1/projects/tide/messages:send", json=message)
        assert answer.json() == {"name": "projects/tide/messages/1"}
    assert fcm.lines == ["POST /v1/projects/tide/messages:send"] * 2
    assert sent_json(fcm.requests[0]) == message
    assert only(fcm.requests[1].head, b"authorization") == f"Bearer {ACCESS_TOKEN}".encode()
    assert ACCESS_TOKEN.encode() not in fcm.tap.sent


def test_a_statement_of_snowflake_is_run_as_the_callers_own_kind_of_token(ground: Grounds, http: httpx.Client) -> None:
    snowflake = ground("snowflake")
    snowflake.play(says({"statementHandle": "1"}, 202), says({"data": [["7"]]}))
    kind = {"X-Snowflake-Authorization-Token-Type": "KEYPAIR_JWT"}
    begun = http.post(f"{snowflake.base}/api/v2/statements", json={"statement": "SELECT 7"}, headers=kind)
    ended = http.get(f"{snowflake.base}/api/v2/statements/{begun.json()['statementHandle']}", headers=kind)
    assert (begun.status_code, ended.json()) == (202, {"data": [["7"]]})
    first, second = snowflake.requests
    assert only(first.head, b"x-snowflake-authorization-token-type") == b"KEYPAIR_JWT"
    assert only(first.head, b"authorization") == only(second.head, b"authorization")  # one token serves both


def test_a_large_upload_is_passed_on_whole(ground: Grounds, http: httpx.Client) -> None:
    hotelbeds = ground("hotelbeds")
    pieces = [bytes([number]) * 65_536 for number in range(64)]
    hotelbeds.play(says({"ok": True}))
    http.post(f"{hotelbeds.base}/hotel-api/1.0/bookings", content=iter(pieces))
    assert hashlib.sha256(hotelbeds.requests[0].body).digest() == hashlib.sha256(b"".join(pieces)).digest()
