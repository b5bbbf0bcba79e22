"""Objectives of a sidecar at work: what counts, what is told, and that a reload forgets nothing."""

import http.client
import json
import signal
import time
import urllib.request
from collections.abc import Iterator
from typing import Any, Final

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.sidecar import Sidecar
from tests.support.wire import HOLD, RESET, Script, Wire, in_thread, reply

pytestmark = pytest.mark.e2e

PATHS: Final = {"POST /v1/charges": {"availability": "99.9%"}}
SLO: Final = {"availability": "99%", "latency": {"percentile": 95, "under": "5s"}, "paths": PATHS}
OK: Final = reply(200, b"hello")
CUT: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell"


class Scene:
    """A sidecar with objectives, and its scripted provider."""

    def __init__(self, sidecar: Sidecar, wire: Wire) -> None:
        self.sidecar = sidecar
        self.wire = wire
        self.ended = 0

    def providers(self, **slo: Any) -> dict[str, Any]:
        return {
            "acme": {"base_url": self.wire.url, "retry": False, "breaker": False, "slo": {**SLO, **slo}},
            "plain": {"base_url": self.wire.url},
        }

    def call(self, request: str, script: Script, timeout: str = "10s", trace: str = "") -> int:
        """Send `METHOD /path`, with the provider answering so; returns the status, 0 for a body that was cut."""
        self.wire.play(script)
        method, path = request.split(" ")
        connection = http.client.HTTPConnection("127.0.0.1", self.sidecar.port, timeout=20)
        traced = {"traceparent": trace} if trace else {}
        connection.request(method, path, headers={"Tidegate-Timeout": timeout, **traced})
        answer = connection.getresponse()
        self.ended += 1
        try:
            answer.read()
        except (http.client.IncompleteRead, ConnectionError):
            return 0
        finally:
            connection.close()
        return answer.status

    def metrics(self) -> dict[str, float]:
        lines = self.sidecar.admin("/metrics")[1].decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("tidegate_"))
        return {name: float(value) for name, value in pairs}

    def settle(self) -> dict[str, float]:
        """Wait until every call is counted, which comes a moment after its answer."""
        ends_at = time.monotonic() + 10
        found = self.metrics()
        while sum(value for name, value in found.items() if "requests_total{" in name) < self.ended:
            assert time.monotonic() < ends_at, found
            time.sleep(0.02)
            found = self.metrics()
        return found

    def told(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return what `/api/slo` tells, by path and kind."""
        objectives = json.loads(self.sidecar.admin("/api/slo")[1])["objectives"]
        assert {one["provider"] for one in objectives} == {"acme"}
        return {(one["path"], one["slo"]): one for one in objectives}

    def reload(self, providers: dict[str, Any]) -> None:
        """Give it another configuration and wait until it is at work."""
        name = 'tidegate_config_reloads_total{result="loaded"}'
        before, ends_at = self.metrics().get(name, 0.0), time.monotonic() + 10
        self.sidecar.write(providers)
        self.sidecar.tell(signal.SIGHUP)
        while self.metrics().get(name, 0.0) == before:
            assert time.monotonic() < ends_at
            time.sleep(0.02)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with in_thread(Wire()) as wire:
        sidecar = Sidecar(tmp_path_factory.mktemp("slo"), {})
        made = Scene(sidecar, wire)
        sidecar.write(made.providers())
        with sidecar:
            yield made


def test_calls_count_by_whose_doing_their_end_was(scene: Scene) -> None:
    assert [scene.call("GET /acme/x", OK) for _ in range(3)] == [200] * 3
    assert scene.call("POST /acme/v1/charges", OK) == 200
    assert scene.call("POST /acme/v1/charges", reply(500, b"")) == 500
    assert scene.call("GET /acme/x", [RESET]) == 502
    assert scene.call("GET /acme/x", [CUT, RESET]) == 0
    assert scene.call("GET /acme/x", [HOLD], timeout="1200ms") == 504
    assert scene.call("GET /acme/x", [HOLD], timeout="100ms") == 504
    assert scene.call("GET /acme/x", reply(404, b"")) == 404
    assert scene.call("GET /acme/x", reply(401, b"")) == 401
    assert scene.call("GET /plain/x", reply(404, b"")) == 404
    found = scene.settle()
    told = {key: (one["good"], one["events"]) for key, one in scene.told().items()}
    assert told == {
        ("", "availability"): (4, 8),
        ("", "latency"): (4, 4),
        ("POST /v1/charges", "availability"): (1, 2),
    }
    excluded = {why: found[f'tidegate_slo_excluded_total{{provider="acme",why="{why}"}}']
                for why in ("sidecar", "caller", "throttled", "credential", "quota", "ignored")}  # fmt: skip
    assert excluded == {"sidecar": 1, "caller": 1, "throttled": 0, "credential": 1, "quota": 0, "ignored": 0}
    assert found['tidegate_slo_good_total{provider="acme",slo="availability"}'] == 4
    assert found['tidegate_slo_events_total{path="POST /v1/charges",provider="acme",slo="availability"}'] == 2
    assert 'provider="plain",slo=' not in "".join(found)


def test_what_is_promised_is_a_bound_of_the_buckets_of_its_provider(scene: Scene) -> None:
    scene.reload(scene.providers(latency={"percentile": 95, "under": "123ms"}))
    scene.call("GET /acme/x", OK)
    scene.call("GET /plain/x", OK)
    found = "\n".join(scene.settle())
    assert 'request_duration_seconds_bucket{le="0.123",method="GET",provider="acme"}' in found
    assert 'upstream_duration_seconds_bucket{le="0.123",phase="first_byte",provider="acme"}' in found
    assert 'le="0.123",method="GET",provider="plain"' not in found


def test_a_reload_changes_the_numbers_and_forgets_no_call(scene: Scene) -> None:
    scene.call("GET /acme/x", reply(500, b""))
    scene.settle()
    before = scene.told()["", "availability"]
    assert before["bad"] > 0
    assert before["objective"] == 0.99
    scene.reload(scene.providers(availability="50%", window="7d"))
    after = scene.told()["", "availability"]
    assert [after[key] for key in ("good", "events", "objective", "window_s")] == [
        before["good"], before["events"], 0.5, 7 * 86400,
    ]  # fmt: skip
    assert after["burn"]["5m"] == pytest.approx(before["burn"]["5m"] / 50, rel=1e-3)
    assert after["budget_remaining"] == pytest.approx(1 - after["burn"]["3d"], abs=1e-5)
    scene.call("GET /acme/x", OK)
    scene.settle()
    assert scene.told()["", "availability"]["events"] == before["events"] + 1


def test_a_refused_configuration_is_told_and_leaves_the_objectives_alone(scene: Scene) -> None:
    before = scene.told()
    text = scene.sidecar.config.read_text()
    scene.sidecar.config.write_text(text.replace("50%", "150%"))
    scene.sidecar.tell(signal.SIGHUP)
    ends_at = time.monotonic() + 10
    while scene.metrics()["tidegate_config_last_reload_successful"] == 1:
        assert time.monotonic() < ends_at
        time.sleep(0.02)
    found = scene.metrics()
    assert (found["tidegate_ready"], found["tidegate_draining"]) == (1, 0)
    assert {key: one["objective"] for key, one in scene.told().items()} == {
        key: one["objective"] for key, one in before.items()
    }
    scene.sidecar.config.write_text(text)


def test_the_trace_of_a_sampled_call_is_found_at_the_bucket_that_it_fell_into(scene: Scene) -> None:
    trace, untold = "0af7651916cd43dd8448eb211c80319c", "1" * 32
    scene.call("GET /acme/x", OK, trace=f"00-{trace}-b7ad6b7169203331-01")
    scene.call("GET /acme/x", OK, trace=f"00-{untold}-b7ad6b7169203331-00")
    scene.settle()
    asked = urllib.request.Request(
        f"http://127.0.0.1:{scene.sidecar.admin_port}/metrics", headers={"Accept": "application/openmetrics-text"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - its own admin listener
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        text = answer.read().decode()
    assert untold not in text
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call] # the library's
    samples = [sample for family in families for sample in family.samples]
    [sample] = [sample for sample in samples if sample.exemplar is not None]
    assert sample.name == "tidegate_request_duration_seconds_bucket"
    assert (sample.labels["provider"], sample.labels["method"]) == ("acme", "GET")
    assert sample.exemplar.labels == {"trace_id": trace}
    assert 0 < sample.exemplar.value <= float(sample.labels["le"])
