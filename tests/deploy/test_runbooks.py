"""The runbooks are followed literally: their commands against a live tidegate, their queries by Prometheus' parser."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import pytest
import yaml

from proxy.monitoring.rules import RUNBOOKS
from tests.support.alerting import alerts_of, promtool, settings_of
from tests.support.programs import program
from tests.support.rules import ROOT
from tests.support.sidecar import Sidecar

FOLDER: Final = ROOT / RUNBOOKS
PAGES: Final = sorted(path.name for path in FOLDER.glob("*.md") if path.name != "README.md")
BLOCK: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SECTIONS: Final = ["What it means", "What to look at", "What to do", "When to escalate"]
TOKEN: Final = "made-up-admin-token"
FAILED: Final = "made-up-request-id"


def page(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def blocks(name: str) -> list[tuple[str, str]]:
    """Return language and text of every fenced block."""
    return [(kind, textwrap.dedent(text)) for _, kind, text in BLOCK.findall(page(name))]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """What the index says to set, for a tidegate that has seen good calls and bad ones."""
    for needed in ("curl", "jq"):
        program(needed)
    settings = {"admin": {"token": "env:ADMIN_TOKEN"}, "slo": {"availability": "99.9%"}}
    mock = {"mock": {"rate_limit": {"limits": ["100/1s"]}}}
    with Sidecar(tmp_path_factory.mktemp("sidecar"), mock, settings, {"ADMIN_TOKEN": TOKEN}) as sidecar:
        for path in ("anything", "status/503"):
            call(sidecar.port, f"/mock/{path}")
        yield {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ADMIN": f"http://127.0.0.1:{sidecar.admin_port}",
            "PROVIDER": "mock",
            "TOKEN": TOKEN,
            "CONFIG": str(sidecar.config),
            "REQUEST_ID": FAILED,
        }


def call(port: int, target: str) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", target, headers={"X-Request-Id": FAILED})
    connection.getresponse().read()
    connection.close()


SHOWN: Final = {
    "availability-budget-burn.md": '"budget_remaining"',
    "error-rate-high.md": "503\tprovider",
    "breaker-open.md": '"consecutive_failures"',
    "provider-paused.md": '"paused_s"',
    "limiter-saturated.md": "/anything",
    "bulkhead-full.md": '"in_flight"',
    "operator-override.md": "the breaker of mock decides by itself again",
    "config-reload-failed.md": "fine, 1 provider",
    "absent.md": "tidegate_build_info{",
    "overhead-high.md": "process_resident_memory_bytes",
}
"""What the commands of a page print of this sidecar, which lacks what the other pages are about."""


@pytest.mark.e2e
@pytest.mark.parametrize("name", PAGES)
def test_every_command_does_what_it_says_without_a_complaint(name: str, environment: Mapping[str, str]) -> None:
    said = ""
    for text in (text for kind, text in blocks(name) if kind == "sh"):
        command = ["sh", "-ec", text]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
        assert (done.returncode, done.stderr) == (0, ""), text
        said += done.stdout
    assert SHOWN.get(name, "") in said


def test_every_query_is_one(tmp_path: Path) -> None:
    queries = [text.strip() for name in PAGES for kind, text in blocks(name) if kind == "promql"]
    assert len(queries) >= len(PAGES)
    rules = [{"record": f"query:q{number}:parsed", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = promtool(tmp_path, "check", "rules", "queries.yaml")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("name", PAGES)
def test_all_are_built_alike(name: str) -> None:
    text = page(name)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert {kind for kind, _ in blocks(name)} <= {"sh", "promql", "console"}
    assert "promql" in {kind for kind, _ in blocks(name)}
    title = re.match(r"# Tidegate(\w+)\n", text)
    assert title is not None
    assert re.sub(r"(?<=[a-z])(?=[A-Z])", "-", title[1]).lower() + ".md" == name


def test_the_index_lists_every_alert_with_what_it_asks_for() -> None:
    asked: dict[tuple[str, str], set[str]] = {}
    for alert in alerts_of(settings_of(), "tidegate"):
        asked.setdefault((alert.name, alert.runbook), set()).add(alert.severity)
    listed = re.findall(r"^\| \[(\w+)\]\(([\w.-]+)\) \| ([a-z, ]+) \|", page("README.md"), re.MULTILINE)
    assert {(name, file): set(asks.split(", ")) for name, file, asks in listed} == asked


@pytest.mark.parametrize("name", ["README.md", *PAGES])
def test_links_lead_to_other_runbooks(name: str) -> None:
    assert [link for link in re.findall(r"\]\(([^)]+)\)", page(name)) if not (FOLDER / link).is_file()] == []
