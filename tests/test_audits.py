"""`tidegate audit verify` as an auditor uses it."""

from pathlib import Path

import pytest

from proxy.audits import verify
from proxy.cli import main
from proxy.core.secret import Secret
from proxy.sansio.chain import BEGINNING, Digest, add, sha256


def write(folder: Path, parts: dict[str, int], digest: Digest = sha256) -> list[Path]:
    """Write one chain into parts, named from the oldest on, with so many records each."""
    link, number = BEGINNING, 0
    for name, count in parts.items():
        lines = []
        for _ in range(count):
            number += 1
            record = b'{"ts":"2027-01-15T08:00:%02dZ","run":"r1","event":"call"}' % number
            line, link = add(link, record, digest, {})
            lines.append(line)
        (folder / name).write_bytes(b"".join(lines))
    return [folder / name for name in parts]


def test_a_whole_log_passes_whatever_the_order_of_its_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = write(tmp_path, {"audit.2": 2, "audit.1": 3, "audit": 4})
    assert main(["audit", "verify", *map(str, reversed(files))]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "whole: 9 records of 1 run, 2027-01-15T08:00:01Z to 2027-01-15T08:00:09Z; the last is 9 with hash "
    )
    assert said.split()[-1] in files[-1].read_text()


def test_a_damaged_one_fails_with_a_line_for_each_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older, path = write(tmp_path, {"audit.1": 3, "audit": 3})
    path.write_bytes(path.read_bytes().replace(b":05Z", b":55Z"))
    assert verify([path, older], None) == 1
    assert capsys.readouterr().out.splitlines()[0].startswith(f"{path}:2: the record was changed")


def test_a_missing_part_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = write(tmp_path, {"audit.2": 2, "audit.1": 3, "audit": 4})
    assert verify([files[0], files[2]], None) == 1
    assert capsys.readouterr().out.startswith(f"{files[2]}:1: before it, records 3 to 5 are missing: removed\n")


def test_the_key_is_read_from_where_the_configuration_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = write(tmp_path, {"audit": 3}, Secret("sk_test_example").sign)
    (tmp_path / "key").write_text("sk_test_example\n")
    monkeypatch.setenv("OTHER", "sk_test_other")
    assert verify([path], f"file:{tmp_path / 'key'}") == 0
    assert verify([path], f"env:OTHER,file:{tmp_path / 'key'}") == 0
    assert verify([path], "env:OTHER") == 1
    capsys.readouterr()
    assert verify([path], None) == 1
    said = capsys.readouterr().out
    assert said.endswith("no records that fit; where audit.key is set, name it with --key\n")
    assert "sk_test" not in said


def test_what_can_not_be_read_is_a_mistake_and_not_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIDEGATE_TEST_UNSET", raising=False)
    (path,) = write(tmp_path, {"audit": 1})
    assert main(["audit", "verify", str(tmp_path / "none")]) == 2
    assert main(["audit", "verify", "--key", "env:TIDEGATE_TEST_UNSET", str(path)]) == 2
    assert main(["audit", "verify", "--key", "sk_test_example", str(path)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"{tmp_path / 'none'}: No such file or directory"
    assert said[1] == "--key env:TIDEGATE_TEST_UNSET: the variable is not set"
    assert "literal secret is refused" in said[2]
    assert "sk_test" not in said[2]


def test_an_empty_log_and_an_unfinished_line_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = write(tmp_path, {"audit": 2})
    with path.open("ab") as file:
        file.write(b'{"seq":3')
    assert verify([path], None) == 0
    assert capsys.readouterr().out.startswith("the last 8 bytes are no whole record: it is being written, or ")
    path.write_bytes(b"")
    assert verify([path], None) == 0
    assert capsys.readouterr().out.startswith("no records")


def test_a_file_of_something_else_is_told_in_a_hundred_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes").write_text("x\n" * 500)
    assert verify([tmp_path / "notes"], None) == 1
    said = capsys.readouterr().out.splitlines()
    assert (len(said), said[100]) == (102, "... and 400 more")
