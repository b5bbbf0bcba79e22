"""The audit log's files: what several processes, a crash and a full disk make of them."""

import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy.edge.observe import ledger as module
from proxy.edge.observe.ledger import Ledger
from proxy.sansio.chain import Follower, sha256

BIG = 1 << 20
RECORD = b'{"run":"r1","event":"call"}'


def opened(path: Path, max_bytes: int = BIG, keep: int = 3) -> Ledger:
    return Ledger(str(path), max_bytes, keep)


def append(ledger: Ledger, count: int = 1, **marks: object) -> int:
    return ledger.append([RECORD] * count, sha256, marks)


def follow(*paths: Path) -> Follower:
    follower = Follower([sha256])
    for path in paths:
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
            follower.read(line, f"{path.name}:{number}")
    follower.finish()
    return follower


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, as on a disk that is full there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_chain_goes_on_after_a_restart_and_only_the_owner_may_read(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    for _ in range(3):
        ledger = opened(path)
        assert append(ledger, 2) == 2
        ledger.close()
    follower = follow(path)
    assert (follower.findings.first, follower.records, follower.link.seq) == ([], 6, 6)
    assert path.stat().st_mode & 0o777 == 0o600


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    one, other = opened(path), opened(path)
    for _ in range(5):
        append(one, 3)
        append(other, 2)
    assert (follow(path).findings.first, follow(path).records) == ([], 25)


def test_a_full_file_becomes_an_older_part_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    one, other = opened(path, 500, 2), opened(path, 500, 2)
    for _ in range(6):
        append(one, 4)
        append(other, 4)
    parts = sorted(tmp_path.iterdir())
    assert [part.name for part in parts] == ["audit", "audit.1", "audit.2"]
    follower = follow(parts[2], parts[1], parts[0])
    assert (follower.findings.first, follower.link.seq) == ([], 48)
    assert follower.gaps.first == [
        f"audit.2:1: begins with record {48 - follower.records + 1}; the parts before are not here"
    ]


def test_a_restart_between_two_parts_continues_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    append(opened(path), 3)
    path.rename(tmp_path / "audit.1")
    append(opened(path), 3)
    assert (follow(tmp_path / "audit.1", path).findings.first, follow(path).link.seq) == ([], 6)


@pytest.mark.parametrize("whole", [0, 2])
def test_what_a_crash_left_of_a_line_stays_and_is_vouched_for(tmp_path: Path, whole: int) -> None:
    path = tmp_path / "audit"
    if whole:
        append(opened(path), whole)
    with path.open("ab") as file:
        file.write(b'{"seq":3,"prev":"0123')
    append(opened(path), 2)
    follower = follow(path)
    assert (follower.findings.first, follower.records) == ([], whole + 2)
    assert "22 bytes before it are torn" in follower.gaps.first[-1]
    assert b'{"seq":3,"prev":"0123\n' in path.read_bytes()


def test_a_full_disk_costs_what_is_not_whole_and_the_next_record_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    ledger = opened(path)
    append(ledger, 2)
    with file_limit(path.stat().st_size + 450):
        assert append(ledger, 5) == 2
        assert ledger.problem == "File too large"
        assert append(ledger) == 0
    assert append(ledger, 1, lost=4) == 1
    assert ledger.problem == ""
    follower = follow(path)
    assert (follower.findings.first, follower.records, follower.gaps.count) == ([], 5, 2)


def test_a_file_that_was_cut_while_it_is_written_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    ledger = opened(path)
    append(ledger, 5)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    append(ledger)
    assert follow(path).findings.first == ["audit:3: before it, records 3 to 5 are missing: removed"]


def test_a_file_that_was_taken_away_is_begun_again_with_the_same_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    ledger = opened(path)
    append(ledger, 5)
    path.unlink()
    append(ledger)
    assert follow(path).link.seq == 6


def test_a_part_that_can_not_be_begun_costs_no_record(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    (tmp_path / "audit.1").mkdir()
    (tmp_path / "audit.1" / "x").touch()
    (tmp_path / "audit.2").mkdir()
    (tmp_path / "audit.2" / "x").touch()
    ledger = opened(path, 500, 2)
    assert [append(ledger, 4) for _ in range(3)] == [4, 4, 4]
    assert ledger.problem.startswith("no new part can be begun: ")
    assert (follow(path).findings.first, follow(path).records) == ([], 12)


def test_what_is_no_audit_log_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("dear diary\n")
    with pytest.raises(ValueError, match="no audit log"):
        opened(path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a regular file"):
        opened(tmp_path / "pipe")
    assert path.read_text() == "dear diary\n"


def test_a_lock_that_somebody_else_keeps_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit"
    ledger = opened(path)
    monkeypatch.setattr(module, "_LOCK_S", 0.05)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert append(ledger) == 0
        assert "another process has held its lock" in ledger.problem
    assert append(ledger) == 1


def test_the_end_is_found_in_a_file_that_is_larger_than_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit"
    append(opened(path), 20)
    with path.open("ab") as file:
        file.write(b"y" * 1000)
    monkeypatch.setattr(module, "_LOOK_BYTES", 64)
    append(opened(path))
    assert (follow(path).findings.first, follow(path).link.seq) == ([], 21)
