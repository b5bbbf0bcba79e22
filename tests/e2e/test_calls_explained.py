"""Calls that happened, as the admin listener of a real sidecar explains them; and the log under load."""

import contextlib
import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.support.sidecar import Sidecar
from tests.support.wire import Wire, in_thread, reply

pytestmark = pytest.mark.e2e

SECRET = "sk_test_example_of_a_secret"


def ask(sidecar: Sidecar, path: str, **headers: str) -> str:
    """Send a call and return its request id."""
    with contextlib.closing(HTTPConnection("127.0.0.1", sidecar.port, timeout=10)) as caller:
        caller.request("GET", path, headers=headers)
        answer = caller.getresponse()
        answer.read()
        return str(answer.headers["X-Request-Id"])


def explained(sidecar: Sidecar, request_id: str) -> Any:
    status, body = sidecar.admin(f"/api/calls/{request_id}")
    assert status == 200, body
    return json.loads(body)


def test_a_call_is_explained_by_its_request_id(tmp_path: Path) -> None:
    wire = Wire(reply(503), reply())
    with in_thread(wire) as provider, Sidecar(tmp_path, {"acme": {"base_url": provider.url}}) as sidecar:
        told = explained(sidecar, ask(sidecar, "/acme/v1/things"))
        assert sidecar.admin("/api/calls/unknown")[0] == 404
    assert (told["call"]["status"], told["call"]["attempts"]) == (200, 2)
    assert told["call"]["earlier"][0]["status"] == 503
    story = "\n".join(told["explanation"])
    assert f"GET /v1/things was for the provider acme, at {provider.url}." in story
    assert "Attempt 1 began at " in story
    assert "and got 503; the next one was put off by " in story
    assert "waits between attempts" in story
    kinds = [bar["kind"] for bar in told["waterfall"]]
    assert (kinds.count("backoff"), kinds.count("first_byte"), kinds.count("connect")) == (1, 2, 1)
    whole = sum(bar["duration_ms"] for bar in told["waterfall"])
    assert whole == pytest.approx(told["call"]["duration_ms"], abs=0.1)


def test_a_refusal_of_our_own_is_explained_whatever_the_log_says(tmp_path: Path) -> None:
    limited = {"base_url": "http://127.0.0.1:1", "rate_limit": {"limits": ["1/1h"], "max_wait": "0s"}, "retry": False}
    settings = {"log": {"sample": {"first": 0, "every": 1000}}}
    with Sidecar(tmp_path, {"acme": limited}, settings) as sidecar:
        first, second = ask(sidecar, "/acme/a"), ask(sidecar, "/acme/b")
        story = "\n".join(explained(sidecar, first)["explanation"])
        assert "network: 127.0.0.1:1 could not be reached" in story
        story = "\n".join(explained(sidecar, second)["explanation"])
    assert "Nothing was sent." in story
    assert "sidecar: the configured rate limit has no room" in story
    assert "the caller got 429, rate_limited" in story


def test_no_secret_is_in_an_explanation(tmp_path: Path) -> None:
    provider = {"acme": {"base_url": "http://127.0.0.1:1", "credential": {"scheme": "bearer", "token": "env:KEY"}}}
    with Sidecar(tmp_path, provider, {"log": {"headers": ["x-shown"]}}, env={"KEY": SECRET}) as sidecar:
        ask(sidecar, "/acme/a", **{"X-Shown": SECRET, "X-Request-Id": "mine"})
        told = json.dumps(explained(sidecar, "mine"))
    assert SECRET not in told
    assert "[secret]" in told


def test_under_load_successes_are_thinned_out_and_nothing_else(tmp_path: Path) -> None:
    with in_thread(Wire()) as provider:
        settings = {"log": {"sample": {"first": 2, "every": 10}}}
        with Sidecar(tmp_path, {"acme": {"base_url": provider.url}}, settings) as sidecar:
            for _ in range(60):
                ask(sidecar, "/acme/a")
            provider.play(reply(501))
            for _ in range(5):
                ask(sidecar, "/acme/a")
            calls = [line for line in sidecar.log(all_of_it=True) if line["event"] == "call"]
            metrics = sidecar.admin("/metrics")[1].decode()
            kept = json.loads(sidecar.admin("/api/calls")[1])["calls"]
    good = [line for line in calls if line["status"] == 200]
    assert [line["status"] for line in calls if line["level"] == "warning"] == [501] * 5
    assert 50 < sum(line.get("sampled", 1) for line in good) <= 60
    assert len(good) < 60
    assert f"tidegate_log_sampled_total {60 - len(good)}.0\n" in metrics
    assert len(kept) == 65
