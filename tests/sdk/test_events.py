"""The SDKs of PostHog and Segment, which keep their key in the body."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, Final, Self

import orjson
import posthog.request
import pytest
import segment.analytics.request
from posthog import Posthog
from segment import analytics
from segment.analytics import Client

from tests.sdk.ground import Ground, Grounds, says
from tests.sdk.known import SECRETS
from tests.sdk.said import unpacked

pytestmark = pytest.mark.sdk

HAPPENED: Final = {"tide": "Flut 🌊"}
AT: Final = datetime(2026, 11, 20, tzinfo=UTC)
UUID: Final = "018f6f2c-0000-7000-8000-000000000001"
INVALID: Final = {"code": "invalid_request", "message": "malformed JSON"}
FLAG: Final = {"key": "deep", "enabled": True, "variant": None, "reason": {"code": "all"}, "metadata": {"id": 1}}


class Noon(datetime):
    """A clock that stands, so that both ways send the same body."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls(2026, 11, 20, 12, tzinfo=tz)


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    segment.analytics.request._session.close()  # the SDKs themselves never close theirs
    posthog.request._session.close()
    posthog.request._flags_session.close()


def capture(ground: Ground, **options: Any) -> None:
    client = ground.client(Posthog=partial(Posthog, sync_mode=True, max_retries=0, **options))
    client.debug = True  # errors are raised, and not only logged
    client.capture("tide", distinct_id="u1", properties=HAPPENED, uuid=UUID, timestamp=AT)
    client.shutdown()


def track(ground: Ground, **options: Any) -> None:
    ground.client(analytics=analytics)
    client = Client(analytics.write_key, analytics.host, sync_mode=True, **options)
    client.track("u1", "tide", HAPPENED, message_id="m1", timestamp=AT)


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize(
    ("entry", "send", "key"), [("posthog", capture, "POSTHOG_PROJECT_TOKEN"), ("segment", track, "SEGMENT_WRITE_KEY")]
)
def test_an_event_is_sent_with_the_real_key_in_its_body_packed_as_before(
    ground: Grounds, entry: str, send: Any, key: str, gzip: bool
) -> None:
    provider = ground(entry)
    provider.play(says({"success": True}))
    send(provider, gzip=gzip)
    (request,) = provider.requests
    sent = orjson.loads(unpacked(request.head, request.body))
    assert provider.lines == [{"posthog": "POST /batch/", "segment": "POST /v1/batch"}[entry]]
    assert (request.body[:2] == b"\x1f\x8b") is gzip
    assert SECRETS[key] in (sent.get("api_key"), sent.get("writeKey"))
    assert sent["batch"][0]["properties"].items() >= HAPPENED.items()


@pytest.mark.parametrize(("entry", "send"), [("posthog", capture), ("segment", track)])
def test_the_provider_sees_the_request_that_it_would_see_without_the_sidecar(
    ground: Grounds, entry: str, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posthog.request, "datetime", Noon)
    monkeypatch.setattr(segment.analytics.request, "datetime", Noon)
    ground(entry).compare(send, says({"success": True}))


def test_flags_are_read(ground: Grounds) -> None:
    provider = ground("posthog")
    provider.play(says({"flags": {"deep": FLAG}, "errorsWhileComputingFlags": False, "requestId": "r1"}))
    client = provider.client(Posthog=partial(Posthog, send=False))
    assert client.evaluate_flags("u1").get_flag("deep") is True
    client.shutdown()
    assert provider.lines == ["POST /flags/?v=4"]


@pytest.mark.parametrize(("entry", "send"), [("posthog", capture), ("segment", track)])
def test_an_error_is_the_providers_own(ground: Grounds, entry: str, send: Any) -> None:
    provider = ground(entry)
    provider.play(says(INVALID, 400))
    with pytest.raises((posthog.request.APIError, segment.analytics.request.APIError), match="malformed JSON"):
        send(provider)


@pytest.mark.parametrize(("entry", "send"), [("posthog-busy", capture), ("segment-busy", track)])
def test_a_throttled_event_is_told_and_the_next_one_is_held_back(ground: Grounds, entry: str, send: Any) -> None:
    provider = ground(entry)
    provider.play(says({"code": "throttled", "message": "slow down"}, 429, "Retry-After: 120"))
    seen = []
    for _ in range(2):
        with pytest.raises((posthog.request.APIError, segment.analytics.request.APIError)) as caught:
            send(provider)
        seen.append(caught.value.status)
    assert (seen, len(provider.requests)) == ([429, 503], 1)
