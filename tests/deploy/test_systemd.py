"""The units: understood by systemd, hardened, in step with each other and with the configuration."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from proxy.check import check
from proxy.config import load
from proxy.core.units import parse_duration
from tests.support.rules import ROOT

FOLDER = ROOT / "deploy" / "systemd"
UNITS = ("tidegate.service", "tidegate@.service")
ANALYZE = shutil.which("systemd-analyze") or ""
with_systemd = pytest.mark.skipif(not ANALYZE, reason="systemd is not on this machine, nor can it be put there alone")
EXPOSURE = 15
"""The highest exposure that is accepted, in tenths; systemd-analyze calls everything below 20 fine."""


def lines(unit: str) -> list[str]:
    text = (FOLDER / unit).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def values(unit: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in lines(unit) if line.startswith(f"{key}=")]


@with_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_understands_the_unit(unit: str, tmp_path: Path) -> None:
    copy = tmp_path / unit.replace("@", "@blue")  # with a program that is there
    copy.write_text((FOLDER / unit).read_text("utf-8").replace("/opt/tidegate/bin/tidegate", "/bin/true"), "utf-8")
    done = subprocess.run([ANALYZE, "verify", "--man=no", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@with_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_is_little_exposed(unit: str) -> None:
    command = [ANALYZE, "security", "--offline=yes", f"--threshold={EXPOSURE}", str(FOLDER / unit)]
    done = subprocess.run([*command, "--json=short"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, [one for one in json.loads(done.stdout) if not one["set"]]


@with_systemd
def test_an_exposed_unit_is_found(tmp_path: Path) -> None:
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    command = [ANALYZE, "security", "--offline=yes", f"--threshold={EXPOSURE}", str(bare)]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_both_units_are_hardened_alike() -> None:
    def hardening(unit: str) -> list[str]:
        found = lines(unit)
        return found[found.index("StateDirectory=tidegate") :]

    assert hardening(UNITS[0]) == hardening(UNITS[1])
    assert "NoNewPrivileges=yes" in hardening(UNITS[0])


@pytest.mark.parametrize("unit", UNITS)
def test_stopping_may_take_as_long_as_draining(unit: str) -> None:
    settings = load(FOLDER / "tidegate.yaml")
    (stop,) = values(unit, "TimeoutStopSec")
    assert settings.drain_delay + settings.drain_timeout + 5 < parse_duration(f"{stop}s")


def test_the_configuration_is_accepted_and_its_files_lie_where_the_unit_puts_them() -> None:
    assert check(FOLDER / "tidegate.yaml", secrets=False) == []
    settings = load(FOLDER / "tidegate.yaml")
    (credentials,) = values(UNITS[0], "LoadCredential")
    prefix = f"file:/run/credentials/{UNITS[0]}/{credentials.partition(':')[0]}_"
    refs = [str(ref) for _, ref in settings.secret_refs()]
    assert refs
    assert [ref for ref in refs if not ref.startswith(prefix)] == []
    assert settings.audit is not None
    assert Path(settings.audit.file).parent == Path("/var/lib") / values(UNITS[0], "StateDirectory")[0]


def test_the_slots_are_of_one_user_because_only_such_processes_share_a_port() -> None:
    assert values(UNITS[1], "User") == ["tidegate"]
    assert values(UNITS[1], "DynamicUser") == []


SYSTEMCTL = """#!/bin/sh
# Plays systemd: green serves as long as $STATE says so.
case "$*" in
"is-active --quiet tidegate@green") grep -q green "$STATE" ;;
"show --property MainPID --value "*) cat "$STATE.pid" ;;
"start "*) echo "$* $(cat "$TIDEGATE_RUN/replace")" >>"$STATE.done"; exit "$(cat "$STATE.exit")" ;;
*) echo "$*" >>"$STATE.done" ;;
esac
"""


class Machine:
    """A machine on which one slot serves, and hand-over.sh is run."""

    def __init__(self, folder: Path, serving: str, pid: int, start_exits: int = 0) -> None:
        self.folder = folder
        self._systemctl = folder / "systemctl"
        self._systemctl.write_text(SYSTEMCTL, encoding="utf-8")
        self._systemctl.chmod(0o755)
        for name, text in {"": serving, ".pid": str(pid), ".exit": str(start_exits)}.items():
            (folder / f"state{name}").write_text(text, encoding="utf-8")

    def hand_over(self) -> tuple[int, list[str]]:
        """Return the exit status and what systemctl was told to do."""
        path = f"{self.folder}:{os.environ['PATH']}"
        env = {"PATH": path, "STATE": str(self.folder / "state"), "TIDEGATE_RUN": str(self.folder / "run")}
        done = subprocess.run(["sh", FOLDER / "hand-over.sh"], env=env, capture_output=True, check=False)
        told = self.folder / "state.done"
        return done.returncode, told.read_text("utf-8").splitlines() if told.exists() else []


@pytest.mark.parametrize(("old", "new"), [("blue", "green"), ("green", "blue")])
def test_the_hand_over_starts_the_other_slot_in_place_of_the_one_that_serves(
    old: str, new: str, tmp_path: Path
) -> None:
    status, told = Machine(tmp_path, old, 4711).hand_over()
    assert (status, told) == (
        0,
        [
            f"start tidegate@{new} REPLACE=--replace 4711",
            f"--quiet disable tidegate@{old}",
            f"--quiet enable tidegate@{new}",
        ],
    )
    assert list((tmp_path / "run").iterdir()) == []  # a restart later on replaces nobody


def test_a_new_one_that_can_not_start_changes_nothing(tmp_path: Path) -> None:
    status, told = Machine(tmp_path, "blue", 4711, start_exits=1).hand_over()
    assert (status, told) == (1, ["start tidegate@green REPLACE=--replace 4711"])
    assert list((tmp_path / "run").iterdir()) == []


def test_without_a_slot_that_serves_there_is_nothing_to_replace(tmp_path: Path) -> None:
    assert Machine(tmp_path, "none", 0).hand_over() == (1, [])


def test_the_unit_takes_what_the_hand_over_writes() -> None:
    (start,) = values(UNITS[1], "ExecStart")
    (file,) = values(UNITS[1], "EnvironmentFile")
    assert start.endswith(" $REPLACE")
    script = (FOLDER / "hand-over.sh").read_text(encoding="utf-8")
    (folder,) = re.findall(r"TIDEGATE_RUN:-([^}]+)}", script)
    assert file == f"-{folder}/replace"
