"""What README and the pages on credentials, objectives and tracing tell to write is valid as it stands there."""

import re
from pathlib import Path

import pytest

from proxy.check import check
from tests.support.rules import ROOT

BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets() -> list[str]:
    pages = (
        ROOT / "README.md",
        ROOT / "docs" / "credentials.md",
        ROOT / "docs" / "slo.md",
        ROOT / "docs" / "tracing.md",
    )
    found = [text for page in pages for text in BLOCK.findall(page.read_text(encoding="utf-8"))]
    # A preset is no configuration.
    return [text for text in found if text.startswith(("providers:", "credential:", "slo:", "tracing:"))]


@pytest.mark.parametrize("text", snippets())
def test_a_snippet_is_accepted_as_it_is_written(text: str, tmp_path: Path) -> None:
    if text.startswith("credential:"):
        entry = "".join(f"    {line}" for line in text.splitlines(keepends=True))
        text = f"providers:\n  acme:\n    base_url: https://api.acme.example\n{entry}"
    if "providers:" not in text:
        text += "providers: {mock: {}}\n"
    file = tmp_path / "tidegate.yaml"
    file.write_text(text, encoding="utf-8")
    assert check(file, secrets=False) == []


def test_there_are_snippets_of_all_kinds() -> None:
    assert {text.partition(":")[0] for text in snippets()} == {"providers", "credential", "slo", "tracing"}
