import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxy.core.secret import SecretRef
from proxy.edge.commands import AT_ONCE, CommandFailed, Schedule, end_commands, run_command
from tests.support.upstream import Clock


def script(path: Path, text: str) -> str:
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_what_the_command_prints_is_what_is_returned(tmp_path: Path) -> None:
    line = script(tmp_path / "print", "import sys; print(sys.argv[1:], sys.stdin.read())")
    assert run_command(f"{line} a 'b c' $HOME ;", 10.0) == b"['a', 'b c', '$HOME', ';'] \n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("print('sk_test_example'); raise SystemExit(3)", "exit status 3"),
        ("import os; os.kill(os.getpid(), 9)", "ended by signal 9"),
        ("print('x' * 70000)", "printed more than 64 KiB"),
        ("import time; time.sleep(60)", "took longer than 300ms"),
        ("import os, time; os.close(1); time.sleep(60)", "took longer than 300ms"),
    ],
)
def test_a_command_that_fails_says_how_and_nothing_that_it_printed(tmp_path: Path, text: str, problem: str) -> None:
    line = script(tmp_path / "fail", text)
    with pytest.raises(CommandFailed) as raised:
        run_command(line, 0.3 if "longer" in problem else 10.0)
    assert str(raised.value) == problem


def test_what_can_not_be_started_says_why(tmp_path: Path) -> None:
    for line, problem in (
        (f"{tmp_path}/absent", "could not be started: No such file or directory"),
        ("'/bin/x", "could not be started: No closing quotation"),
        ("relative/x", "could not be started: the command must begin with an absolute path"),
    ):
        with pytest.raises(CommandFailed, match=problem):
            run_command(line, 1.0)


def test_a_command_that_takes_too_long_ends_with_all_that_it_started(tmp_path: Path) -> None:
    child = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    line = script(tmp_path / "parent", f"{child}; open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid)); p.wait()")
    with pytest.raises(CommandFailed):
        run_command(line, 1.0)
    number = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not alive(number):
            return
        time.sleep(0.02)
    pytest.fail("the child lives on")


def test_commands_that_run_are_ended_when_nobody_waits_for_them_any_more(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    line = script(tmp_path / "slow", f"open({str(begun)!r}, 'w').close(); import time; time.sleep(60)")
    with ThreadPoolExecutor() as threads:
        running = threads.submit(run_command, line, 30.0)
        while not begun.exists():
            time.sleep(0.01)
        end_commands()
        with pytest.raises(CommandFailed, match="ended by signal 9"):
            running.result(10)


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def refs(count: int) -> list[SecretRef]:
    return [SecretRef("exec", f"/bin/{number}") for number in range(count)]


def test_a_command_runs_again_after_its_time_and_sooner_after_a_failure() -> None:
    clock = Clock()
    schedule = Schedule(clock)
    good, bad = refs(2)
    schedule.ended(good, well=True)
    schedule.ended(bad, well=False)
    due = []
    for _ in range(7):
        due.append([ref.name for ref in schedule.begin()])
        clock.at += 50.0
        if due[-1]:
            schedule.ended(bad, well=True)
    assert due == [[], ["/bin/1"], [], [], [], [], ["/bin/0"]]


def test_few_commands_run_at_the_same_time() -> None:
    clock = Clock()
    schedule = Schedule(clock)
    many = refs(5)
    for ref in many:
        schedule.ended(ref, well=True)
    clock.at += 300.0
    first = schedule.begin()
    assert (len(first), schedule.begin()) == (AT_ONCE, [])
    schedule.ended(first[0], well=True)
    assert len(schedule.begin()) == 1


def test_a_refused_secret_is_fetched_again_but_not_again_and_again() -> None:
    clock = Clock()
    schedule = Schedule(clock)
    (ref,) = refs(1)
    schedule.ended(ref, well=True)
    schedule.hasten()
    assert schedule.begin() == []
    clock.at += 5.0
    assert schedule.begin() == [ref]


def test_a_command_that_is_forgotten_is_not_due_and_holds_no_place() -> None:
    clock = Clock()
    schedule = Schedule(clock)
    for ref in refs(3):
        schedule.ended(ref, well=False)
    clock.at += 10.0
    for ref in schedule.begin():
        schedule.forget(ref)
    assert [ref.name for ref in schedule.begin()] == ["/bin/2"]
