"""The whole file: what Prometheus takes, of every configuration, with metrics that there really are."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy import __version__
from proxy.cli import main
from proxy.config import load
from proxy.monitoring.rules import RUNBOOKS, groups, render
from proxy.presets import Presets
from proxy.settings import Settings
from tests.support.alerting import CONFIG, promtool, settings_of
from tests.support.presets import NEEDS
from tests.support.rules import ROOT
from tests.support.sidecar import Sidecar

METRIC = re.compile(r"\btidegate_[a-z0-9_]+")

CATALOGUE = yaml.safe_dump(
    {
        "slo": {"availability": "99.9%", "latency": {"percentile": 99, "under": "2s"}},
        "providers": {name: dict(NEEDS.get(name, {})) for name in Presets().names if name != "apns"},  # not served yet
    }
)
ACCOUNTS = yaml.safe_dump(
    {"providers": {"stripe": {"accounts": {f"a{n}": {"credential": {"token": f"file:/{n}"}} for n in range(200)}}}}
)
EXAMPLES = sorted(path.name for path in (ROOT / "config" / "examples").glob("*.yaml"))


def configurations() -> Iterator[tuple[str, Settings]]:
    yield "all alerts", settings_of(CONFIG)
    yield "make run", load(ROOT / "config" / "tidegate.yaml")
    yield "the catalogue", settings_of(CATALOGUE)
    yield "many accounts", settings_of(ACCOUNTS)
    yield "no providers", settings_of("providers: {}")
    for name in EXAMPLES:
        yield name, load(ROOT / "config" / "examples" / name)


def test_prometheus_takes_the_rules_of_every_configuration(tmp_path: Path) -> None:
    names = []
    for number, (_, settings) in enumerate(configurations()):
        for job in ("", "shop/sidecars"):
            names.append(f"{number}{'-job' if job else ''}.yaml")
            (tmp_path / names[-1]).write_text(render(settings, RUNBOOKS, job=job), encoding="utf-8")
    assert len(names) >= 20
    done = promtool(tmp_path, "check", "rules", *names)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def test_prometheus_would_say_if_something_were_wrong(tmp_path: Path) -> None:
    text = render(settings_of(CONFIG), RUNBOOKS).replace("sum by (", "sum bye (", 1)
    (tmp_path / "rules.yaml").write_text(text, encoding="utf-8")
    assert promtool(tmp_path, "check", "rules", "rules.yaml").returncode != 0


def expressions(settings: Settings) -> list[str]:
    return [rule.expr for group in groups(settings) for rule in group.rules]


def recorded(settings: Settings) -> set[str]:
    return {rule.told("")["record"] for group in groups(settings) for rule in group.rules if "record" in rule.told("")}


@pytest.mark.e2e
def test_every_metric_that_a_rule_reads_is_one_that_a_running_sidecar_tells(tmp_path: Path) -> None:
    settings = settings_of(CONFIG)
    text = "\n".join(expressions(settings))
    for name in sorted(recorded(settings), key=len, reverse=True):
        text = text.replace(name, "")
    read = set(METRIC.findall(text))
    assert len(read) >= 20
    mock = {"mock": {"slo": {"availability": "99.9%"}}}
    more = {"admin": {"token": "env:ADMIN_TOKEN"}, "audit": {"file": str(tmp_path / "audit.log")}}
    with Sidecar(tmp_path, mock, more, {"ADMIN_TOKEN": "made-up-admin-token"}) as sidecar:
        told = sidecar.admin("/metrics")[1].decode()
    families = dict(re.findall(r"^# TYPE (\S+) (\S+)$", told, re.MULTILINE))
    histograms = {name + end for name, kind in families.items() if kind == "histogram" for end in ("_bucket", "_count")}
    assert read - families.keys() - histograms == set()


def test_every_recording_is_read_and_nothing_is_read_that_is_not_recorded() -> None:
    settings = settings_of(CONFIG)
    names = recorded(settings)
    read = {name for expr in expressions(settings) for name in re.findall(r"\b[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", expr)}
    assert read == names


def test_every_alert_names_its_runbook_and_every_runbook_has_its_alert() -> None:
    there = {path.name for path in (ROOT / RUNBOOKS).glob("*.md")} - {"README.md"}
    settings = settings_of(CONFIG)
    named = {rule.runbook for group in groups(settings) for rule in group.rules if hasattr(rule, "runbook")}
    assert named == there


def test_every_alert_has_what_an_alert_needs() -> None:
    for group in yaml.safe_load(render(settings_of(CONFIG), "https://docs.example.com/runbooks"))["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                assert rule["labels"]["severity"] in {"page", "ticket"}
                assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
                assert rule["annotations"]["runbook_url"].startswith("https://docs.example.com/runbooks/")


def test_the_same_configuration_gives_the_same_text_whatever_the_order_of_its_providers() -> None:
    one, other = "providers: {mock: {}, stripe: {}, paypal: {}}", "providers: {stripe: {}, paypal: {}, mock: {}}"
    assert render(settings_of(one), RUNBOOKS) == render(settings_of(other), RUNBOOKS)


def test_only_configured_providers_are_watched() -> None:
    text = render(settings_of("providers: {stripe: {}}"), RUNBOOKS)
    assert 'provider="stripe"' in text
    assert "mock" not in text


def test_the_head_tells_how_it_was_made() -> None:
    settings = settings_of("providers: {}")
    assert render(settings, RUNBOOKS).startswith(f"# Made by `tidegate rules` of tidegate {__version__}.\n")
    other = render(settings, "https://r.example/x", kubernetes=True, job="my shop").partition("\n")[0]
    assert "`tidegate rules --kubernetes --job 'my shop' --runbooks https://r.example/x`" in other


def test_for_kubernetes_the_same_groups_are_a_resource_of_the_operator() -> None:
    settings = settings_of(CONFIG)
    found = yaml.safe_load(render(settings, RUNBOOKS, kubernetes=True))
    assert (found["apiVersion"], found["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert found["metadata"]["name"] == "tidegate"
    assert found["spec"] == yaml.safe_load(render(settings, RUNBOOKS))


def test_a_job_narrows_every_selector_and_names_the_resource() -> None:
    settings = settings_of(CONFIG)
    found: Any = yaml.safe_load(render(settings, RUNBOOKS, kubernetes=True, job="Shop/Side_cars"))
    assert found["metadata"]["name"] == "tidegate-shop-side-cars"
    for group in found["spec"]["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["job"] == "Shop/Side_cars"
            bare = re.sub(r"\{[^{}]*job=\"Shop/Side_cars\"\}", "", rule["expr"])
            assert not re.search(r"tidegate_[a-z0-9_:]+\{", bare), rule["expr"]


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text("providers: {mock: {}}", encoding="utf-8")
    assert main(["rules", "--config", str(file), "--job", "shop", "--runbooks", "https://r.example"]) == 0
    expected = render(load(file), "https://r.example", job="shop")
    assert capsys.readouterr().out == expected
