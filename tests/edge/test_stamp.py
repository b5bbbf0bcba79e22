import os
from pathlib import Path

import pytest

from proxy.edge.stamp import stamp_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("one")
    return path


def test_a_file_that_stays_as_it_is_keeps_its_stamp(file: Path) -> None:
    assert stamp_of(file) == stamp_of(str(file)) is not None


def test_a_change_of_content_or_mode_shows_although_size_and_times_are_set_back(file: Path) -> None:
    seen = [stamp_of(file)]
    before = file.stat()
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    seen.append(stamp_of(file))
    file.chmod(0o600)
    seen.append(stamp_of(file))
    assert len(set(seen)) == 3


def test_another_file_of_the_same_content_behind_a_link_shows(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file.name)
    first = stamp_of(link)
    assert first == stamp_of(file)
    (tmp_path / "other").write_text("one")
    link.unlink()
    link.symlink_to("other")
    assert stamp_of(link) not in (first, None)


def test_what_can_not_be_looked_at_has_no_stamp(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "dangling").symlink_to("nowhere")
    assert [stamp_of(tmp_path / name) for name in ("a", "dangling", "nowhere", "nul\0")] == [None] * 4
