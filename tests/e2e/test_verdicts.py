"""Presets judge answers by more than their status, and each verdict reaches the policy that is meant to hear it."""

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.sidecar import Sidecar
from tests.support.wire import Wire, in_thread, reply

pytestmark = pytest.mark.e2e

JSON = b"Content-Type: application/json"
PRESETS = ("slack", "openai", "shopify", "aws-s3", "aws-lambda", "github", "stripe")


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory, wire: Wire) -> Iterator[Sidecar]:
    common: dict[str, Any] = {"base_url": wire.url, "credential": False}
    providers = {name: {"preset": name, **common} for name in PRESETS}
    with Sidecar(tmp_path_factory.mktemp("verdicts"), providers) as running:
        yield running


def ask(sidecar: Sidecar, path: str, data: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    """Send a GET, or a POST with a body; return status, headers in lower case, and body."""
    connection = http.client.HTTPConnection("127.0.0.1", sidecar.port, timeout=10)
    with contextlib.closing(connection):
        headers = {} if data is None else {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("GET" if data is None else "POST", path, data, headers)
        answer = connection.getresponse()
        return answer.status, {key.lower(): value for key, value in answer.headers.items()}, answer.read()


def test_slack_s_throttle_at_200_pauses_the_provider(sidecar: Sidecar, wire: Wire) -> None:
    limited = b'{"ok":false,"error":"ratelimited"}'
    wire.play(reply(200, limited, JSON, b"Retry-After: 30"))
    assert ask(sidecar, "/slack/api/chat.postMessage", b"{}")[::2] == (200, limited)
    status, headers, body = ask(sidecar, "/slack/api/chat.postMessage", b"{}")
    assert (status, orjson.loads(body)["reason"]) == (503, "provider_paused")
    assert 28 <= int(headers["retry-after"]) <= 30


def test_an_s3_slow_down_is_a_throttle_and_no_failure(sidecar: Sidecar, wire: Wire) -> None:
    slow = b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>"
    wire.play(reply(503, slow, b"Content-Type: application/xml", b"Retry-After: 30"))
    assert ask(sidecar, "/aws-s3/bucket/key", b"x")[::2] == (503, slow)
    assert orjson.loads(ask(sidecar, "/aws-s3/bucket/key", b"x")[2])["reason"] == "provider_paused"


def test_an_openai_quota_that_is_used_up_is_not_retried_and_held(sidecar: Sidecar, wire: Wire) -> None:
    used_up = b'{"error":{"code":"insufficient_quota","type":"insufficient_quota","message":"..."}}'
    wire.play(reply(429, used_up, JSON, b"x-should-retry: true"))
    before = len(wire.requests)
    status, headers, body = ask(sidecar, "/openai/v1/models")
    assert (status, body, headers["x-should-retry"]) == (429, used_up, "false")
    status, headers, body = ask(sidecar, "/openai/v1/models")
    assert (status, orjson.loads(body)["reason"]) == (503, "quota_exhausted")
    assert (headers["tidegate-source"], headers["x-should-retry"]) == ("sidecar", "false")
    assert 55 <= int(headers["retry-after"]) <= 60
    assert len(wire.requests) == before + 1
    (line,) = [line for line in sidecar.log(all_of_it=True) if line["event"] == "pause_started" and "openai" in
               str(line["provider"])]  # fmt: skip
    assert (line["why"], line["seconds"], line["hinted"]) == ("exhausted", 60.0, False)
    assert b'tidegate_quota_holds_total{provider="openai"} 1.0' in sidecar.admin("/metrics")[1]


def test_a_shopify_throttle_at_200_pauses_the_provider(sidecar: Sidecar, wire: Wire) -> None:
    throttled = b'{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}'
    wire.play(reply(200, throttled, JSON, b"Retry-After: 20"))
    before = len(wire.requests)
    assert ask(sidecar, "/shopify/admin/api/graphql.json", b"{}")[2] == throttled
    status, _, body = ask(sidecar, "/shopify/admin/api/graphql.json", b"{}")
    assert (status, orjson.loads(body)["reason"]) == (503, "provider_paused")
    assert len(wire.requests) == before + 1


def test_the_verdict_of_an_answer_at_200_is_told_in_the_log(sidecar: Sidecar, wire: Wire) -> None:
    wire.play(reply(200, b'{"errorMessage":"boom"}', JSON, b"X-Amz-Function-Error: Unhandled"))
    status, headers, _ = ask(sidecar, "/aws-lambda/2015-03-31/functions/f/invocations", b"{}")
    assert (status, headers["x-amz-function-error"]) == (200, "Unhandled")
    (line,) = [line for line in sidecar.log(all_of_it=True) if line.get("provider") == "aws-lambda"]
    assert (line["status"], line["outcome"]) == (200, "refused")


def test_stripe_s_sdk_is_told_to_stop_once_our_attempts_are_spent(sidecar: Sidecar, wire: Wire) -> None:
    wire.play(reply(500, b"{}", JSON, b"Stripe-Should-Retry: true"))
    before = len(wire.requests)
    status, headers, _ = ask(sidecar, "/stripe/v1/balance")
    assert (status, headers["stripe-should-retry"], headers["tidegate-attempts"]) == (500, "false", "3")
    assert len(wire.requests) == before + 3


def test_pages_are_followed_through_the_sidecar(sidecar: Sidecar, wire: Wire) -> None:
    pages = [reply(200, b"[]", JSON, f'Link: <{wire.url}/repositories/1/issues?page={n}>; rel="next"'.encode())
             for n in (2, 3)]  # fmt: skip
    wire.play(*pages, reply(200, b"[]", JSON))
    before = len(wire.requests)
    path: str | None = "/github/repos/acme/tide/issues"
    while path is not None:
        link = ask(sidecar, path)[1].get("link")
        if link is None:
            break
        url = link.partition("<")[2].partition(">")[0]
        assert url.startswith(f"{sidecar.url}/github/")
        path = url.removeprefix(sidecar.url)
    targets = [request.target for request in wire.requests[before:]]
    assert targets == [
        b"/repos/acme/tide/issues", b"/repositories/1/issues?page=2", b"/repositories/1/issues?page=3",
    ]  # fmt: skip
    assert path == "/github/repositories/1/issues?page=3"


def test_urls_stay_as_they_are_where_that_is_configured(tmp_path: Path) -> None:
    with in_thread(Wire()) as wire:
        location = f"{wire.url}/things/1"
        wire.play(reply(201, b"", f"Location: {location}".encode()))
        acme = {"base_url": wire.url}
        with Sidecar(tmp_path, {"acme": acme, "plain": {**acme, "rewrite_urls": False}}) as sidecar:
            assert ask(sidecar, "/acme/things")[1]["location"] == f"{sidecar.url}/acme/things/1"
            assert ask(sidecar, "/plain/things")[1]["location"] == location
