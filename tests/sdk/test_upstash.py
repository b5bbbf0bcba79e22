"""The SDKs of Upstash: Redis and QStash."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import pytest
from qstash import QStash
from qstash.errors import QStashError, RateLimitExceededError
from upstash_redis import Redis
from upstash_redis.errors import UpstashError

from tests.sdk.ground import Ground, Grounds, only, says, sent_json

pytestmark = pytest.mark.sdk

MESSAGE: Final = {
    "messageId": "m1", "url": "https://a.example", "method": "POST", "createdAt": 1, "notBefore": 1, "maxRetries": 3,
}  # fmt: skip


def redis_of(ground: Ground) -> Any:
    return ground.client(Redis=partial(Redis, rest_retries=0, rest_encoding=None))


@contextmanager
def messages_of(ground: Ground) -> Iterator[Any]:
    client = ground.client(QStash=partial(QStash, retry=False))
    with client.http._client:  # the SDK itself never closes it
        yield client.message


def test_a_key_is_written_and_read_and_the_sync_token_goes_back(ground: Grounds) -> None:
    redis = ground("upstash-redis")
    redis.play(says({"result": "OK"}, 200, "Upstash-Sync-Token: t=1"), says({"result": "hoch"}))
    with redis_of(redis) as client:
        assert client.set("Flut", "hoch") is True
        assert client.get("Flut") == "hoch"
    assert redis.lines == ["POST /", "POST /"]
    assert [sent_json(request) for request in redis.requests] == [["SET", "Flut", "hoch"], ["GET", "Flut"]]
    assert only(redis.requests[1].head, b"upstash-sync-token") == b"t=1"


def test_a_pipeline_is_one_call(ground: Grounds) -> None:
    redis = ground("upstash-redis")
    redis.play(says([{"result": 1}, {"result": 2}]))
    with redis_of(redis) as client:
        assert client.pipeline().incr("a").incr("a").exec() == [1, 2]
    assert redis.lines == ["POST /pipeline"]


def test_redis_sees_the_request_that_it_would_see_without_the_sidecar(ground: Grounds) -> None:
    def call(way: Ground) -> None:
        with redis_of(way) as client:
            client.set("Flut", "hoch")

    ground("upstash-redis").compare(call, says({"result": "OK"}))


def test_a_command_that_fails_is_told(ground: Grounds) -> None:
    redis = ground("upstash-redis")
    redis.play(says({"error": "WRONGTYPE Operation against a key"}, 400))
    with redis_of(redis) as client, pytest.raises(UpstashError, match="WRONGTYPE"):
        client.incr("list")


def test_a_throttled_command_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    redis = ground("upstash-redis-busy")
    redis.play(says({"error": "ERR max requests limit exceeded"}, 429, "Retry-After: 120"))
    with redis_of(redis) as client:
        with pytest.raises(UpstashError, match="max requests"):
            client.get("a")
        with pytest.raises(UpstashError, match="provider_paused"):
            client.get("a")
    assert len(redis.requests) == 1


def test_the_url_of_a_destination_stays_in_the_path_as_it_is(ground: Grounds) -> None:
    qstash = ground("qstash")
    qstash.play(says({"messageId": "m1"}, 201))
    with messages_of(qstash) as messages:
        made = messages.publish_json(url="https://a.example//hook?b=c", body={"Flut": "hoch"}, deduplication_id="d1")
    assert made.message_id == "m1"
    assert qstash.lines == ["POST /v2/publish/https://a.example//hook?b=c"]
    assert sent_json(qstash.requests[0]) == {"Flut": "hoch"}
    assert only(qstash.requests[0].head, b"upstash-deduplication-id") == b"d1"


def test_a_message_is_read(ground: Grounds) -> None:
    qstash = ground("qstash")
    qstash.play(says(MESSAGE))
    with messages_of(qstash) as messages:
        assert messages.get("m1").message_id == "m1"
    assert qstash.lines == ["GET /v2/messages/m1"]


def test_qstash_sees_the_request_that_it_would_see_without_the_sidecar(ground: Grounds) -> None:
    def publish(way: Ground) -> None:
        with messages_of(way) as messages:
            messages.publish(url="https://a.example//hook", body="hoch", headers={"X-Own": "1"})

    ground("qstash").compare(publish, says({"messageId": "m1"}, 201))


def test_an_error_of_qstash_is_the_providers_own(ground: Grounds) -> None:
    qstash = ground("qstash")
    qstash.play(says({"error": "message m9 not found"}, 404))
    with messages_of(qstash) as messages, pytest.raises(QStashError, match="m9 not found"):
        messages.get("m9")


def test_a_burst_is_told_and_the_next_call_is_held_back(ground: Grounds) -> None:
    qstash = ground("qstash-busy")
    reset = f"Burst-RateLimit-Reset: {int(time.time()) + 120}"
    qstash.play(says({"error": "too many"}, 429, "Burst-RateLimit-Limit: 1", "Burst-RateLimit-Remaining: 0", reset))
    with messages_of(qstash) as messages:
        with pytest.raises(RateLimitExceededError):
            messages.get("m1")
        with pytest.raises(QStashError, match="provider_paused"):
            messages.get("m1")
    assert len(qstash.requests) == 1
