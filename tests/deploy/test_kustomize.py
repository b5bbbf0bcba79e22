"""What `kubectl apply -k` sends: valid for every Kubernetes that it is for, and safe in what it sets."""

from typing import Any

import kubernetes_validate
import pydantic
import pytest

from tests.support.kubernetes import FOLDER, Manifest, judge, minor, rendered, versions

NATIVE = (1, 29)
"""The first version with native sidecars by default."""
OLDEST = (1, 25)
"""The oldest version whose schemas there are."""
OVERLAYS = {"native": NATIVE, "classic": OLDEST, "job": NATIVE, "job-classic": OLDEST}
CASES = [("base", version) for version in versions(OLDEST)] + [
    (f"overlays/{name}", version) for name, first in OVERLAYS.items() for version in versions(first)
]


def found(overlay: str, *kinds: str) -> list[Manifest]:
    return [one for one in rendered(f"overlays/{overlay}") if one["kind"] in kinds]


def pod(overlay: str) -> Any:
    (workload,) = found(overlay, "Deployment", "Job")
    return workload["spec"]["template"]["spec"]


def sidecar(overlay: str) -> Any:
    containers = pod(overlay).get("initContainers", []) + pod(overlay)["containers"]
    (one,) = [container for container in containers if container["name"] == "tidegate"]
    return one


def labels(overlay: str) -> dict[str, str]:
    (workload,) = found(overlay, "Deployment", "Job")
    told: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return told


@pytest.mark.parametrize(("folder", "version"), CASES)
def test_everything_is_valid_for_the_version(folder: str, version: str) -> None:
    for manifest in rendered(folder):
        judge(manifest, version)


@pytest.mark.parametrize("folder", ["base", *(f"overlays/{name}" for name in OVERLAYS)])
def test_kubectl_makes_the_same_of_it_as_the_oldest_kustomize_that_it_is_for(folder: str) -> None:
    assert rendered(folder, "kubectl") == rendered(folder, "kustomize")


def test_the_versions_reach_from_the_first_with_native_sidecars_to_the_newest_known() -> None:
    native = versions(NATIVE)
    assert minor(native[0]) == NATIVE
    assert minor(native[-1]) == minor(kubernetes_validate.latest_version())
    assert len(native) >= 9


def test_there_is_no_overlay_without_its_case() -> None:
    assert {path.parent.name for path in FOLDER.glob("overlays/*/kustomization.yaml")} == set(OVERLAYS)


def test_a_misspelt_field_is_found() -> None:
    (manifest,) = found("native", "Deployment")
    (init,) = manifest["spec"]["template"]["spec"]["initContainers"]
    spec = {**pod("native"), "initContainers": [{**init, "restartPolicyy": "Always"}]}
    wrong = {**manifest, "spec": {**manifest["spec"], "template": {**manifest["spec"]["template"], "spec": spec}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        judge(wrong, versions(NATIVE)[0])


def test_a_misspelt_field_of_the_prometheus_operator_is_found() -> None:
    (monitor,) = found("native", "PodMonitor")
    with pytest.raises(pydantic.ValidationError):
        judge({**monitor, "spec": {**monitor["spec"], "podMetricsEndpoint": []}}, versions(NATIVE)[0])


@pytest.mark.parametrize("overlay", ["native", "job"])
def test_a_native_sidecar_stands_before_everything_else(overlay: str) -> None:
    first = pod(overlay)["initContainers"][0]
    assert (first["name"], first["restartPolicy"]) == ("tidegate", "Always")
    assert "lifecycle" not in first


@pytest.mark.parametrize("overlay", ["classic", "job-classic"])
def test_a_classic_sidecar_comes_first_and_holds_the_service_back_until_it_is_ready(overlay: str) -> None:
    first = pod(overlay)["containers"][0]
    assert first["name"] == "tidegate"
    assert "restartPolicy" not in first
    assert "/readyz" in first["lifecycle"]["postStart"]["exec"]["command"][2]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_sidecar_is_the_same_wherever_it_stands(overlay: str) -> None:
    apart = {"restartPolicy", "lifecycle"}
    assert {key: value for key, value in sidecar(overlay).items() if key not in apart} == {
        key: value for key, value in sidecar("native").items() if key not in apart
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_image_has_a_tag_that_is_a_version(overlay: str) -> None:
    containers = pod(overlay).get("initContainers", []) + pod(overlay)["containers"]
    assert [one["image"] for one in containers if one["image"].rpartition(":")[2] in {"", "latest", one["image"]}] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_policies_monitors_and_budgets_select_the_pod_and_not_the_whole_namespace(overlay: str) -> None:
    selectors = [one["spec"]["podSelector"]["matchLabels"] for one in found(overlay, "NetworkPolicy")]
    selectors += [one["spec"]["selector"]["matchLabels"] for one in found(overlay, "PodMonitor", "PodDisruptionBudget")]
    selectors += [one["spec"]["selector"] for one in found(overlay, "Service")]
    assert selectors
    assert [one for one in selectors if not one or not one.items() <= labels(overlay).items()] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_pod_may_ask_for_names(overlay: str) -> None:
    (policy,) = [one for one in found(overlay, "NetworkPolicy") if one["metadata"]["name"] == "tidegate"]
    (names,) = [rule for rule in policy["spec"]["egress"] if {"port": 53, "protocol": "UDP"} in rule["ports"]]
    (server,) = names["to"]  # a label of ours among these, and there is no DNS
    assert server["podSelector"] == {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]}


def test_each_way_of_scraping_finds_the_admin_port() -> None:
    (port,) = sidecar("native")["ports"]
    (monitor,) = found("native", "PodMonitor")
    assert [one["port"] for one in monitor["spec"]["podMetricsEndpoints"]] == [port["name"]]
    (by_service,) = found("classic", "ServiceMonitor")
    services = [one for one in found("classic", "Service") if one["metadata"].get("labels") == {"tidegate": "admin"}]
    assert by_service["spec"]["selector"]["matchLabels"] == {"tidegate": "admin"}
    assert [one["spec"]["ports"][0]["targetPort"] for one in services] == [port["name"]]
    assert [one["port"] for one in by_service["spec"]["endpoints"]] == [services[0]["spec"]["ports"][0]["name"]]


def test_a_classic_sidecar_in_a_job_is_told_to_end_and_the_job_keeps_its_own_result() -> None:
    _, report = pod("job-classic")["containers"]
    script = report["command"][2]
    assert '{"action": "drain"}' in script
    assert script.rstrip().endswith('exit "$status"')
    token = next(volume for volume in pod("job-classic")["volumes"] if volume["name"] == "tidegate-admin")
    mount = next(mount for mount in report["volumeMounts"] if mount["name"] == token["name"])
    assert f"$(cat {mount['mountPath']}/admin-token)" in script


def test_no_other_container_has_the_secrets() -> None:
    for overlay in OVERLAYS:
        others = [one for one in pod(overlay)["containers"] if one["name"] != "tidegate"]
        mounted = {mount["name"] for one in others for mount in one.get("volumeMounts", [])}
        assert "tidegate-secrets" not in mounted
