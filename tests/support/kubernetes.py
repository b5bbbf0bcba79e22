"""Kubernetes manifests: rendered by kustomize, judged by the schemas of the API server and of the Prometheus operator.

for manifest in rendered("overlays/native"):
    judge(manifest, "1.29.0")
"""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import kubernetes_validate
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tests.support.rules import ROOT

FOLDER: Final = ROOT / "deploy" / "kubernetes"
TOOLS: Final = ("kustomize", "kubectl")
Manifest = dict[str, Any]
Text = Annotated[str, Field(min_length=1)]
Span = Annotated[str, Field(pattern=r"^([0-9]+[smhd])+$")]


class Part(BaseModel):
    """A part of a resource that has these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Metadata(Part):
    name: str
    labels: dict[str, str] = {}


class Selector(Part):
    match_labels: dict[str, str] = Field(alias="matchLabels", min_length=1)


class Endpoint(Part):
    port: str
    path: str
    interval: Span
    scrape_timeout: Span = Field(alias="scrapeTimeout")


class Pods(Part):
    selector: Selector
    pod_metrics_endpoints: list[Endpoint] = Field(alias="podMetricsEndpoints", min_length=1)


class Services(Part):
    selector: Selector
    endpoints: list[Endpoint] = Field(min_length=1)


class Recording(Part):
    record: Text
    expr: Text
    labels: dict[str, str] = {}


class Alert(Part):
    alert: Text
    expr: Text
    wait: Span = Field("0s", alias="for")
    keep_firing_for: Span = "0s"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Group(Part):
    name: Text
    interval: Span = "1m"
    rules: list[Recording | Alert] = Field(min_length=1)


class Rules(Part):
    groups: list[Group] = Field(min_length=1)


class Custom(Part):
    api_version: Literal["monitoring.coreos.com/v1"] = Field(alias="apiVersion")
    metadata: Metadata


class PodMonitor(Custom):
    kind: Literal["PodMonitor"]
    spec: Pods


class ServiceMonitor(Custom):
    kind: Literal["ServiceMonitor"]
    spec: Services


class PrometheusRule(Custom):
    kind: Literal["PrometheusRule"]
    spec: Rules


OPERATOR: Final = TypeAdapter[PodMonitor | ServiceMonitor | PrometheusRule](
    Annotated[PodMonitor | ServiceMonitor | PrometheusRule, Field(discriminator="kind")]
)
"""What monitoring.coreos.com/v1 takes, as far as it is used here; the operator's API reference has the rest."""


def minor(version: str) -> tuple[int, ...]:
    """Return what versions are compared by: (1, 29) of 1.29.0."""
    return tuple(map(int, version.split(".")[:2]))


def versions(first: tuple[int, int]) -> list[str]:
    """Return all versions of Kubernetes from this one on whose schemas there are."""
    return sorted({one for one in kubernetes_validate.utils.all_versions() if minor(one) >= first}, key=minor)


def judge(manifest: Manifest, version: str) -> None:
    """Raise a ValidationError when that version refuses the manifest, an unknown field included."""
    if manifest["apiVersion"] == "monitoring.coreos.com/v1":
        OPERATOR.validate_python(manifest)
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


@cache
def rendered(folder: str, tool: str = "") -> list[Manifest]:
    """Return what kustomize makes of a folder below deploy/kubernetes.

    tool: `kustomize`, or `kubectl` with the one inside of it; whichever there is unless it is named. Skips without.
    """
    found = next((path for name in ([tool] if tool else TOOLS) if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"{tool or ' or '.join(TOOLS)} is missing: what can be judged without is in test_kubernetes.py")
    verb = "kustomize" if Path(found).name == "kubectl" else "build"
    done = subprocess.run([found, verb, FOLDER / folder], capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise AssertionError(done.stderr)
    return list(yaml.safe_load_all(done.stdout))


def read(path: str) -> Any:
    """Return a file below deploy/kubernetes as it is written."""
    return yaml.safe_load((FOLDER / path).read_text(encoding="utf-8"))
