"""The audit log of a real process: killed, restarted, shared, damaged, and out of reach."""

import json
import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.support.rules import ROOT
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.e2e

KEY = {"AUDIT_KEY": "sk_test_audit_key", "ADMIN_TOKEN": "sk_test_admin_token"}


def sidecar(folder: Path, audit: Path, **more: object) -> Sidecar:
    settings = {
        "admin": {"token": "env:ADMIN_TOKEN"},
        "audit": {"file": str(audit), "key": "env:AUDIT_KEY", "caller": "x-caller", **more},
    }
    return Sidecar(folder, {"mock": {}}, settings, env=KEY)


def ask(port: int, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def call(one: Sidecar) -> None:
    path, headers = "/mock/anything?key=sk_test_audit_key", {"X-Caller": "billing sk_test_admin_token"}
    assert ask(one.port, "GET", path, headers) == 200


def act(one: Sidecar, token: str, body: dict[str, str]) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return ask(one.admin_port, "POST", "/api/actions", headers, json.dumps(body).encode())


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def verify(*files: Path) -> tuple[int, str]:
    """Run `tidegate audit verify`: its exit status and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "proxy", "audit", "verify", "--key", "env:AUDIT_KEY", *map(str, files)],
        cwd=ROOT, env={**os.environ, **KEY}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def until_written(path: Path, count: int) -> None:
    ends_at = time.monotonic() + 10
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() < ends_at, path.read_text()
        time.sleep(0.02)


def test_calls_and_actions_are_recorded_without_secrets_and_outlast_a_kill(tmp_path: Path) -> None:
    audit = tmp_path / "audit"
    with sidecar(tmp_path / "one", audit) as one:
        call(one)
        assert act(one, "sk_test_wrong_token", {"action": "reload"}) == 401
        assert act(one, "sk_test_admin_token", {"action": "breaker.report", "provider": "mock"}) == 200
        until_written(audit, 4)
        one.tell(signal.SIGKILL)
        one.process.wait(10)
        said = one.stdout.read_text()
    with audit.open("ab") as file:
        file.write(b'{"seq":5,"prev":"00')  # as if the kill had come in mid-write
    with sidecar(tmp_path / "two", audit) as two:
        call(two)
        until_written(audit, 6)
        assert two.stop() == 0
    status, told = verify(audit)
    assert (status, "20 bytes before it are torn" in told, "whole: 7 records of 2 runs" in told) == (0, True, True), (
        told
    )
    kept = [json.loads(line) for line in audit.read_bytes().splitlines() if not line.endswith(b'"00')]
    assert [one["event"] for one in kept] == ["began", "call", "action", "action", "began", "call", "ended"]
    assert (kept[1]["caller"], kept[1]["path"].startswith("/anything")) == ("billing [secret]", True)
    assert [one.get("result") for one in kept[2:4]] == ["refused", "done"]
    assert "sk_test" not in audit.read_text() + said.replace("/two", "")


def test_two_processes_share_a_log_that_is_whole(tmp_path: Path) -> None:
    audit = tmp_path / "audit"
    with sidecar(tmp_path / "one", audit) as one, sidecar(tmp_path / "two", audit) as two:
        for _ in range(30):
            call(one)
            call(two)
        assert (one.stop(), two.stop()) == (0, 0)
    status, told = verify(audit)
    assert (status, "whole: 64 records of 2 runs" in told) == (0, True), told


def test_damage_is_found_and_the_oldest_parts_may_be_gone(tmp_path: Path) -> None:
    audit = tmp_path / "audit"
    with sidecar(tmp_path / "one", audit, max_size="64KiB", keep=1) as one:
        for _ in range(5):
            for _ in range(60):
                call(one)
            time.sleep(0.15)  # a part begins between two pieces
        assert one.stop() == 0
    parts = [tmp_path / "audit.1", audit]
    assert verify(*parts)[0] == 0
    lines = audit.read_bytes().splitlines(keepends=True)
    audit.write_bytes(b"".join([*lines[:1], lines[1].replace(b'"status":200', b'"status":201'), *lines[3:]]))
    status, told = verify(*parts)
    assert status == 1
    assert f"{audit}:2: the record was changed" in told
    assert f"{audit}:3: before it, record {records(audit)[2]['seq'] - 1} is missing: removed" in told


@pytest.mark.parametrize("kind", ["a folder", "other text"])
def test_a_file_that_can_not_be_one_refuses_the_start(tmp_path: Path, kind: str) -> None:
    audit = tmp_path / "audit"
    if kind == "a folder":
        audit.mkdir()
    else:
        audit.write_text("dear diary\n")
    one = sidecar(tmp_path / "one", audit).spawn()
    assert one.process.wait(20) == 2
    said = one.stderr.read_text()
    assert "audit.file: can't be written there: " in said
    assert "write another path" in said


def test_another_file_wants_a_restart_and_other_keys_do_not(tmp_path: Path) -> None:
    audit = tmp_path / "audit"
    with sidecar(tmp_path / "one", audit) as one:
        section = {"file": str(audit), "key": "env:AUDIT_KEY"}
        for more in ({"file": str(tmp_path / "other")}, {"keep": 3}):
            one.write({"mock": {}}, {"audit": {**section, **more}})
            one.tell(signal.SIGHUP)
            ends_at = time.monotonic() + 10
            while sum(line["event"] == "config_read" for line in one.log()) < (2 if "keep" in more else 1):
                assert time.monotonic() < ends_at
                time.sleep(0.02)
        read = [line for line in one.log(all_of_it=True) if line["event"] == "config_read"]
        assert [line["result"] for line in read] == ["refused", "loaded"]
        assert "audit.file: can't change while tidegate runs" in read[0]["problems"][0]
        call(one)
        assert one.stop() == 0
    assert "caller" not in records(audit)[1]


def test_without_the_section_there_is_no_file_and_no_series(tmp_path: Path) -> None:
    with Sidecar(tmp_path / "one", {"mock": {}}) as one:
        call(one)
        assert b"tidegate_audit_" not in one.admin("/metrics")[1]
