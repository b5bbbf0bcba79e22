import argparse
from pathlib import Path

import pytest

from proxy.cli import main


@pytest.mark.parametrize("command", ["top", "tail"])
def test_top_and_tail_ask_the_address_of_the_file_or_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text("providers: {mock: {}}\n")
    asked: list[tuple[str | None, Path | None]] = []

    def watch(arguments: argparse.Namespace) -> int:
        asked.append((arguments.admin, arguments.config))
        return 3

    monkeypatch.setattr(f"proxy.terminal.{command}.{command}", watch)
    assert main([command, "--config", str(file)]) == 3
    assert main([command, "--admin", "unix:/a"]) == 3
    assert asked == [(None, file), ("unix:/a", None)]
    monkeypatch.setattr("proxy.cli.WHERE", (tmp_path / "none.yaml", tmp_path / "neither.yaml"))
    assert main([command]) == 3
    monkeypatch.setattr("proxy.cli.WHERE", (tmp_path / "none.yaml", file))
    assert main([command]) == 3
    assert asked[2:] == [("http://127.0.0.1:4781", None), (None, file)]
