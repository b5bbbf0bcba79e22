"""The lock files: every dependency is pinned by hash, and none says where to fetch it."""

import re
import tomllib

import pytest

from tests.support.rules import ROOT

LOCKS = ("bench.txt", "run.txt", "test.txt")


def lock(name: str) -> str:
    return (ROOT / "requirements" / name).read_text(encoding="utf-8")


def pinned(name: str) -> dict[str, str]:
    """Return what a lock file pins: name to version."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock(name), re.MULTILINE))


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {re.split(r"[<>=]", entry)[0].lower() for entry in project["dependencies"]}


def test_these_are_all_lock_files() -> None:
    assert sorted(path.name for path in (ROOT / "requirements").glob("*.txt")) == sorted(LOCKS)


@pytest.mark.parametrize("name", LOCKS)
def test_no_registry_is_named(name: str) -> None:
    assert re.findall(r"https?://|file:|git\+|index-url|find-links|trusted-host", lock(name)) == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_a_hash(name: str) -> None:
    pins = [line for line in lock(name).splitlines() if re.match(r"[a-z]", line)]
    assert pins
    assert [line for line in pins if "==" not in line or not line.endswith("\\")] == []
    assert len(re.findall(r"\\\n    --hash=sha256:", lock(name))) >= len(pins)


def test_everything_that_the_sidecar_runs_on_is_pinned() -> None:
    assert declared() - pinned("run.txt").keys() == set()


def test_the_tests_run_with_the_versions_that_the_sidecar_runs_with() -> None:
    tested = pinned("test.txt")
    assert {name: tested.get(name) for name in pinned("run.txt")} == pinned("run.txt")


def test_aiohttp_and_yarl_hold_the_fixes_that_the_listener_counts_on() -> None:
    def version(name: str) -> tuple[int, ...]:
        return tuple(map(int, pinned("run.txt")[name].split(".")))

    assert version("aiohttp") >= (3, 14, 5)
    assert version("yarl") >= (1, 25, 1)
