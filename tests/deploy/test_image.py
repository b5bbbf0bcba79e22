"""The image's recipe and its bill of materials."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from proxy import __version__
from tests.support.programs import program
from tests.support.rules import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LOCK = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")


def pins() -> dict[str, tuple[str, set[str]]]:
    """What run.txt pins: name to version and hashes."""
    blocks = re.findall(r"^([a-z0-9-]+)==(\S+).*\n((?: +--hash=.*\n)+)", LOCK, re.MULTILINE)
    return {name: (version, set(re.findall(r"sha256:([0-9a-f]{64})", hashes))) for name, version, hashes in blocks}


def make_sbom(folder: Path) -> bytes:
    """Run `make sbom` in a copy of what it needs, with the environment of this test."""
    for name in ("Makefile", "pyproject.toml", "requirements", "proxy/__init__.py"):
        source, copy = ROOT / name, folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        [program("make"), "-s", "-o", ".venv/test.stamp", "sbom"],  # which is not made anew
        cwd=folder, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return (folder / "build" / "sbom.json").read_bytes()


@pytest.fixture(scope="module")
def sbom(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return json.loads(make_sbom(tmp_path_factory.mktemp("sbom")))


def test_the_bill_of_materials_is_one_of_this_version(sbom: Any) -> None:
    assert sbom["bomFormat"] == "CycloneDX"
    about = sbom["metadata"]["component"]
    assert (about["name"], about["version"], about["type"]) == ("tidegate", __version__, "application")
    assert about["licenses"][0]["license"]["id"] == "Apache-2.0"


def test_every_pinned_package_is_in_it_with_its_version_address_and_hashes(sbom: Any) -> None:
    def told(component: Any) -> tuple[str, str, set[str]]:
        found = [one for reference in component["externalReferences"] for one in reference.get("hashes", [])]
        return component["version"], component["purl"], {one["content"] for one in found if one["alg"] == "SHA-256"}

    expected = {name: (version, f"pkg:pypi/{name}@{version}", hashes) for name, (version, hashes) in pins().items()}
    assert len(expected) == len(re.findall("^[a-z].*==", LOCK, re.MULTILINE)) > 20
    found = {re.sub("[-_.]+", "-", one["name"]).lower(): told(one) for one in sbom["components"]}
    # A package that is pinned once per Python version would be here twice.
    assert {name: (version, purl.lower(), hashes) for name, (version, purl, hashes) in found.items()} == expected


def test_it_comes_out_the_same_each_time(sbom: Any, tmp_path: Path) -> None:
    assert json.loads(make_sbom(tmp_path)) == sbom
    assert "timestamp" not in sbom["metadata"]
    assert "serialNumber" not in sbom


def test_the_image_is_labelled_with_this_version() -> None:
    assert f'org.opencontainers.image.version="{__version__}"' in DOCKERFILE


def test_what_the_image_is_made_of_is_let_in_and_nothing_else() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    }
    assert copied == allowed
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_image_runs_as_nobody_in_particular_and_hears_signals() -> None:
    lines = DOCKERFILE.splitlines()
    assert "USER 65532:65532" in lines
    assert 'ENTRYPOINT ["tidegate"]' in lines
    assert [line for line in lines if fnmatch.fnmatch(line, "*EXPOSE*")] == ["EXPOSE 4781"]


def test_no_registry_is_named() -> None:
    bases = re.findall(r"^ARG (?:BUILD|BASE)=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert [base.split(":")[0] for base in bases] == ["python", "python"]


def test_both_bases_have_the_same_python() -> None:
    build, base = re.findall(r"^ARG (?:BUILD|BASE)=python:(\S+)$", DOCKERFILE, re.MULTILINE)
    assert base == build.replace("-", "-slim-")
