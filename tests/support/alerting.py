"""What Prometheus itself makes of the alerts: `promtool test rules` over situations that are written as tables."""

import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from proxy.config import load
from proxy.monitoring.groups import Alert
from proxy.monitoring.rules import RUNBOOKS, groups, render
from proxy.settings import Settings
from tests.support.programs import program

CONFIG: Final = """
admin: {token: env:ADMIN_TOKEN}
audit: {file: /var/log/tidegate/audit.log}
providers:
  mock: {}                             # promises nothing, needs no credential
  paypal: {}                           # fetches access tokens
  stripe:
    credential: {token: [file:/etc/creds/new, file:/etc/creds/old]}
    slo:
      availability: 99.9%
      latency: {percentile: 95, under: 800ms}
      paths: {POST /v1/charges: {availability: 99%}}
  clearing:
    base_url: https://clearing.example.com
    tls: {client_certificate: file:/etc/creds/tls.crt, client_key: file:/etc/creds/tls.key}
    rate_limit: {limits: [10/1s], max_wait: 8s}
"""


@dataclass(frozen=True)
class Firing:
    """An alert as it arrives. labels: as in `severity=page provider=stripe`, but for its name; values hold no space
    unless they stand in `more`.
    """

    labels: str
    summary: str
    description: str
    more: Mapping[str, str] | None = None

    def told(self, runbook: str) -> dict[str, Any]:
        labels = dict(pair.split("=", 1) for pair in self.labels.split())
        url = f"{RUNBOOKS}/{runbook}"
        texts = {"summary": self.summary, "description": self.description, "runbook_url": url}
        return {"exp_labels": {**labels, **(self.more or {})}, "exp_annotations": texts}


@dataclass(frozen=True)
class Case:
    """One situation. series: samples `every` so often, in promtool's notation. at: when one looks.

    firing: what has arrived by then of the alert `name`; nothing in a silent case.
    """

    what: str
    name: str
    runbook: str
    series: Mapping[str, str]
    at: str = "12m"
    firing: tuple[Firing, ...] = ()
    every: str = "1m"

    def told(self) -> dict[str, Any]:
        expected = [firing.told(self.runbook) for firing in self.firing]
        return {
            "name": self.what,
            "interval": self.every,
            "input_series": [{"series": series, "values": values} for series, values in self.series.items()],
            "alert_rule_test": [{"eval_time": self.at, "alertname": self.name, "exp_alerts": expected}],
        }


@cache
def settings_of(text: str = CONFIG) -> Settings:
    """Return a configuration as `tidegate rules` reads it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tidegate.yaml"
        file.write_text(text, encoding="utf-8")
        return load(file)


def alerts_of(settings: Settings, group: str) -> list[Alert]:
    """Return the alerts of a group, by name or its beginning."""
    found = [one for one in groups(settings) if one.name.startswith(group)]
    return [rule for one in found for rule in one.rules if isinstance(rule, Alert)]


def promtool(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run promtool in a folder."""
    command = [program("promtool"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=50, check=False)


def judge(folder: Path, cases: Iterable[Case], group: str, evaluate: str = "1m") -> str:
    """Play the situations against the groups of that name, evaluated so often.

    Returns: what went otherwise, "" when nothing did.
    """
    rules = yaml.safe_load(render(settings_of(), RUNBOOKS))
    chosen = [one for one in rules["groups"] if one["name"].startswith(group)]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": chosen}), encoding="utf-8")
    played = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": evaluate,
        "group_eval_order": [one["name"] for one in chosen],
        "tests": [case.told() for case in cases],
    }
    (folder / "cases.yaml").write_text(yaml.safe_dump(played, sort_keys=False, width=1000), encoding="utf-8")
    done = promtool(folder, "test", "rules", "cases.yaml")
    return "" if done.returncode == 0 else done.stdout + done.stderr


def untried(cases: Iterable[Case], alerts: Iterable[Alert]) -> set[str]:
    """Return the alerts that no case fires, or that none leaves silent, with the labels that tell rules apart."""
    cases = list(cases)
    fired = {_key(case.name, firing) for case in cases for firing in case.firing}
    silent = {case.name for case in cases if not case.firing}
    known = {(alert.name, alert.severity, *(alert.labels.get(key, "") for key in _TELLING)) for alert in alerts}
    return {" ".join(key) for key in known if key not in fired or key[0] not in silent}


_TELLING: Final = ("window", "sign", "path")


def _key(name: str, firing: Firing) -> tuple[str, ...]:
    labels = {**dict(pair.split("=", 1) for pair in firing.labels.split()), **(firing.more or {})}
    return (name, labels["severity"], *(labels.get(key, "") for key in _TELLING))
