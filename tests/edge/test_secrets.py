import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from proxy.core.events import Event, SecretRead
from proxy.core.secret import SecretRef, SecretSlot
from proxy.edge import secrets as module
from proxy.edge.secrets import Found, Secrets
from proxy.edge.stamp import Stamp


def file_ref(path: Path) -> SecretRef:
    return SecretRef("file", str(path))


def value(slot: SecretSlot) -> str | None:
    return slot.secret.reveal() if slot.secret is not None else None


def replace(path: Path, text: str) -> None:
    """Write as careful writers do: whoever reads sees the old text or the new one."""
    path.with_name("new").write_text(text)
    path.with_name("new").rename(path)


def ignore(_: str) -> None:
    return None


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("sk_test_example\n")
    return path


def test_a_variable_is_read_once() -> None:
    environ = {"KEY": "sk_test_example"}
    secrets = Secrets(ignore, environ)
    slot = secrets.slot(SecretRef("env", "KEY"))
    environ["KEY"] = "sk_test_other"
    assert secrets.refresh() == []
    assert secrets.slot(SecretRef("env", "KEY")) is slot
    assert value(slot) == "sk_test_example"


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({}, "the variable is not set"),
        ({"KEY": ""}, "is empty"),
        ({"KEY": "\udcff"}, "is not UTF-8 text"),
        (
            {"KEY": "a\r\nX-Evil: b"},
            "holds a control character (CR, LF, NUL or the like); only one final newline is allowed",
        ),
    ],
)
def test_a_variable_that_holds_no_secret_says_why(environ: Mapping[str, str], problem: str) -> None:
    slot = Secrets(ignore, environ).slot(SecretRef("env", "KEY"))
    assert (slot.secret, slot.problem) == (None, problem)


def test_a_file_is_read_at_once_without_its_final_newline(key: Path) -> None:
    slot = Secrets(ignore).slot(file_ref(key))
    assert (value(slot), slot.problem, slot.generation) == ("sk_test_example", "", 1)


def test_a_file_that_did_not_change_is_not_read_again(key: Path) -> None:
    secrets = Secrets(ignore)
    slot = secrets.slot(file_ref(key))
    assert secrets.refresh() == []
    assert slot.generation == 1


def test_a_changed_file_is_loaded_and_told_for_each_provider_that_uses_it(key: Path) -> None:
    secrets = Secrets(ignore)
    slot = secrets.slot(file_ref(key), "stripe")
    secrets.slot(file_ref(key), "billing")
    secrets.slot(file_ref(key), "stripe")
    key.write_text("sk_test_changed")
    assert secrets.refresh() == [
        SecretRead("stripe", f"file:{key}", "loaded"),
        SecretRead("billing", f"file:{key}", "loaded"),
    ]
    assert (value(slot), slot.generation) == ("sk_test_changed", 2)


def test_a_file_of_the_same_size_and_time_but_another_inode_is_seen(key: Path) -> None:
    secrets = Secrets(ignore)
    slot = secrets.slot(file_ref(key))
    state = key.stat()
    other = key.with_name("other")
    other.write_text("sk_test_swapped\n")
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.rename(key)
    secrets.refresh()
    assert value(slot) == "sk_test_swapped"


def test_a_touched_file_with_the_same_value_is_no_event(key: Path) -> None:
    secrets = Secrets(ignore)
    slot = secrets.slot(file_ref(key))
    os.utime(key, ns=(1, 1))
    assert secrets.refresh() == []
    assert slot.generation == 1


def _remove(key: Path) -> None:
    key.unlink()


def _empty(key: Path) -> None:
    key.write_text("")


def _split(key: Path) -> None:
    key.write_text("sk_test\r\nX-Evil: 1")


def _binary(key: Path) -> None:
    key.write_bytes(b"\xff\xfe")


def _fill(key: Path) -> None:
    key.write_text("a" * (64 * 1024 + 1))


def _directory(key: Path) -> None:
    key.unlink()
    key.mkdir()


def _pipe(key: Path) -> None:
    key.unlink()
    os.mkfifo(key)


def _loop(key: Path) -> None:
    key.unlink()
    key.symlink_to(key)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (_remove, "No such file or directory"),
        (_empty, "is empty"),
        (_split, "holds a control character (CR, LF, NUL or the like); only one final newline is allowed"),
        (_binary, "is not UTF-8 text"),
        (_fill, "is larger than 64 KiB"),
        (_directory, "Is a directory"),
        (_pipe, "is not a regular file"),
        (_loop, "Too many levels of symbolic links"),
    ],
)
def test_the_last_good_value_outlives_a_spoilt_file(key: Path, spoil: Callable[[Path], None], problem: str) -> None:
    secrets = Secrets(ignore)
    slot = secrets.slot(file_ref(key), "stripe")
    spoil(key)
    assert secrets.refresh() == [SecretRead("stripe", f"file:{key}", "failed", problem)]
    assert (value(slot), slot.generation, slot.problem) == ("sk_test_example", 1, problem)


def test_a_lasting_problem_is_told_once_and_its_end_too(key: Path) -> None:
    secrets = Secrets(ignore)
    slot = secrets.slot(file_ref(key), "stripe")
    key.rename(key.with_name("away"))
    results = [[event.result for event in secrets.refresh()] for _ in range(2)]
    key.with_name("away").rename(key)
    results.append([event.result for event in secrets.refresh()])
    assert results == [["failed"], [], ["loaded"]]
    assert (slot.problem, slot.generation) == ("", 1)


def test_a_file_that_comes_late_is_picked_up(tmp_path: Path) -> None:
    secrets = Secrets(ignore)
    slot = secrets.slot(file_ref(tmp_path / "late"), "stripe")
    assert (slot.secret, slot.problem) == (None, "No such file or directory")
    (tmp_path / "late").write_text("sk_test_example")
    assert [event.result for event in secrets.refresh()] == ["loaded"]
    assert value(slot) == "sk_test_example"


def test_a_path_that_no_system_knows_is_a_problem_and_no_crash() -> None:
    assert Secrets(ignore).slot(SecretRef("file", "/a\0b")).problem == "embedded null byte"


def test_no_problem_tells_a_part_of_the_value(key: Path) -> None:
    key.write_text("sk_test_example\x00tail")
    assert "sk_test" not in Secrets(ignore).slot(file_ref(key)).problem


def test_the_redactor_hears_of_a_value_before_it_can_be_used(key: Path) -> None:
    told: list[tuple[str, str | None]] = []
    slots: list[SecretSlot] = []
    secrets = Secrets(lambda text: told.append((text, value(slots[0]) if slots else None)))
    slots.append(secrets.slot(file_ref(key)))
    told.clear()
    key.write_text("sk_test_changed")
    secrets.refresh()
    assert told[0] == ("sk_test_changed", "sk_test_example")


def test_the_redactor_hears_of_every_value_in_use_again_when_one_changes(key: Path) -> None:
    told: list[str] = []
    secrets = Secrets(told.append, {"KEY": "sk_test_variable"})
    secrets.slot(SecretRef("env", "KEY"))
    secrets.slot(file_ref(key))
    told.clear()
    key.write_text("sk_test_changed")
    secrets.refresh()
    assert {"sk_test_variable", "sk_test_changed"} <= set(told)


def test_watching_tells_changes_and_reads_off_the_loop(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readers: list[threading.Thread] = []
    read = module._read_bytes

    def noted(path: str, most_kib: int) -> bytes:
        readers.append(threading.current_thread())
        return read(path, most_kib)

    async def watched() -> Event:
        secrets = Secrets(ignore)
        slot = secrets.slot(file_ref(key), "stripe")
        monkeypatch.setattr(module, "_read_bytes", noted)
        heard: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(secrets.watch(0.0, heard.set_result))
        replace(key, "sk_test_changed")
        event = await heard
        assert value(slot) == "sk_test_changed"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return event

    assert asyncio.run(watched()) == SecretRead("stripe", f"file:{key}", "loaded")
    assert readers
    assert threading.main_thread() not in readers


def test_a_surprise_costs_one_look_and_not_the_watch(
    key: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def watched() -> Event:
        secrets = Secrets(ignore)
        secrets.slot(file_ref(key), "stripe")
        heard: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        looked, look = asyncio.Event(), module.look

        def broken(known: Mapping[SecretRef, Stamp | None]) -> list[Found]:
            monkeypatch.setattr(module, "look", look)
            loop.call_soon_threadsafe(looked.set)
            raise RuntimeError("can't start new thread")

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(module, "look", broken)
        task = asyncio.create_task(secrets.watch(0.0, heard.set_result))
        await looked.wait()
        replace(key, "sk_test_changed")
        async with asyncio.timeout(5):
            event = await heard
        task.cancel()
        return event

    assert asyncio.run(watched()) == SecretRead("stripe", f"file:{key}", "loaded")
    assert [record.message for record in caplog.records] == ["bug while looking at the secrets"]


def test_a_loop_of_links_is_a_secret_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    secrets = Secrets(ignore)
    slot = secrets.slot(file_ref(tmp_path / "a"))
    assert secrets.refresh() == []
    assert slot.problem == "Too many levels of symbolic links"
