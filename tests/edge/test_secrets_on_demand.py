"""Secrets that are looked at out of turn, that a command prints, or that have several lines."""

import asyncio
import secrets as dice
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.core.events import Event, SecretRead
from proxy.core.secret import SecretRef, SecretSlot
from proxy.edge import secrets as module
from proxy.edge.secrets import Found, Secrets
from proxy.edge.stamp import Stamp


def ignore(_: str) -> None:
    return None


def value(slot: SecretSlot) -> str | None:
    return slot.secret.reveal() if slot.secret is not None else None


def put(path: Path, text: str) -> None:
    path.write_text(text)


def remove(ref: SecretRef) -> None:
    Path(ref.name).unlink()


def command(path: Path, text: str) -> SecretRef:
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return SecretRef("exec", str(path))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("sk_test_example\n")
    return path


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Record in which thread each look is made."""
    threads: list[threading.Thread] = []
    look = module.look

    def noted(known: Mapping[SecretRef, Stamp | None]) -> list[Found]:
        threads.append(threading.current_thread())
        return look(known)

    monkeypatch.setattr(module, "look", noted)
    return threads


def test_one_look_serves_however_many_ask_and_is_not_repeated_at_once(key: Path, looks: list[threading.Thread]) -> None:
    async def scenario() -> None:
        secrets = Secrets(ignore)
        slot = secrets.slot(SecretRef("file", str(key)))
        looks.clear()
        put(key, "sk_test_changed")
        await asyncio.gather(*[secrets.reread() for _ in range(100)])
        assert (value(slot), len(looks)) == ("sk_test_changed", 1)
        assert threading.main_thread() not in looks
        await secrets.reread()
        assert len(looks) == 1
        await asyncio.sleep(module.REREAD_S + 0.01)
        await secrets.reread()
        assert len(looks) == 2

    asyncio.run(scenario())


def test_one_who_asks_and_leaves_does_not_end_the_look_of_the_others(key: Path) -> None:
    async def scenario() -> None:
        secrets = Secrets(ignore)
        slot = secrets.slot(SecretRef("file", str(key)))
        put(key, "sk_test_changed")
        first, second = (asyncio.create_task(secrets.reread()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert (value(slot), first.cancelled()) == ("sk_test_changed", True)

    asyncio.run(scenario())


def test_what_a_look_out_of_turn_finds_is_told_to_the_watch(key: Path) -> None:
    async def scenario() -> list[Event]:
        told: list[Event] = []
        secrets = Secrets(ignore)
        secrets.slot(SecretRef("file", str(key)), "stripe")
        watch = asyncio.create_task(secrets.watch(60.0, told.append))
        await asyncio.sleep(0)
        put(key, "sk_test_changed")
        await secrets.reread()
        watch.cancel()
        return told

    assert asyncio.run(scenario()) == [SecretRead("stripe", f"file:{key}", "loaded")]


def test_a_look_that_began_before_something_newer_came_in_changes_nothing(
    key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        secrets = Secrets(ignore)
        slot = secrets.slot(SecretRef("file", str(key)))
        look = module.look
        begun, go_on = threading.Event(), threading.Event()

        def slow(known: Mapping[SecretRef, Stamp | None]) -> list[Found]:
            found = look(known)
            begun.set()
            go_on.wait(10)
            return found

        put(key, "sk_test_second")
        monkeypatch.setattr(module, "look", slow)
        asking = asyncio.create_task(secrets.reread())
        await asyncio.to_thread(begun.wait, 10)
        monkeypatch.setattr(module, "look", look)
        put(key, "sk_test_third")
        secrets.refresh()
        go_on.set()
        await asking
        assert value(slot) == "sk_test_third"

    asyncio.run(scenario())


def test_the_files_of_one_credential_are_of_one_generation_from_the_first(tmp_path: Path) -> None:
    for name in ("user", "password"):
        (tmp_path / name).write_text(f"{name}-1")
    secrets = Secrets(ignore)
    user = secrets.slot(SecretRef("file", f"{tmp_path}/user"))
    for name in ("user", "password"):
        (tmp_path / name).write_text(f"{name}-2")
    password = secrets.slot(SecretRef("file", f"{tmp_path}/password"))
    assert (value(user), value(password)) == ("user-2", "password-2")


def test_a_volume_that_is_swapped_a_thousand_times_while_it_is_read_is_never_read_in_two_generations(
    tmp_path: Path,
) -> None:
    def swap(number: int) -> None:
        dated = tmp_path / f"..{number}"
        dated.mkdir()
        for name in ("user", "password"):
            (dated / name).write_text(f"example-{number}")
        (tmp_path / "fresh").symlink_to(dated.name)
        (tmp_path / "fresh").rename(tmp_path / "..data")

    def swap_on() -> None:
        for number in range(1, 1001):
            swap(number)
            if number % 10 == 0:  # now and then the reader comes to its turn, on however busy a machine
                looked.clear()
                looked.wait(10)

    swap(0)
    secrets = Secrets(ignore)
    user, password = (secrets.slot(SecretRef("file", f"{tmp_path}/..data/{name}")) for name in ("user", "password"))
    looked, seen = threading.Event(), []
    writer = threading.Thread(target=swap_on)
    writer.start()
    while writer.is_alive():
        secrets.refresh()
        seen.append((value(user), value(password)))
        looked.set()
    writer.join()
    secrets.refresh()
    assert [pair for pair in seen if pair[0] != pair[1]] == []
    assert len(set(seen)) > 20, "too few generations were seen for this to say anything"
    assert value(user) == value(password) == "example-1000"


def test_a_command_is_run_before_anything_asks_for_its_secret_and_off_the_loop(tmp_path: Path) -> None:
    async def scenario() -> None:
        refs = [command(tmp_path / name, f"print('sk_test_{name}')") for name in ("a", "b", "c")]
        secrets = Secrets(ignore)
        await secrets.prepare([*refs, refs[0], SecretRef("env", "KEY")])
        for ref in refs:
            remove(ref)
        assert [value(secrets.slot(ref)) for ref in refs] == ["sk_test_a", "sk_test_b", "sk_test_c"]

    asyncio.run(scenario())


def test_a_command_that_nobody_prepared_is_run_at_once(tmp_path: Path) -> None:
    slot = Secrets(ignore).slot(command(tmp_path / "now", "print('sk_test_now')"))
    assert (value(slot), slot.problem) == ("sk_test_now", "")


def test_a_command_that_fails_is_a_problem_without_what_it_printed(tmp_path: Path) -> None:
    slot = Secrets(ignore).slot(command(tmp_path / "bad", "print('sk_test_x'); raise SystemExit(3)"))
    assert (value(slot), slot.problem) == (None, "exit status 3")


def test_the_watch_runs_a_command_again_after_its_time_and_keeps_the_last_good_value(tmp_path: Path) -> None:
    async def scenario() -> None:
        ref = command(tmp_path / "turn", "print('sk_test_first')")
        told: asyncio.Queue[Event] = asyncio.Queue()
        secrets = Secrets(ignore)
        secrets.configure(10.0, 0.02)
        await secrets.prepare([ref])
        slot = secrets.slot(ref, "stripe")
        watch = asyncio.create_task(secrets.watch(0.0, told.put_nowait))
        for text, result, problem, kept in (
            ("print('sk_test_second')", "loaded", "", "sk_test_second"),
            ("raise SystemExit(3)", "failed", "exit status 3", "sk_test_second"),
            ("print('sk_test_third')", "loaded", "", "sk_test_third"),
        ):
            (tmp_path / "next").write_text(f"#!{sys.executable}\n{text}\n")
            (tmp_path / "next").chmod(0o755)
            (tmp_path / "next").rename(tmp_path / "turn")
            async with asyncio.timeout(10):
                event = await told.get()
            assert isinstance(event, SecretRead)
            assert (event.result, event.problem, value(slot)) == (result, problem, kept)
        watch.cancel()

    asyncio.run(scenario())


def document() -> tuple[str, list[str]]:
    body = [dice.token_urlsafe(48) for _ in range(3)]
    label = "PRIVATE " + "KEY"
    return "\n".join([f"-----BEGIN {label}-----", *body, f"-----END {label}-----"]), body


@pytest.mark.parametrize("document_ref", [True, False])
def test_a_document_may_have_several_lines_and_anything_else_may_not(tmp_path: Path, document_ref: bool) -> None:
    text, _ = document()
    (tmp_path / "pem").write_text(text + "\n")
    slot = Secrets(ignore).slot(SecretRef("file", f"{tmp_path}/pem", document_ref))
    assert value(slot) == (text if document_ref else None)


@pytest.mark.parametrize("again", [False, True])
def test_the_redactor_hears_of_every_line_of_a_key(tmp_path: Path, again: bool) -> None:
    text, body = document()
    told: list[str] = []
    (tmp_path / "pem").write_text(text)
    (tmp_path / "other").write_text("sk_test_example")
    secrets = Secrets(told.append)
    for name in ("pem", "other"):
        secrets.slot(SecretRef("file", f"{tmp_path}/{name}", document=name == "pem"))
    if again:
        told.clear()
        (tmp_path / "other").write_text("sk_test_changed")
        secrets.refresh()
    assert {text, *body} <= set(told)


def test_a_secret_that_was_made_here_is_told_to_the_redactor_with_its_user() -> None:
    told: list[tuple[str, str]] = []
    Secrets(ignore, on_token=lambda text, user: told.append((text, user))).protect("made-up-token", "stripe/eu")
    assert told == [("made-up-token", "stripe/eu")]
    values: list[str] = []
    Secrets(values.append).protect("made-up-token")
    assert values == ["made-up-token"]
