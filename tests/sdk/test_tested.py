"""What the catalogue says was tested is what the tests in this folder run."""

from importlib.metadata import version
from typing import Final

import orjson
import pytest

from proxy.config import catalogue, preset
from tests.sdk.known import KNOWN
from tests.support.rules import ROOT

pytestmark = pytest.mark.sdk

SDK = {name: preset(name).data["profile"].get("sdk", {}) for name in catalogue()}
PYTHON = {name: sdk["tested"]["python"] for name, sdk in SDK.items() if "python" in sdk.get("tested", {})}
NODE = {name: sdk["tested"]["node"] for name, sdk in SDK.items() if "node" in sdk.get("tested", {})}
PINNED: Final = orjson.loads((ROOT / "tests/sdk/node/package.json").read_bytes())["dependencies"]


@pytest.mark.parametrize("name", sorted(PYTHON))
def test_the_tested_version_is_the_installed_one(name: str) -> None:
    distribution, told = PYTHON[name].split(" ")
    assert told == version(distribution)


def test_every_line_for_python_that_was_run_says_with_which_version() -> None:
    assert sorted(PYTHON) == sorted(name for name in KNOWN if SDK[name].get("python"))


def test_every_sdk_for_node_that_is_run_is_told_with_its_version() -> None:
    assert sorted(NODE.values()) == sorted(f"{name} {pinned}" for name, pinned in PINNED.items())


def test_no_address_of_a_registry_is_pinned() -> None:
    lock = orjson.loads((ROOT / "tests/sdk/node/package-lock.json").read_bytes())
    assert lock["packages"][""]["dependencies"] == PINNED
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
