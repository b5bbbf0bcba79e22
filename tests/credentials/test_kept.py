import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.core.errors import CredentialMissing
from proxy.credentials.kept import KeptToken, read_kept, write_kept
from tests.support.rules import ROOT

ORIGIN = "made-up-hash"


def kept(path: Path | None, configured: str = "ref_configured") -> KeptToken:
    return KeptToken(lambda: configured, None if path is None else str(path))


def loaded(path: Path | None, configured: str = "ref_configured") -> str:
    """What a fresh start uses."""
    return asyncio.run(kept(path, configured).load())


def test_the_first_one_is_the_configured_one(tmp_path: Path) -> None:
    assert loaded(tmp_path / "token") == "ref_configured"


@pytest.mark.parametrize("on_disk", [True, False])
def test_the_endpoints_own_wins_from_then_on(tmp_path: Path, on_disk: bool) -> None:
    made = kept(tmp_path / "token" if on_disk else None)

    async def scenario() -> None:
        await made.load()
        assert await made.replace("ref_2") == ""
        assert await made.load() == made.current() == "ref_2"

    asyncio.run(scenario())
    assert loaded(tmp_path / "token") == ("ref_2" if on_disk else "ref_configured")


def rotate(path: Path, configured: str, new: str) -> str:
    async def scenario() -> str:
        made = kept(path, configured)
        await made.load()
        return await made.replace(new)

    return asyncio.run(scenario())


def test_a_changed_configured_one_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "token"
    rotate(path, "ref_configured", "ref_2")
    assert loaded(path, "ref_by_the_user") == "ref_by_the_user"
    rotate(path, "ref_by_the_user", "ref_3")
    assert loaded(path, "ref_by_the_user") == "ref_3"


def test_a_change_while_it_runs_counts_at_once(tmp_path: Path) -> None:
    texts = ["ref_configured"]
    made = KeptToken(lambda: texts[-1], str(tmp_path / "token"))

    async def scenario() -> None:
        await made.load()
        await made.replace("ref_2")
        texts.append("ref_by_the_user")
        assert made.current() == "ref_by_the_user"
        assert await made.load() == "ref_by_the_user"

    asyncio.run(scenario())


def test_the_file_is_readable_for_its_owner_alone_and_holds_no_configured_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    os.umask(os.umask(0))  # whatever it is
    rotate(path, "ref_configured", "ref_2")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "ref_configured" not in path.read_text()
    assert [one.name for one in tmp_path.iterdir()] == ["token"]


def test_a_file_that_can_not_be_written_is_told_and_the_new_token_used(tmp_path: Path) -> None:
    made = kept(tmp_path / "nowhere" / "token")

    async def scenario() -> None:
        await made.load()
        problem = await made.replace("ref_2")
        assert (
            problem == f"the new refresh token can't be written to {tmp_path}/nowhere/token: No such file or directory"
        )
        assert made.current() == "ref_2"

    asyncio.run(scenario())


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b"null", b"\xff", b'{"configured_sha256":"made-up-hash"}'])
def test_a_file_of_something_else_counts_as_none(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(junk)
    assert read_kept(str(path), ORIGIN) == ""


def test_a_file_that_can_not_be_read_is_no_reason_to_send_the_configured_token_again(tmp_path: Path) -> None:
    with pytest.raises(CredentialMissing, match=r"can.t be read \(Is a directory\): make the file readable"):
        loaded(tmp_path)


def test_a_token_that_could_not_be_written_is_newer_than_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    made = kept(folder / "token")

    async def scenario() -> str:
        await made.load()
        await made.replace("ref_2")
        folder.rename(tmp_path / "away")
        assert await made.replace("ref_3")
        (tmp_path / "away").rename(folder)
        return await made.load()

    assert asyncio.run(scenario()) == "ref_3"
    assert loaded(folder / "token") == "ref_2"


def test_what_another_one_with_the_same_file_was_given_is_used_next(tmp_path: Path) -> None:
    one, other = kept(tmp_path / "token"), kept(tmp_path / "token")

    async def scenario() -> str:
        await one.load()
        await other.load()
        await one.replace("ref_2")
        return await other.load()

    assert asyncio.run(scenario()) == "ref_2"
    assert one.alone is other.alone
    assert one.alone is not kept(tmp_path / "another").alone


KILLED = """
import os, pathlib, signal, sys
from proxy.credentials import kept
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
setattr(*{"rename": (pathlib.Path, "replace", die), "sync": (os, "fsync", die)}[sys.argv[2]])
kept.write_kept(sys.argv[1], "made-up-hash", "ref_3")
"""


@pytest.mark.parametrize("where", ["rename", "sync"])
def test_a_process_that_is_killed_while_it_writes_leaves_the_old_token_whole(tmp_path: Path, where: str) -> None:
    path = tmp_path / "token"
    write_kept(str(path), ORIGIN, "ref_2")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), where], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert read_kept(str(path), ORIGIN) == "ref_2"
    write_kept(str(path), ORIGIN, "ref_4")
    assert read_kept(str(path), ORIGIN) == "ref_4"
    assert [one.name for one in tmp_path.iterdir()] == ["token"]


def test_a_link_in_the_place_of_the_fresh_file_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    (tmp_path / "token.new").symlink_to(other)
    write_kept(str(tmp_path / "token"), ORIGIN, "ref_2")
    assert other.read_text() == "precious"
