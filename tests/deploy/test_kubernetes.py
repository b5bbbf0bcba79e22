"""The published manifests: valid for every Kubernetes that has native sidecars, and safe in what they set."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from proxy.config import load
from tests.support.rules import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
MANIFESTS = ("configmap.yaml", "deployment.yaml", "networkpolicy.yaml")
FIRST = (1, 29)
"""The first version with native sidecars."""


def minor(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")[:2]))


VERSIONS = sorted({v for v in kubernetes_validate.utils.all_versions() if minor(v) >= FIRST}, key=minor)


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def pod() -> Any:
    return read("deployment.yaml")["spec"]["template"]["spec"]


def sidecar() -> Any:
    (found,) = pod()["initContainers"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_the_manifest_is_valid_for_the_version(name: str, version: str) -> None:
    kubernetes_validate.validate(read(name), version, strict=True)


def test_the_versions_reach_from_the_first_with_native_sidecars_to_the_newest_known() -> None:
    assert minor(VERSIONS[0]) == FIRST
    assert minor(VERSIONS[-1]) == minor(kubernetes_validate.latest_version())
    assert len(VERSIONS) >= 9


def test_a_misspelt_field_is_found() -> None:
    manifest = read("deployment.yaml")
    manifest["spec"]["template"]["spec"]["initContainers"][0]["restartPolicyy"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, VERSIONS[0], strict=True)


def test_the_kustomization_lists_every_manifest() -> None:
    assert set(read("kustomization.yaml")["resources"]) == set(MANIFESTS)
    assert {path.name for path in FOLDER.glob("*.yaml")} == {*MANIFESTS, "kustomization.yaml"}


def test_the_configuration_in_the_config_map_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text(read("configmap.yaml")["data"]["tidegate.yaml"], encoding="utf-8")
    settings = load(file)
    assert list(settings.providers) == ["stripe"]
    assert str(settings.admin.listen).endswith(f":{sidecar()['ports'][0]['containerPort']}")


def test_the_secret_lies_where_the_volume_is_mounted() -> None:
    text = read("configmap.yaml")["data"]["tidegate.yaml"]
    mounts = {mount["name"]: mount["mountPath"] for mount in sidecar()["volumeMounts"]}
    token = yaml.safe_load(text)["providers"]["stripe"]["credential"]["token"]
    assert Path(token.removeprefix("file:")).parent == Path(mounts["secrets"])


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
    assert (pod()["hostNetwork"], pod()["shareProcessNamespace"]) == (False, False)
    assert pod()["automountServiceAccountToken"] is False


def test_nothing_is_mounted_in_a_way_that_hides_updates() -> None:
    assert [mount for mount in sidecar()["volumeMounts"] if "subPath" in mount] == []


def test_the_drain_fits_into_the_grace_period() -> None:
    drain = yaml.safe_load(read("configmap.yaml")["data"]["tidegate.yaml"])["drain_timeout"]
    assert float(drain.removesuffix("s")) + 5 < pod()["terminationGracePeriodSeconds"]
