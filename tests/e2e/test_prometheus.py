"""The dashboard's questions and the alerting rules, asked of a real Prometheus that scrapes a live sidecar."""

import contextlib
import http.client
import json
import math
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from proxy.config import load
from proxy.monitoring.dashboard import render
from proxy.monitoring.rules import RUNBOOKS
from proxy.monitoring.rules import render as render_rules
from tests.support.grafana import interpolate, panels
from tests.support.prometheus import Prometheus
from tests.support.sidecar import Sidecar, free_port
from tests.support.tls import identity
from tests.support.wire import Wire, in_thread, reply

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ROUNDS: Final = 6  # of traffic, a bit more than a second each: a rate needs two scrapes, one of them after a change
SPAN_S: Final = 20
EMPTY: Final = {
    "Alerts": "no rule has held for long enough",
    "Alerts firing": "the same; the tile says 0",
}
"""Panels that may have nothing to show, with the reason."""

TOKEN: Final = "example-admin-token"
PLAIN: Final = {"preset": "mock", "breaker": False, "retry": False}


def configured(folder: Path, wire: Wire) -> dict[str, Any]:
    """Return one provider for each thing that the dashboard shows."""
    certificate, key = identity("client")
    for name, text in {"certificate": certificate, "key": key, "a": "example-a", "b": "example-b"}.items():
        (folder / name).write_text(text)
    (folder / "changing").write_text("example-0")
    two = {"scheme": "bearer", "token": [f"file:{folder}/a", f"file:{folder}/b"]}
    changing = {"scheme": "bearer", "token": f"file:{folder}/changing"}
    oauth2 = {
        "scheme": "oauth2", "grant": "client_credentials", "client_id": "app", "client_secret": "env:CLIENT_SECRET",
        "token_url": f"{wire.url}/token",
    }  # fmt: skip
    certified = {"client_certificate": f"file:{folder}/certificate", "client_key": f"file:{folder}/key"}
    return {
        "mock": {"slo": {"availability": "99%", "paths": {"/status/{code}": {"availability": "99%"}}}},
        "shared": {"preset": "mock", "accounts": {"eu": {}, "us": {}}},
        "down": {"preset": "mock", "retry": False, "breaker": {"failures": 1, "open": "60s"}},
        "failing": {"preset": "mock", "breaker": False, "retry": {"base": "1ms", "budget": {"capacity": 15}}},
        "throttled": PLAIN,
        "used-up": {**PLAIN, "rate_limit": {"hold_max": "1s"}, "profile": {"exhausted": [{"status": 402}]}},
        "narrow": {**PLAIN, "rate_limit": {"limits": ["2/1s"], "max_wait": "500ms"}},
        "watched": {**PLAIN, "rate_limit": {"limits": ["1/1h"], "max_wait": "0s", "mode": "report"}},
        "crowded": {**PLAIN, "bulkhead": {"in_flight": 1, "queue": 2, "max_wait": "2s"}},
        "refused": {**PLAIN, "credential": two},
        "rotated": {**PLAIN, "credential": changing},
        "fetched": {"base_url": f"{wire.url}/api", "credential": oauth2},
        "certified": {"base_url": "https://localhost:1", "tls": certified},
    }  # fmt: skip


def ask(port: int, method: str, target: str, body: str | None, headers: dict[str, str]) -> int:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


class Scene:
    """A sidecar, and a Prometheus that scrapes it."""

    def __init__(self, sidecar: Sidecar, prometheus: Prometheus, folder: Path) -> None:
        self.sidecar = sidecar
        self.prometheus = prometheus
        self.settings = load(sidecar.config)
        self._folder = folder
        self.callers = ThreadPoolExecutor(32)

    def call(self, target: str, **headers: str) -> int:
        """GET it; returns the status."""
        return ask(self.sidecar.port, "GET", target, None, headers)

    def act(self, action: str, **target: str) -> int:
        """Do something as an operator; returns the status."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        return ask(self.sidecar.admin_port, "POST", "/api/actions", json.dumps({"action": action, **target}), headers)

    def play(self) -> None:
        """Let everything happen that the dashboard shows, often enough."""
        for turn in range(ROUNDS):
            self.work(turn)
            time.sleep(0.4)
        self.misconfigure()

    def misconfigure(self) -> None:
        """Give the sidecar a configuration that it refuses, and wait until Prometheus knows."""
        broken = self.sidecar.config.with_suffix(".broken")
        broken.write_text(self.sidecar.config.read_text() + "\nnonsense: true\n")
        broken.replace(self.sidecar.config)
        self.prometheus.until(lambda: bool(self.prometheus.ask("tidegate_config_last_reload_successful == 0")))

    def work(self, turn: int) -> None:
        """Make calls of all kinds, and whatever else the dashboard tells of."""
        waiting = [self.callers.submit(self.call, "/crowded/delay/0.4") for _ in range(5)]
        waiting += [self.callers.submit(self.call, "/narrow/anything") for _ in range(3)]
        for target in (
            "/mock/anything", "/mock/bytes/2000", f"/mock/fail-first/1?key={turn}", "/mock/status/404", "/mock/drop",
            "/down/status/500", "/failing/status/500", "/throttled/throttle/1", "/used-up/status/402?retry_after=1",
            "/watched/anything", "/refused/status/401", "/fetched/x", "/nowhere/x",
        ):  # fmt: skip
            waiting.append(self.callers.submit(self.call, target))
        waiting.append(self.callers.submit(self.call, "/shared/anything", **{"Tidegate-Account": "eu"}))
        with socket.create_connection(("127.0.0.1", self.sidecar.port)) as malformed:
            malformed.sendall(b"NO HTTP\r\n\r\n")
            malformed.recv(100)
        for one in waiting:
            one.result()
        (self._folder / "changing").write_text(f"example-{turn}")
        assert self.act("breaker.close", provider="shared", account="us") == 200
        self.act("reload")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("prometheus")
    token = reply(
        200, b'{"access_token":"example","token_type":"Bearer","expires_in":3}', b"Content-Type: application/json"
    )
    with in_thread(Wire(token)) as wire:
        settings = {
            "admin": {"token": "env:ADMIN_TOKEN"},
            "log": {"sample": {"first": 0, "every": 10}},
            "audit": {"file": str(folder / "audit")},
            "tracing": {"endpoint": f"http://127.0.0.1:{free_port()}", "sample": 1.0},
            "slo": {"availability": "99.9%", "latency": {"percentile": 95, "under": "300ms"}, "window": "7d"},
        }
        env = {"ADMIN_TOKEN": TOKEN, "CLIENT_SECRET": "example"}
        with Sidecar(folder, configured(folder, wire), settings, env) as sidecar:
            rules = render_rules(load(sidecar.config), RUNBOOKS, kubernetes=False)
            rules = re.sub(r"\binterval: \w+", "interval: 1s", rules)  # a group's first turn comes within its interval
            with Prometheus(folder / "server", [f"127.0.0.1:{sidecar.admin_port}"], rules) as prometheus:
                made = Scene(sidecar, prometheus, folder)
                made.play()
                yield made
                made.callers.shutdown()


def questions(told: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield every question with its panel's title, and whether it is asked for a span of time."""
    for panel in panels(told):
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["range"]
    for annotation in told["annotations"]["list"]:
        yield annotation["name"], annotation["expr"], True


def has_data(found: list[dict[str, Any]]) -> bool:
    values = [value for one in found for _, value in (one.get("values") or [one["value"]])]
    return any(not math.isnan(float(value)) for value in values)


def test_every_question_of_the_dashboard_finds_data(scene: Scene) -> None:
    told = json.loads(render(scene.settings))
    variables = {
        "job": ["tidegate"],
        "instance": [f"127.0.0.1:{scene.sidecar.admin_port}"],
        "provider": sorted(scene.settings.providers),
    }
    silent = []
    for title, expr, spans in questions(told):
        asked = interpolate(expr, variables, "4s")
        found = scene.prometheus.ask_range(asked, SPAN_S) if spans else scene.prometheus.ask(asked)
        if not has_data(found) and title not in EMPTY:
            silent.append(f"{title}: {asked}")
    assert silent == [], "\n".join(silent)


def test_every_rule_is_evaluated_without_an_error(scene: Scene) -> None:
    server = scene.prometheus
    server.until(lambda: all(rule["health"] != "unknown" for rule in server.rules()), within_s=30)
    assert [(rule["name"], rule["lastError"]) for rule in server.rules() if rule["health"] != "ok"] == []
    assert {rule["type"] for rule in server.rules()} == {"alerting", "recording"}
