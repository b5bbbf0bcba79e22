"""Every event reaches whoever is configured to hear of it, from one reload to the next."""

import fcntl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from proxy import observers as module
from tests.support.caller import run_on_uvloop
from tests.test_app import Running, running, until


def objectives(one: Running) -> list[tuple[object, object]]:
    """Return good ones and events of each."""
    return [(told["good"], told["events"]) for told in one.app.control.objectives()]


def metrics(one: Running) -> str:
    return one.app.control.metrics("")[0].decode()


def latency(one: Running) -> Mapping[str, Any]:
    state: Any = one.app.control.state()
    latency: Mapping[str, Any] = state["providers"][0]["latency"]
    return latency


def test_a_call_is_counted_logged_and_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path, "slo: {availability: 99%}") as one:
            assert await one.status("/mock/status/404") == 404
            assert await one.status("/mock/anything") == 200
            assert objectives(one) == [(1, 1)]
            assert 'requests_total{code="404",method="GET",provider="mock",reason="",source="provider"} 1.0' in (
                metrics(one)
            )
            kept = [orjson.loads(line) for line in one.app.control.recent.calls.since(0, 10)]
            assert [line["status"] for line in kept] == [404, 200]

    run_on_uvloop(scenario())


def test_objectives_come_change_and_go_with_the_configuration(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as one:
            await one.status("/mock/anything")
            assert objectives(one) == []
            assert "tidegate_slo_events_total{" not in metrics(one)
            for mock, events in (("slo: {availability: 99%}", 1), ("slo: {availability: 99.9%, window: 7d}", 2)):
                one.write(mock)
                await one.app._reload()
                await one.status("/mock/anything")
                assert objectives(one) == [(events, events)]
            one.write("slo: off")
            await one.app._reload()
            await one.status("/mock/anything")
            assert objectives(one) == []

    run_on_uvloop(scenario())


def test_a_tick_closes_the_points_that_are_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = 0.0
    monkeypatch.setattr(module, "now", lambda: time.monotonic() + ahead)

    async def scenario() -> None:
        nonlocal ahead
        async with running(tmp_path) as one:
            await one.status("/mock/anything")
            assert latency(one)["series"] == []
            ahead = 20.0
            one.app._observers.tick()
            ((_, calls, failed, *_),) = latency(one)["series"]
            assert (calls, failed) == (1, 0)

    run_on_uvloop(scenario())


def test_a_bug_in_one_observer_costs_no_call_and_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a surprise")

    async def scenario() -> None:
        async with running(tmp_path, "slo: {availability: 99%}") as one:
            monkeypatch.setattr(one.app._observers.log._lines, "of", broken)
            for _ in range(3):
                assert await one.status("/mock/status/503") == 503  # the breaker tells of its opening meanwhile
            assert objectives(one) == [(0, 3)]
            monkeypatch.undo()
            one.app._observers.log.flush()
            await until(lambda: "a surprise" in one.log.read_text())
            assert one.log.read_text().count("bug while an event was told") == 1

    run_on_uvloop(scenario())


def test_audit_records_that_are_lost_at_the_end_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.edge.observe.audit._CLOSE_S", 0.1)
    audit = tmp_path / "audit"

    async def scenario() -> None:
        async with running(tmp_path, more=f"audit: {{file: {audit}}}\n"):
            pass

    with audit.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run_on_uvloop(scenario())
    assert "its last records are lost" in (tmp_path / "log").read_text()
