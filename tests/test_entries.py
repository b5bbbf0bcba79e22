"""An entry of the catalogue is read as its name alone configures it, and its braces stay for people to see."""

from pathlib import Path

import pytest

from proxy.core.errors import ConfigError
from proxy.entries import read_entry
from proxy.presets import Presets


@pytest.fixture
def own(tmp_path: Path) -> Presets:
    (tmp_path / "bad.yaml").write_text("base_url: https://x.example.com\nretry:\n  attempts: many\n")
    (tmp_path / "set.yaml").write_text("base_url: https://{shop}.example.com\nvars: {shop: demo}\n")
    (tmp_path / "stripe.yaml").write_text("base_url: https://mine.example.com\n")
    return Presets(tmp_path)


@pytest.mark.parametrize("name", Presets().names)
def test_every_preset_of_the_catalogue_can_be_read(name: str) -> None:
    entry = read_entry(name, Presets())
    assert entry.name == name
    assert entry.profile.title


def test_what_stands_in_braces_is_needed_and_shown_in_braces() -> None:
    entry = read_entry("shopify", Presets())
    assert (entry.base_url, entry.needs) == ("https://{shop}.myshopify.com", ("shop",))


def test_braces_of_the_credential_are_needed_too() -> None:
    assert read_entry("azure-arm", Presets()).needs == ("tenant",)


def test_what_the_preset_fills_in_itself_is_not_needed(own: Presets) -> None:
    entry = read_entry("set", own)
    assert entry.needs == ()
    assert str(entry.provider.base_url) == "https://demo.example.com"


def test_a_preset_of_the_users_own_goes_before_the_catalogues(own: Presets) -> None:
    assert read_entry("stripe", own).base_url == "https://mine.example.com"


def test_a_mistake_in_a_preset_is_told_with_its_file_and_line(own: Presets, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_entry("bad", own)
    assert caught.value.problems == [f"{tmp_path}/bad.yaml:3: retry.attempts: must be a whole number"]
