"""What Prometheus reads from a sidecar that has seen calls of all kinds."""

import http.client
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from proxy import __version__
from tests.support.programs import program
from tests.support.sidecar import Sidecar
from tests.support.wire import HOLD, RESET, Script, Wire, in_thread, reply

pytestmark = pytest.mark.e2e

FAMILIES: Final = {
    "tidegate_breaker_state": "gauge",
    "tidegate_config_last_reload_successful": "gauge",
    "tidegate_config_last_reload_timestamp_seconds": "gauge",
    "tidegate_config_reloads": "counter",
    "tidegate_certificate_expiry_timestamp_seconds": "gauge",
    "tidegate_credential_expiry_timestamp_seconds": "gauge",
    "tidegate_credential_held": "gauge",
    "tidegate_credential_last_used_timestamp_seconds": "gauge",
    "tidegate_credential_reloads": "counter",
    "tidegate_draining": "gauge",
    "tidegate_error_budget_remaining_ratio": "gauge",
    "tidegate_in_flight": "gauge",
    "tidegate_limiter_tokens": "gauge",
    "tidegate_limiter_wait_seconds": "histogram",
    "tidegate_overhead_seconds": "histogram",
    "tidegate_pause_remaining_seconds": "gauge",
    "tidegate_queue_depth": "gauge",
    "tidegate_ready": "gauge",
    "tidegate_request_bytes": "counter",
    "tidegate_request_duration_seconds": "histogram",
    "tidegate_requests": "counter",
    "tidegate_response_bytes": "counter",
    "tidegate_retries": "counter",
    "tidegate_retry_budget_tokens": "gauge",
    "tidegate_slo_burn_rate": "gauge",
    "tidegate_slo_events": "counter",
    "tidegate_slo_excluded": "counter",
    "tidegate_slo_good": "counter",
    "tidegate_slo_objective_ratio": "gauge",
    "tidegate_upstream_duration_seconds": "histogram",
}


def configured(url: str, key_file: Path) -> dict[str, Any]:
    """Return one provider for each thing that a policy can do."""
    sections: dict[str, dict[str, Any]] = {
        "acme": {
            "credential": {"scheme": "bearer", "token": f"file:{key_file}"}, "retry": {"base": "1ms", "cap": "2ms"},
        },
        "open": {"retry": False, "breaker": {"failures": 1}},
        "narrow": {"rate_limit": {"limits": ["1/1h"], "max_wait": "0s"}},
        "watched": {"rate_limit": {"limits": ["1/1h"], "max_wait": "0s", "mode": "report"}},
        "paused": {},
        "held": {},
    }  # fmt: skip
    return {name: {"base_url": url, **own} for name, own in sections.items()}


class Scene:
    """A sidecar, its scripted provider, and what the metrics said when all was over."""

    def __init__(self, sidecar: Sidecar, wire: Wire) -> None:
        self.sidecar = sidecar
        self._wire = wire
        self.calls = 0
        self.text = ""
        self._values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}

    def call(self, request: str, *scripts: Script, body: bytes | None = None) -> int:
        """Send `METHOD /path`, with the provider answering so; returns the status."""
        self._wire.play(*(scripts or (reply(200, b"hello"),)))
        method, path = request.split(" ")
        connection = http.client.HTTPConnection("127.0.0.1", self.sidecar.port, timeout=10)
        connection.request(method, path, body)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        self.calls += 1
        return answer.status

    def scrape(self) -> None:
        """Read the metrics as they are now."""
        self.text = self.sidecar.admin("/metrics")[1].decode()
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        }

    def scrape_until(self, true: Callable[[], bool]) -> None:
        """Read the metrics until something holds: a call is counted a moment after its answer has gone out."""
        ends_at = time.monotonic() + 10
        self.scrape()
        while not true():
            assert time.monotonic() < ends_at, self.text
            time.sleep(0.02)
            self.scrape()

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample's value, None when there is no such series."""
        return self._values.get((f"tidegate_{name}", frozenset(labels.items())))

    def total(self, name: str) -> float:
        """Return the sum over all series of a name."""
        return sum(value for (found, _), value in self._values.items() if found == f"tidegate_{name}")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("metrics")
    key_file = folder / "key"
    key_file.write_text("example-1")
    with in_thread(Wire()) as wire, Sidecar(folder, configured(wire.url, key_file)) as sidecar:
        made = Scene(sidecar, wire)
        call_in_all_ways(made)
        reload_everything(made, sidecar, key_file)
        wire.play([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nheld", HOLD])
        caller = http.client.HTTPConnection("127.0.0.1", sidecar.port, timeout=10)
        caller.request("GET", "/held/x")
        caller.getresponse()
        made.scrape_until(lambda: made.total("requests_total") >= made.calls)
        yield made
        caller.close()


def call_in_all_ways(scene: Scene) -> None:
    for _ in range(3):
        assert scene.call("GET /acme/x") == 200
    assert scene.call("POST /acme/x", reply(201, b"made"), body=b"0123456789") == 201
    assert scene.call("GET /acme/x", reply(404, b"")) == 404
    assert scene.call("GET /acme/x", reply(299, b"")) == 299
    assert scene.call("GET /acme/x", reply(503, b""), reply(500, b""), reply(200, b"")) == 200
    assert scene.call("POST /acme/x", [RESET], body=b"01234") == 502
    assert [scene.call("POST /open/x", reply(500, b""), body=b"") for _ in range(2)] == [500, 503]
    assert [scene.call("GET /narrow/x") for _ in range(2)] == [200, 429]
    assert [scene.call("GET /watched/x") for _ in range(2)] == [200, 200]
    assert [scene.call("POST /paused/x", reply(429, b"", b"Retry-After: 120")) for _ in range(2)] == [429, 503]
    assert scene.call("GET /nowhere/x") == 404


def reload_everything(scene: Scene, sidecar: Sidecar, key_file: Path) -> None:
    with socket.create_connection(("127.0.0.1", sidecar.port)) as malformed:
        malformed.sendall(b"NO HTTP\r\n\r\n")
        assert malformed.recv(100).startswith(b"HTTP/1.1 400 ")
    key_file.write_text("example-2")
    sidecar.tell(signal.SIGHUP)
    scene.scrape_until(lambda: scene.value("config_reloads_total", result="loaded") is not None)
    broken = sidecar.config.with_suffix(".broken")
    broken.write_text(sidecar.config.read_text() + "\nnonsense: true\n")
    broken.replace(sidecar.config)  # in one step, so that it is refused once
    scene.scrape_until(lambda: scene.value("config_reloads_total", result="refused") is not None)
    scene.scrape_until(lambda: scene.value("credential_reloads_total", provider="acme", result="loaded") is not None)


def test_promtool_finds_nothing_to_say(scene: Scene) -> None:
    command = [program("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=scene.text, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_promised_family_is_there_with_its_kind(scene: Scene) -> None:
    kinds = {family.name: family.type for family in text_string_to_metric_families(scene.text)}
    assert {name: kinds.get(name) for name in FAMILIES} == FAMILIES


def test_openmetrics_is_well_formed_too(scene: Scene) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", scene.sidecar.admin_port, timeout=10)
    connection.request("GET", "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    text = connection.getresponse().read().decode()
    connection.close()
    found = openmetrics_families(text)  # type: ignore[no-untyped-call]  # the library has no types here
    assert {family.name for family in found} >= set(FAMILIES)


@pytest.mark.parametrize(
    ("provider", "method", "code", "source", "reason", "count"),
    [
        ("acme", "GET", "200", "provider", "", 4),
        ("acme", "POST", "201", "provider", "", 1),
        ("acme", "GET", "404", "provider", "", 1),
        ("acme", "GET", "other", "provider", "", 1),
        ("acme", "POST", "502", "network", "connection_dropped", 1),
        ("open", "POST", "500", "provider", "", 1),
        ("open", "POST", "503", "sidecar", "circuit_open", 1),
        ("narrow", "GET", "200", "provider", "", 1),
        ("narrow", "GET", "429", "sidecar", "rate_limited", 1),
        ("watched", "GET", "200", "provider", "", 2),
        ("paused", "POST", "429", "provider", "", 1),
        ("paused", "POST", "503", "sidecar", "provider_paused", 1),
        ("-", "GET", "404", "sidecar", "unknown_provider", 1),
    ],
)
def test_calls_are_counted_by_what_became_of_them(
    scene: Scene, provider: str, method: str, code: str, source: str, reason: str, count: int
) -> None:
    found = scene.value("requests_total", provider=provider, method=method, code=code, source=source, reason=reason)
    assert found == count


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("request_duration_seconds_count", {"provider": "acme", "method": "GET"}, 6),
        ("request_duration_seconds_count", {"provider": "acme", "method": "POST"}, 2),
        ("overhead_seconds_count", {"provider": "acme"}, 8),
        ("limiter_wait_seconds_count", {"provider": "acme"}, 8),
        ("upstream_duration_seconds_count", {"provider": "narrow", "phase": "first_byte"}, 1),
        ("upstream_duration_seconds_count", {"provider": "narrow", "phase": "connect"}, 1),
        ("upstream_duration_seconds_count", {"provider": "narrow", "phase": "tls"}, 0),
        ("request_bytes_total", {"provider": "acme"}, 15),
        ("response_bytes_total", {"provider": "acme"}, 19),
        ("retries_total", {"provider": "acme", "cause": "503"}, 1),
        ("retries_total", {"provider": "acme", "cause": "500"}, 1),
        ("breaker_state", {"provider": "open", "state": "open"}, 1),
        ("breaker_state", {"provider": "open", "state": "closed"}, 0),
        ("breaker_state", {"provider": "acme", "state": "closed"}, 1),
        ("breaker_transitions_total", {"provider": "open", "state": "open"}, 1),
        ("would_refuse_total", {"provider": "watched", "section": "rate_limit"}, 1),
        ("pauses_total", {"provider": "paused"}, 1),
        ("pause_remaining_seconds", {"provider": "acme"}, 0),
        ("ready", {}, 1),
        ("draining", {}, 0),
        ("config_last_reload_successful", {}, 0),
        ("build_info", {"version": __version__}, 1),
        ("in_flight", {"provider": "held"}, 1),
        ("in_flight", {"provider": "acme"}, 0),
        ("queue_depth", {"provider": "held"}, 0),
        ("requests_refused_total", {"reason": "bad_request"}, 1),
        ("config_reloads_total", {"result": "loaded"}, 1),
        ("config_reloads_total", {"result": "refused"}, 1),
        ("credential_reloads_total", {"provider": "acme", "result": "loaded"}, 1),
        ("log_dropped_total", {}, 0),
    ],
)
def test_everything_else_has_its_value(scene: Scene, name: str, labels: dict[str, str], value: float) -> None:
    assert scene.value(name, **labels) == value


def test_a_pause_is_told_until_it_ends(scene: Scene) -> None:
    assert 0 < (scene.value("pause_remaining_seconds", provider="paused") or 0) <= 120


def test_tokens_are_what_is_left(scene: Scene) -> None:
    assert 0 <= (scene.value("limiter_tokens", provider="narrow", limit="1/1h") or 0) < 0.1
    assert 490 < (scene.value("retry_budget_tokens", provider="acme") or 0) <= 500
    assert scene.value("retry_budget_tokens", provider="open") is None


def test_a_caller_of_an_unknown_provider_makes_no_series_of_its_name(scene: Scene) -> None:
    assert "nowhere" not in scene.text
