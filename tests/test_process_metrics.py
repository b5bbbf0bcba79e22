from pathlib import Path

import pytest

from proxy.config import Loaded
from proxy.edge.observe.metrics import Metrics
from proxy.process import Process
from proxy.process_metrics import tell_process
from proxy.settings import Settings


class Told:
    """What the metrics say about a process that a test changes."""

    def __init__(self) -> None:
        self.process = Process(Path("t.yaml"), Loaded("t.yaml", Settings(), {}), 1000.0, 2000.5)
        self.missing = ["starting"]
        self._metrics = Metrics((), dict)
        tell_process(self._metrics, self.process, lambda: self.missing)

    def value(self, name: str) -> float:
        lines = self._metrics.render()[0].decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"tidegate_{name} "))


@pytest.fixture
def told() -> Told:
    return Told()


def test_readiness_is_what_the_probe_says(told: Told) -> None:
    assert told.value("ready") == 0
    told.missing = []
    assert told.value("ready") == 1


def test_draining_is_told(told: Told) -> None:
    assert told.value("draining") == 0
    told.process.draining = True
    assert told.value("draining") == 1


def test_a_refused_configuration_is_told_until_a_good_one_is_read(told: Told) -> None:
    assert told.value("config_last_reload_successful") == 1
    told.process.problems = ("t.yaml:1: foo: unknown key",)
    assert told.value("config_last_reload_successful") == 0
    assert told.value("config_last_reload_timestamp_seconds") == 2000.5
    told.process.problems, told.process.read_ts = (), 3000.0
    assert told.value("config_last_reload_successful") == 1
    assert told.value("config_last_reload_timestamp_seconds") == 3000.0
