"""The beginning of a preset holds every key with its explanation, and is valid with and without its examples."""

import re
from pathlib import Path

import pytest
import yaml

from proxy.core.profile import Profile
from proxy.entries import read_entry
from proxy.presets import Presets
from proxy.settings import Leg, Upstream
from proxy.skeleton import skeleton, write_skeleton
from proxy.stack import PER_CALL, PER_UPSTREAM

EXAMPLE = re.compile(r"^( *)# ([a-z_]+:.*)$", re.MULTILINE)
OF_THE_CONFIGURATION = {"preset", "listen", "accounts", "host", "slo"}
"""What only the entry that uses a preset can say."""


def keys(text: str) -> dict[str, object]:
    """Return what the text says when every example holds."""
    tree: dict[str, object] = yaml.safe_load(EXAMPLE.sub(r"\1\2", text))
    return tree


@pytest.mark.parametrize("name", ["acme", "a", "4", "on", "a-b-9"])
def test_it_is_valid_as_it_stands(name: str, tmp_path: Path) -> None:
    write_skeleton(name, tmp_path)
    presets = Presets(tmp_path)
    assert presets.problems() == []
    assert read_entry(name, presets).base_url == f"https://api.{name}.example"


def test_it_is_valid_with_all_its_examples(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(EXAMPLE.sub(r"\1\2", skeleton("acme")))
    entry = read_entry("acme", Presets(tmp_path))
    assert entry.profile.hosts == {"sandbox": "https://sandbox.acme.example"}
    assert entry.profile.secret_patterns[0].compiled().fullmatch(b"ac_" + b"x" * 20)


def test_no_key_of_a_profile_is_missing() -> None:
    assert set(keys(skeleton("acme"))["profile"]) == set(Profile.model_fields)  # type: ignore[call-overload]  # a mapping


def test_no_key_of_an_entry_is_missing_but_those_of_the_configuration() -> None:
    sections = {policy.section for policy in PER_CALL + PER_UPSTREAM}
    entry = set(Leg.model_fields) | set(Upstream.model_fields) | sections
    assert set(keys(skeleton("acme"))) == entry - OF_THE_CONFIGURATION


def test_every_example_of_a_profile_is_explained() -> None:
    lines = skeleton("acme").splitlines()
    bare = [line for at, line in enumerate(lines) if EXAMPLE.match(line) and " # " not in line.lstrip(" #")]
    assert [line.split(":")[0].strip(" #") for line in bare] == ["strip_headers", "strip_query"]  # told above them


def test_the_variable_is_named_after_the_provider() -> None:
    assert "{scheme: bearer, token: env:ACME_PAY_TOKEN}" in skeleton("acme-pay")


def test_what_to_do_next_is_told_with_names_and_places(tmp_path: Path) -> None:
    said = write_skeleton("acme", tmp_path / "new" / "folder")
    assert said.startswith(f"wrote {tmp_path}/new/folder/acme.yaml\n")
    assert f"catalogue: {tmp_path}/new/folder\n       providers: {{acme: {{}}}}" in said
    assert "export ACME_TOKEN=..." in said


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text("mine")
    with pytest.raises(ValueError, match="exists and is left as it is"):
        write_skeleton("acme", tmp_path)
    assert (tmp_path / "acme.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["../acme", "Acme", "", "-a", "new", "tidegate", "a/b", "a" * 64])
def test_a_name_that_can_be_none_writes_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be a provider's name"):
        write_skeleton(name, tmp_path / "into")
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_the_catalogue_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"write what is different under providers\.stripe"):
        write_skeleton("stripe", tmp_path)
