"""The sidecar's manifest and configuration as they are written: what can be judged without kustomize."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy import __version__
from proxy.check import check
from proxy.config import load
from proxy.monitoring.rules import RUNBOOKS, render
from tests.support.kubernetes import FOLDER, judge, read, versions

CONFIG = FOLDER / "components" / "sidecar" / "tidegate.yaml"
PARTS = {"kustomization.yaml", "tidegate.yaml", "deployment.yaml", "job.yaml", "sidecar.yaml", "drain.yaml"}
"""What is no resource, or becomes one only when kustomize has added labels and the sidecar."""
WHOLE = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml") if path.name not in PARTS)


def patch() -> Any:
    return read("components/sidecar/sidecar.yaml")["spec"]["template"]


def pod() -> Any:
    return patch()["spec"]


def sidecar() -> Any:
    (one,) = pod()["initContainers"]
    return one


def classic() -> Any:
    """The step that gives a classic sidecar its hooks."""
    (steps,) = [yaml.safe_load(one["patch"]) for one in read("components/classic/kustomization.yaml")["patches"]]
    return next(step["value"] for step in steps if step["op"] == "add")


@pytest.mark.parametrize("version", versions((1, 29)))
def test_the_sidecar_in_a_service_is_valid_for_the_version(version: str) -> None:
    service = read("base/deployment.yaml")
    labels = patch()["metadata"]["labels"]
    merged = {**service["spec"]["template"]["spec"], **pod()}
    template = {"metadata": {"labels": labels}, "spec": merged}
    service["spec"] |= {"selector": {"matchLabels": labels}, "template": template}
    judge(service, version)


@pytest.mark.parametrize("name", WHOLE)
def test_a_resource_is_valid_by_itself(name: str) -> None:
    for version in versions((1, 25)):
        judge(read(name), version)


def test_these_are_the_resources() -> None:
    assert {Path(name).stem for name in WHOLE} == {
        "networkpolicy", "poddisruptionbudget", "podmonitor", "prometheusrule", "service", "servicemonitor",
    }  # fmt: skip


def test_every_file_has_its_place_in_a_kustomization() -> None:
    for kustomization in FOLDER.rglob("kustomization.yaml"):
        text = kustomization.read_text(encoding="utf-8")
        named = set(re.findall(r"[a-z]+\.yaml\b", "\n".join(line for line in text.splitlines() if line[:1] != "#")))
        assert named == {path.name for path in kustomization.parent.glob("*.yaml")} - {"kustomization.yaml"}


def test_the_configuration_is_accepted() -> None:
    assert check(CONFIG, secrets=False) == []
    assert str(load(CONFIG).admin.listen).endswith(f":{sidecar()['ports'][0]['containerPort']}")


def test_every_secret_lies_where_the_volume_is_mounted() -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in sidecar()["volumeMounts"]}
    refs = [str(ref) for _, ref in load(CONFIG).secret_refs()]
    assert len(refs) == 2
    assert {Path(ref.removeprefix("file:")).parent for ref in refs} == {Path(mounts["tidegate-secrets"])}


def test_the_admin_token_is_a_secret_of_its_own_that_may_be_missing() -> None:
    (volume,) = [volume for volume in pod()["volumes"] if volume["name"] == "tidegate-secrets"]
    assert volume["projected"]["defaultMode"] == 0o440
    assert [one["secret"] for one in volume["projected"]["sources"]] == [
        {"name": "tidegate-secrets"},
        {"name": "tidegate-admin", "optional": True},
    ]
    assert pod()["securityContext"] == {"fsGroup": sidecar()["securityContext"]["runAsGroup"]}


def test_the_sidecar_is_a_native_one_that_is_probed_on_the_admin_port() -> None:
    assert sidecar()["restartPolicy"] == "Always"
    probes = {name: sidecar()[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert probes == {
        "startupProbe": {"path": "/readyz", "port": "admin"},
        "readinessProbe": {"path": "/readyz", "port": "admin"},
        "livenessProbe": {"path": "/livez", "port": "admin"},
    }


def test_the_sidecar_runs_without_any_privilege() -> None:
    context = sidecar()["securityContext"]
    assert (context["runAsNonRoot"], context["readOnlyRootFilesystem"]) == (True, True)
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (pod()["hostNetwork"], pod()["shareProcessNamespace"]) == (False, False)
    assert pod()["automountServiceAccountToken"] is False


def test_memory_is_bounded_and_the_processor_is_not() -> None:
    assert list(sidecar()["resources"]["limits"]) == ["memory"]
    assert sorted(sidecar()["resources"]["requests"]) == ["cpu", "memory"]


def test_nothing_is_mounted_in_a_way_that_hides_updates() -> None:
    assert [mount for mount in sidecar()["volumeMounts"] if "subPath" in mount] == []


def test_the_drain_fits_into_the_grace_period() -> None:
    settings = load(CONFIG)
    assert settings.drain_delay + settings.drain_timeout + 5 < pod()["terminationGracePeriodSeconds"]


def test_a_classic_sidecar_outlasts_the_service_and_still_drains_within_the_grace_period() -> None:
    settings = load(CONFIG)
    program, seconds = classic()["preStop"]["exec"]["command"]
    assert program == "sleep"
    assert int(seconds) >= 25  # what the service may take
    assert int(seconds) + settings.drain_timeout + 5 < pod()["terminationGracePeriodSeconds"]


def test_the_image_is_the_one_of_this_version() -> None:
    (image,) = read("components/sidecar/kustomization.yaml")["images"]
    assert (image["name"], image["newTag"]) == (sidecar()["image"], __version__)


def test_the_alerts_are_those_of_the_configuration() -> None:
    written = (FOLDER / "components" / "alerts" / "prometheusrule.yaml").read_text(encoding="utf-8")
    assert written == render(load(CONFIG), RUNBOOKS, kubernetes=True), "run: make generated"
