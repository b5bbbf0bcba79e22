"""The compose file and what it mounts: no engine runs here, so each name and port is held against its other end."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from proxy.config import load
from proxy.monitoring.dashboard import render
from proxy.monitoring.rules import RUNBOOKS
from proxy.monitoring.rules import render as render_rules
from proxy.sansio.hosts import HostRule
from tests.support.programs import program
from tests.support.rules import ROOT
from tests.support.sidecar import Sidecar

DEPLOY = ROOT / "deploy"
SIDECAR = DEPLOY / "compose" / "tidegate.yaml"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def services() -> Any:
    return read(DEPLOY / "compose.yaml")["services"]


def mounts(service: str) -> dict[str, Path]:
    """Return what lies where in the container."""
    split = [text.split(":") for text in services()[service]["volumes"]]
    assert [mode for _, _, mode in split] == ["ro"] * len(split)
    return {inside: (DEPLOY / outside).resolve() for outside, inside, _ in split}


def published(service: str) -> list[str]:
    return [text.rpartition(":")[2] for text in services()[service]["ports"]]


@pytest.mark.parametrize("service", ["app", "tidegate", "prometheus", "grafana"])
def test_every_mounted_file_is_there(service: str) -> None:
    assert [path for path in mounts(service).values() if not path.is_file()] == []


def test_every_port_is_open_to_this_machine_alone() -> None:
    ports = [port for service in services().values() for port in service.get("ports", ())]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_images_have_a_tag_and_no_registry() -> None:
    images = {name: service["image"] for name, service in services().items()}
    assert {name: image.rpartition(":")[2] for name, image in images.items()}.keys() == images.keys()
    assert all(":" in image and not image.endswith(":latest") for image in images.values())
    assert [image for image in images.values() if "." in image.partition("/")[0] and "/" in image] == []


def test_the_sidecar_is_built_from_the_dockerfile_and_runs_without_any_privilege() -> None:
    sidecar = services()["tidegate"]
    context = (DEPLOY / sidecar["build"]["context"]).resolve()
    assert (context / sidecar["build"]["dockerfile"]).is_file()
    assert (sidecar["read_only"], sidecar["cap_drop"]) == (True, ["ALL"])
    assert sidecar["security_opt"] == ["no-new-privileges:true"]


def test_the_sidecar_shares_the_loopback_of_the_service_which_publishes_its_admin_port() -> None:
    settings = load(SIDECAR)
    assert services()["tidegate"]["network_mode"] == "service:app"
    assert settings.egress.listen.is_local
    assert str(settings.admin.listen) == f"0.0.0.0:{published('app')[0]}"


def test_the_configuration_lies_where_the_image_looks_for_it() -> None:
    command = next(line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("CMD"))
    assert json.loads(command.removeprefix("CMD "))[-1] in mounts("tidegate")


def test_the_drain_fits_into_the_grace_period() -> None:
    settings = load(SIDECAR)
    grace_s = float(services()["tidegate"]["stop_grace_period"].removesuffix("s"))
    assert settings.drain_delay + settings.drain_timeout + 5 <= grace_s


def test_prometheus_asks_the_admin_port_under_a_name_that_is_let_in() -> None:
    (job,) = read(DEPLOY / "compose" / "prometheus.yml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["app:4781"]}]
    settings = load(SIDECAR)
    assert str(settings.admin.listen).endswith(":4781")
    assert HostRule(settings.admin.hosts).admits("app:4781")
    assert not HostRule(()).admits("app:4781")


def test_promtool_accepts_what_prometheus_reads() -> None:
    config = DEPLOY / "compose" / "prometheus.yml"
    done = subprocess.run([program("promtool"), "check", "config", config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    inside = {path.name: Path(where) for where, path in mounts("prometheus").items()}
    assert inside["prometheus.yml"] == Path("/etc/prometheus/prometheus.yml")  # where the image looks for it
    assert inside[read(config)["rule_files"][0]].parent == inside["prometheus.yml"].parent


def test_the_rules_are_those_of_the_configuration() -> None:
    written = (DEPLOY / "compose" / "rules.yaml").read_text(encoding="utf-8")
    assert written == render_rules(load(SIDECAR), RUNBOOKS, kubernetes=False), "run: make generated"


def test_the_dashboard_is_that_of_the_configuration() -> None:
    written = (DEPLOY / "grafana" / "dashboard.json").read_text(encoding="utf-8")
    assert written == render(load(SIDECAR)), "run: make generated"


def test_grafana_finds_its_data_source_and_the_dashboard() -> None:
    found = mounts("grafana")
    (source,) = read(found["/etc/grafana/provisioning/datasources/tidegate.yaml"])["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    assert published("prometheus") == ["9090"]
    every = read(DEPLOY / "compose" / "prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == every
    (provider,) = read(found["/etc/grafana/provisioning/dashboards/tidegate.yaml"])["providers"]
    (dashboard,) = [where for where, path in found.items() if path.name == "dashboard.json"]
    assert str(Path(dashboard).parent) == provider["options"]["path"]


@pytest.mark.e2e
def test_the_service_makes_its_calls_through_the_sidecar(tmp_path: Path) -> None:
    configured = read(SIDECAR)
    with Sidecar(tmp_path, configured["providers"], {"slo": configured["slo"]}) as sidecar:
        done = subprocess.run(
            [sys.executable, mounts("app")["/app.py"]],
            env={**os.environ, "TIDEGATE": f"127.0.0.1:{sidecar.port}", "CALLS": "20"},
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        text = sidecar.admin("/metrics")[1].decode()
    assert (done.returncode, done.stderr) == (0, "")
    calls = {
        sample.labels["provider"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "tidegate_request_duration_seconds_count"
    }
    assert sum(calls.values()) == 20


def test_the_service_calls_every_configured_provider() -> None:
    paths = re.findall(
        r'^    "([^"/]+)/[^"]+": \d+,$', mounts("app")["/app.py"].read_text(encoding="utf-8"), re.MULTILINE
    )
    assert set(paths) == set(load(SIDECAR).providers)
