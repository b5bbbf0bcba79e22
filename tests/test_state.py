import time
from pathlib import Path
from typing import Any

from proxy import __version__
from tests.support.caller import run_on_uvloop
from tests.test_app import Running, running


def state_of(one: Running) -> Any:
    return one.app.control.state()


def test_it_tells_the_process_and_every_provider(tmp_path: Path) -> None:
    async def scenario() -> None:
        before = time.time()
        async with running(tmp_path, "slo: {availability: 99%}") as one:
            assert await one.status("/mock/status/500") == 500
            told = state_of(one)
        process = {key: told[key] for key in ("version", "ready", "readiness", "draining", "actions")}
        assert process == {
            "version": __version__,
            "ready": True,
            "readiness": [],
            "draining": False,
            "actions": False,
        }
        assert told["log"] == {"level": "info", "dropped": 0}
        assert before <= told["started_ts"] <= told["now_ts"] <= time.time()
        config = told["config"]
        assert (config["file"], config["problems"]) == (str(one.path), [])
        (mock,) = told["providers"]
        assert (mock["name"], mock["title"], mock["base_url"]) == ("mock", "Mock provider", "builtin:mock")
        assert mock["addresses"] == ["http://127.0.0.1:0/mock", "http://mock.localhost:0"]
        assert mock["sections"]["bulkhead"]["in_flight"] == 0
        assert [(slo["slo"], slo["objective"], slo["bad"]) for slo in mock["slo"]] == [("availability", 0.99, 1)]

    run_on_uvloop(scenario())


def test_it_tells_what_keeps_it_from_being_ready_and_why_a_reload_was_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        starting = state_of(Running(tmp_path / ".."))
        assert (starting["ready"], starting["readiness"], starting["providers"]) == (False, ["starting"], [])
        async with running(tmp_path) as one:
            one.write(more="nonsense: true\n")
            await one.app._reload()
            (problem,) = state_of(one)["config"]["problems"]
            assert "nonsense" in problem
            one.write()
            await one.app._reload()
            assert state_of(one)["config"]["problems"] == []

    run_on_uvloop(scenario())
