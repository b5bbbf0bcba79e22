"""`tidegate providers`: the catalogue, a page of it, and the beginning of another."""

from pathlib import Path

import pytest

from proxy.cli import main


def test_the_catalogue_is_a_table_or_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers"]) == 0
    assert " api.stripe.com\n" in capsys.readouterr().out
    assert main(["providers", "stripe"]) == 0
    assert "idempotency-key" in capsys.readouterr().out
    assert main(["providers", "nobody"]) == 2
    assert "stripe" in capsys.readouterr().err


def test_presets_of_the_users_own_are_shown_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "acme.yaml").write_text("base_url: https://api.acme.example\nprofile: {title: Acme}\n")
    assert main(["providers", "--catalogue", str(tmp_path)]) == 0
    assert "\nacme " in capsys.readouterr().out
    assert main(["providers", "acme", "--catalogue", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("acme: Acme\n")


def test_a_preset_is_begun_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers", "new", "acme", "--into", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith(f"wrote {tmp_path}/acme.yaml\n")
    assert main(["providers", "acme", "--catalogue", str(tmp_path)]) == 0
    assert "https://api.acme.example" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["new"], "give the new provider a name"),
        (["new", "stripe"], "in the catalogue already"),
        (["new", "No"], "can't be a provider's name"),
        (["new", "acme", "--catalogue", "x"], "write --into DIR"),
        (["new", "acme", "--into", "/proc/none"], "No such file"),
        (["stripe", "twilio"], "tidegate providers NAME to see one"),
        (["stripe", "--into", "x"], "tidegate providers NAME to see one"),
        (["--catalogue", "/nowhere"], "no folder /nowhere"),
    ],
)
def test_a_provider_that_can_not_be_shown_or_begun_says_why(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["providers", *arguments]) == 2
    assert text in capsys.readouterr().err
