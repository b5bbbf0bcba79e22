"""The catalogue: what tidegate brings, and what the user puts over it."""

from pathlib import Path

import pytest

from proxy.core.errors import ConfigError
from proxy.presets import Presets


def test_the_built_in_presets_are_listed_and_read() -> None:
    presets = Presets()
    assert {"mock", "stripe"} <= set(presets.names)
    assert presets.read("stripe").file == "catalogue/stripe.yaml"
    assert any(pattern.contains == ("whsec_",) for pattern in presets.patterns())
    assert presets.problems() == []


def test_ones_own_stand_beside_and_over_them(tmp_path: Path) -> None:
    (tmp_path / "stripe.yaml").write_text("base_url: https://stripe.example\n")
    (tmp_path / "acme.yaml").write_text(
        "base_url: https://x\nprofile: {secret_patterns: [{pattern: acme_.+, contains: [acme_]}]}\n"
    )
    presets = Presets(tmp_path)
    assert {"acme", "mock", "stripe"} <= set(presets.names)
    assert presets.read("stripe").data == {"base_url": "https://stripe.example"}
    assert presets.read("acme").file == f"{tmp_path}/acme.yaml"
    assert [pattern.pattern for pattern in presets.patterns()][-1] == "acme_.+"


def test_what_is_no_providers_name_is_no_preset(tmp_path: Path) -> None:
    for name in ("README.md", "Acme.yaml", "tide gate.yaml", ".hidden.yaml"):
        (tmp_path / name).write_text("a: b\n")
    assert Presets(tmp_path).names == Presets().names


def test_every_problem_of_ones_own_presets_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("profile:\n  docs: [x]\n  titel: x\n")
    (tmp_path / "b.yaml").write_text("- x\n")
    assert Presets(tmp_path).problems() == [
        f"{tmp_path}/a.yaml:2: profile.docs: must be text; put it in quotes",
        f"{tmp_path}/a.yaml:3: profile.titel: unknown key; did you mean title?",
        f"{tmp_path}/b.yaml:1: (file): must be a mapping of keys to values, such as base_url: https://api.example.com",
    ]


def test_an_empty_preset_is_told_what_a_preset_holds(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text("# nothing yet\n")
    text = f"{tmp_path}/acme.yaml:1: (file): is empty; write at least: base_url: https://api.example.com"
    assert Presets(tmp_path).problems() == [text]


def test_a_preset_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        Presets(tmp_path).read("gone")


def test_shapes_are_told_for_one_preset_and_the_users_own_goes_first(tmp_path: Path) -> None:
    text = "base_url: https://x.example.com\nprofile: {secret_patterns: [{pattern: zz_, contains: [zz_]}]}\n"
    (tmp_path / "stripe.yaml").write_text(text)
    presets = Presets(tmp_path)
    assert [shape.contains for shape in presets.patterns_of("stripe")] == [("zz_",)]
    assert [shape.contains for shape in Presets().patterns_of("sendgrid")] == [("SG.",)]
    assert presets.patterns_of("mock") == ()
    assert set(Presets().patterns_of("sendgrid")) < set(Presets().patterns())
