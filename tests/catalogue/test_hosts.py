"""Regions, sandboxes and spare hosts are chosen by name, and lead to the provider's own domain."""

from pathlib import Path

import pytest
import yaml

from proxy.config import load
from proxy.core.errors import ConfigError
from proxy.presets import Presets
from tests.support.presets import NEEDS

NAMES = ("algolia", "mailgun", "mixpanel", "mixpanel-import", "openai", "svix")
HOSTS = [(name, host, url) for name in NAMES for host, url in Presets().read(name).data["profile"]["hosts"].items()]


@pytest.mark.parametrize(("name", "host", "url"), HOSTS, ids=[f"{name}-{host}" for name, host, _ in HOSTS])
def test_a_host_is_chosen_by_its_name_and_gets_the_same_credential(
    name: str, host: str, url: str, tmp_path: Path
) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text(yaml.safe_dump({"providers": {name: {**NEEDS.get(name, {}), "host": host}}}), encoding="utf-8")
    chosen = load(file).providers[name]
    assert str(chosen.base_url) == url.replace("{app}", "app1")
    assert chosen.section("credential")


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_a_host_of_ones_own_needs_what_fills_it(name: str, tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text(f"providers:\n  {name}: {{}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="vars"):
        load(file)
