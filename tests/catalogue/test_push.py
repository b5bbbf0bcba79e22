"""Messages to devices: Firebase Cloud Messaging and Apple's push service."""

import json
from pathlib import Path

import pytest

from proxy.config import load
from proxy.core.errors import ConfigError
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.core.units import parse_duration
from proxy.presets import Presets
from proxy.sansio.classify import Classifier
from tests.support.presets import hidden, may_repeat, profile, section, verdict, wait_s
from tests.support.schemes import call_of


def error(status: str, code: str) -> str:
    return json.dumps({"error": {"status": status, "details": [{"errorCode": code}]}}, indent=2)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, error("UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED"), Outcome.UNAUTHORISED),
        (401, "", Outcome.UNAUTHORISED),
        (401, error("UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), Outcome.REFUSED),
        (401, error("UNAUTHENTICATED", "APNS_AUTH_ERROR"), Outcome.REFUSED),
        (404, error("NOT_FOUND", "UNREGISTERED"), Outcome.REFUSED),
        (403, error("PERMISSION_DENIED", "SENDER_ID_MISMATCH"), Outcome.REFUSED),
        (429, error("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), Outcome.THROTTLED),
        (500, error("INTERNAL", "INTERNAL"), Outcome.FAILED),
        (503, error("UNAVAILABLE", "UNAVAILABLE"), Outcome.FAILED),
    ],
)
def test_firebases_answer_is_judged_by_status_and_code(status: int, body: str, outcome: Outcome) -> None:
    assert verdict("fcm", status, body) is outcome


def test_firebase_is_asked_with_a_google_service_account() -> None:
    credential = section("fcm", "credential")
    assert (credential.scheme, credential.grant) == ("oauth2", "google_service_account")
    assert str(credential.service_account) == "env:FCM_SERVICE_ACCOUNT"
    assert credential.scope == "https://www.googleapis.com/auth/firebase.messaging"


def test_firebase_tells_the_wait_and_publishes_its_limit() -> None:
    assert wait_s("fcm", {"Retry-After": "30"}) == 30.0
    assert [(one.limit.count, one.limit.window_s) for one in profile("fcm").published] == [(600_000, 60.0)]


def test_a_message_is_sent_once() -> None:
    assert not may_repeat("fcm", call_of(b"/v1/projects/p/messages:send", method="POST"))


def test_an_access_token_is_known_by_its_shape() -> None:
    assert hidden("fcm", ".".join(("ya29", "x" * 40)))


def test_apns_is_refused_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text("providers:\n  apns: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert "HTTP/2" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        (403, "ExpiredProviderToken", Outcome.UNAUTHORISED),
        (403, "InvalidProviderToken", Outcome.REFUSED),
        (429, "TooManyRequests", Outcome.THROTTLED),
        (410, "Unregistered", Outcome.REFUSED),
        (400, "BadDeviceToken", Outcome.REFUSED),
        (503, "Shutdown", Outcome.FAILED),
    ],
)
def test_apples_answer_is_judged_by_status_and_reason(status: int, reason: str, outcome: Outcome) -> None:
    judge = Classifier(Profile.model_validate(Presets().read("apns").data["profile"]))
    assert judge(status, [], json.dumps({"reason": reason}).encode()) is outcome


def test_a_token_for_apple_is_used_for_longer_than_apples_least_and_shorter_than_its_most() -> None:
    credential = Presets().read("apns").data["credential"]
    assert 20 * 60 < parse_duration(credential["renew"]) < 60 * 60
    assert "lifetime" not in credential
    assert (credential["algorithm"], credential["prefix"]) == ("ES256", "bearer")
