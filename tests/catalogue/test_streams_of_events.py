"""Events and queues: Segment, PostHog, QStash, and Upstash Redis."""

import gzip
from base64 import b64encode

import orjson
import pytest

from proxy.core.call import WholeBody
from proxy.core.outcome import Outcome
from tests.support.presets import hidden, may_repeat, profile, provider, section, sent, verdict, wait_s
from tests.support.schemes import call_of
from tests.support.script import WALL

JSON = [(b"Content-Type", b"application/json")]


@pytest.mark.parametrize(
    ("name", "status", "headers", "outcome"),
    [
        ("segment", 429, [], Outcome.THROTTLED),
        ("segment", 408, [], Outcome.FAILED),
        ("segment", 410, [], Outcome.FAILED),
        ("segment", 460, [], Outcome.FAILED),
        ("segment", 500, [], Outcome.FAILED),
        ("segment", 501, [], Outcome.REFUSED),
        ("segment", 505, [], Outcome.REFUSED),
        ("segment", 400, [], Outcome.REFUSED),
        ("posthog", 429, [], Outcome.THROTTLED),
        ("posthog", 408, [], Outcome.FAILED),
        ("posthog", 413, [], Outcome.REFUSED),
        ("posthog-api", 429, [], Outcome.THROTTLED),
        ("qstash", 429, [(b"Burst-RateLimit-Limit", b"100")], Outcome.THROTTLED),
        ("qstash", 429, [(b"RateLimit-Limit", b"500")], Outcome.EXHAUSTED),
        ("qstash", 202, [], Outcome.OK),
        ("upstash-redis", 400, [], Outcome.REFUSED),
        ("upstash-redis", 401, [], Outcome.UNAUTHORISED),
    ],
)
def test_an_answer_is_judged_as_documented(
    name: str, status: int, headers: list[tuple[bytes, bytes]], outcome: Outcome
) -> None:
    assert verdict(name, status, "", headers) is outcome


def test_a_used_up_quota_of_flags_holds_back_no_events() -> None:
    assert verdict("posthog", 200, '{"flags":{},"quotaLimited":["feature_flags"]}') is Outcome.OK


def test_segments_reset_is_a_wait_in_seconds() -> None:
    assert wait_s("segment", {"x-ratelimit-reset": "12"}) == 12.0


@pytest.mark.parametrize("prefix", ["burst-", ""])
def test_qstashs_resets_are_unix_times_that_count_when_nothing_remains(prefix: str) -> None:
    reset = {f"{prefix}ratelimit-reset": str(int(WALL) + 40)}
    assert wait_s("qstash", reset | {f"{prefix}ratelimit-remaining": "0"}) == 40.0
    assert wait_s("qstash", reset | {f"{prefix}ratelimit-remaining": "9"}) is None


@pytest.mark.parametrize(
    ("name", "limits"), [("segment", ["1000/1s"]), ("posthog", []), ("posthog-api", ["480/1m", "4800/1h"])]
)
def test_the_published_limit_is_set(name: str, limits: list[str]) -> None:
    assert [str(limit) for limit in section(name, "rate_limit").limits] == limits


def test_segments_write_key_is_replaced_in_header_and_body() -> None:
    headers = [*JSON, (b"Authorization", b"Basic cGxhY2Vob2xkZXI6")]
    body = WholeBody(b'{"batch": [{"event":"docked"}], "writeKey": "placeholder"}')
    out = sent("segment", call_of(b"/v1/batch", headers, "POST", body), {"SEGMENT_WRITE_KEY": "test_example"})
    assert out.body.whole == b'{"batch": [{"event":"docked"}], "writeKey": "test_example"}'
    assert (b"Authorization", b"Basic " + b64encode(b"test_example:")) in out.headers


@pytest.mark.parametrize("key", ["api_key", "token"])
def test_posthogs_token_is_replaced_in_a_body_that_is_compressed(key: str) -> None:
    body = WholeBody(gzip.compress(orjson.dumps({key: "phc_placeholder", "batch": []})))
    headers = [*JSON, (b"Content-Encoding", b"gzip")]
    out = sent("posthog", call_of(b"/batch/", headers, "POST", body), {"POSTHOG_PROJECT_TOKEN": "tok_test_example"})
    assert orjson.loads(gzip.decompress(out.body.whole or b"")) == {key: "tok_test_example", "batch": []}


def test_an_event_with_an_id_may_be_sent_again_at_segment() -> None:
    assert may_repeat("segment", call_of(b"/v1/track", JSON, "POST", WholeBody(b'{"messageId":"m1"}')))
    assert not may_repeat("segment", call_of(b"/v1/track", JSON, "POST", WholeBody(b"{}")))
    assert not profile("segment").idempotency.mint


def test_flags_may_be_asked_for_again_and_events_are_sent_once() -> None:
    assert may_repeat("posthog", call_of(b"/flags/?v=4", JSON, "POST", WholeBody(b"{}")))
    assert not may_repeat("posthog", call_of(b"/batch/", JSON, "POST", WholeBody(b'{"uuid":"1"}')))


def test_a_message_with_an_id_may_be_published_again_and_none_is_made() -> None:
    path = b"/v2/publish/https://example.com/hook?a=1"
    assert may_repeat("qstash", call_of(path, [(b"Upstash-Deduplication-Id", b"m1")], "POST"))
    assert not may_repeat("qstash", call_of(path, method="POST"))
    assert not may_repeat("qstash", call_of(b"/v2/batch", [(b"Upstash-Deduplication-Id", b"m1")], "POST"))
    assert not profile("qstash").idempotency.mint


def test_no_command_is_retried_at_redis_because_a_get_may_count() -> None:
    assert section("upstash-redis", "retry") is False
    assert str(provider("upstash-redis").base_url) == "https://tide.upstash.io"


def test_redis_reads_its_own_writes_and_takes_no_token_from_the_query() -> None:
    assert "upstash-sync-token" in profile("upstash-redis").pass_headers
    out = sent("upstash-redis", call_of(b"/get/a?_token=placeholder"), {"UPSTASH_REDIS_REST_TOKEN": "test_example"})
    assert out.target == b"/get/a"
    assert out.headers == [(b"Authorization", b"Bearer test_example")]


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("segment", "https://events.eu1.segmentapis.com"),
        ("posthog", "https://eu.i.posthog.com"),
        ("posthog-api", "https://eu.posthog.com"),
    ],
)
def test_europe_is_another_host(name: str, host: str) -> None:
    assert profile(name).hosts["eu"] == host


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("posthog", "_".join(("phc", "x" * 43))),
        ("posthog-api", "_".join(("phx", "x" * 43))),
        ("qstash", "_".join(("sig", "x" * 28))),
    ],
)
def test_the_shape_of_a_secret_is_known_wherever_it_stands(name: str, text: str) -> None:
    assert hidden(name, text)


@pytest.mark.parametrize(
    ("name", "scheme", "header", "dedupe"),
    [("segment", "segment", "x-signature", "messageId"), ("qstash", "qstash_jwt", "upstash-signature", "jti")],
)
def test_events_are_signed(name: str, scheme: str, header: str, dedupe: str) -> None:
    webhook = profile(name).webhook
    assert webhook is not None
    assert (webhook.scheme, webhook.header, webhook.dedupe) == (scheme, header, dedupe)
