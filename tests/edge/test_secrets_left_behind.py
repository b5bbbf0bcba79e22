"""Secrets that a reload has left behind, and those who use them."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

from proxy.core.events import SecretRead
from proxy.core.secret import SecretRef
from proxy.edge.secrets import Secrets


def ignore(_: str) -> None:
    return None


def file_ref(path: Path, text: str = "sk_test_example") -> SecretRef:
    path.write_text(text)
    return SecretRef("file", str(path))


def test_a_change_is_told_for_each_account_and_once_where_it_is_the_providers_own(tmp_path: Path) -> None:
    secrets = Secrets(ignore)
    own, eu = file_ref(tmp_path / "own"), file_ref(tmp_path / "eu")
    for ref, account in ((own, ""), (own, "eu"), (eu, "eu"), (eu, "us")):
        secrets.slot(ref, "stripe", account)
    for ref in (own, eu):
        file_ref(Path(ref.name), "sk_test_changed")
    assert secrets.refresh() == [
        SecretRead("stripe", str(own), "loaded"),
        SecretRead("stripe", str(eu), "loaded", account="eu"),
        SecretRead("stripe", str(eu), "loaded", account="us"),
    ]


def test_what_is_left_behind_is_read_no_more_and_what_stays_goes_on(tmp_path: Path) -> None:
    secrets = Secrets(ignore)
    stays, goes = file_ref(tmp_path / "stays"), file_ref(tmp_path / "goes")
    slot = secrets.slot(stays, "stripe")
    secrets.slot(stays, "removed")
    secrets.slot(goes, "removed")
    secrets.keep([stays], {("stripe", "")})
    for ref in (stays, goes):
        file_ref(Path(ref.name), "sk_test_changed")
    assert secrets.refresh() == [SecretRead("stripe", str(stays), "loaded")]
    assert secrets.slot(stays, "stripe") is slot
    again = secrets.slot(goes, "back")
    assert again.secret is not None
    assert (again.secret.reveal(), again.generation) == ("sk_test_changed", 1)


def test_a_command_that_is_left_behind_runs_no_more(tmp_path: Path) -> None:
    path, runs = tmp_path / "command", tmp_path / "runs"
    path.write_text(f"#!{sys.executable}\nopen({str(runs)!r}, 'a').write('x')\nprint('sk_test_example')\n")
    path.chmod(0o755)
    ref = SecretRef("exec", str(path))
    secrets = Secrets(ignore)
    secrets.configure(10.0, 0.01)

    async def scenario() -> None:
        await secrets.prepare([ref])
        watching = asyncio.create_task(secrets.watch(0.01, lambda _: None))
        while len(runs.read_text()) < 2:  # noqa: ASYNC110 - a process, whose end nothing tells
            await asyncio.sleep(0.01)
        secrets.keep([], set())
        await asyncio.sleep(0.3)  # one that was running comes to its end
        count = len(runs.read_text())
        await secrets.reread()
        await asyncio.sleep(0.3)
        assert len(runs.read_text()) == count
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    asyncio.run(scenario())


def test_a_value_is_as_old_as_the_change_of_its_file(tmp_path: Path) -> None:
    secrets = Secrets(ignore)
    ref = file_ref(tmp_path / "key")
    os.utime(ref.name, (1_700_000_000, 1_700_000_000))
    slot = secrets.slot(ref)
    assert slot.since_ts == 1_700_000_000
    os.utime(ref.name, (1_800_000_000, 1_800_000_000))
    secrets.refresh()
    assert slot.since_ts == 1_700_000_000  # touched, and the same value
    file_ref(Path(ref.name), "sk_test_changed")
    os.utime(ref.name, (1_900_000_000, 1_900_000_000))
    secrets.refresh()
    assert slot.since_ts == 1_900_000_000
