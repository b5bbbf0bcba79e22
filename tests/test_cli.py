"""The command line: exit 0 or 2, one line per problem, and never a traceback for a user's mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy import __version__, cli
from proxy.cli import main
from proxy.config import settings_schema
from proxy.problems import known_keys

GOOD = "providers: {mock: {}}\n"
STRIPE = "providers:\n  stripe:\n    "
OWN = "providers:\n  own:\n    base_url: "


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tidegate.yaml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make sure that no configuration of this machine is found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "WHERE", (Path("tidegate.yaml"), tmp_path / "etc" / "tidegate.yaml"))
    return tmp_path


BAD: dict[str, tuple[bytes | str, str]] = {
    "empty": (b"", "1: (file): is empty"),
    "comment only": (b"# nothing\n", "1: (file): is empty"),
    "list": (b"- a\n", "1: (file): must be a mapping"),
    "binary": (bytes(range(256)), "2: (file): is not UTF-8"),
    "NUL": (b"a: \x00\n", "1: (file): holds a control character"),
    "too large": (b"#" * 1_100_000, "1: (file): is larger than 1 MiB"),
    "broken": (b"providers: [\n", "2: (file): is not valid YAML"),
    "tab": (b"providers:\n\tmock: {}\n", "2: (file): is not valid YAML: a tab"),
    "deep": (b"a: " + b"[" * 5000, "1: a[0][0][0]: is nested deeper"),
    "alias bomb": (b"a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "1: a: uses a YAML anchor"),
    "tag": (b"a: !!python/name:os.system\n", "1: a: uses a YAML tag"),
    "two documents": (b"log: {}\n---\nlog: {}\n", "2: (file): holds a second document"),
    "duplicate": (b"log: {}\nlog: {}\n", "2: log: stands here twice"),
    "duplicate provider": (b"providers:\n  mock: {}\n  mock: {}\n", "3: providers.mock: stands here twice"),
    "unknown section": (b"webhooks: {}\n", "1: webhooks: unknown key; known here: admin"),
    "misspelt section": (b"provider: {}\n", "1: provider: unknown key; did you mean providers?"),
    "misspelt policy": (f"{STRIPE}retri: off\n", "3: providers.stripe.retri: unknown key; did you mean retry"),
    "misspelt key": (
        f"{STRIPE}retry: {{attemps: 3}}\n",
        "3: providers.stripe.retry.attemps: unknown key; did you mean attempts?",
    ),
    "text for number": (f"{STRIPE}retry: {{attempts: many}}\n", "3: providers.stripe.retry.attempts: must be"),
    "number for text": (f"{STRIPE}preset: 3\n", "3: providers.stripe.preset: "),
    "number for mapping": (f"{STRIPE}retry: 3\n", "3: providers.stripe.retry: must be a mapping"),
    "nothing for mapping": (f"{STRIPE}retry:\n", "3: providers.stripe.retry: must be a mapping"),
    "list of providers": (b"providers: [stripe]\n", "1: providers: must be a mapping"),
    "bare duration": (f"{STRIPE}deadline: {{total: 30}}\n", "3: providers.stripe.deadline.total: not a"),
    "bad rate": (f"{STRIPE}rate_limit: {{limits: [9]}}\n", "3: providers.stripe.rate_limit.limits[0]: not a"),
    "bad size": (b"egress: {replay_limit: 64K}\n", "1: egress.replay_limit: not a size"),
    "bad address": (b"egress: {listen: 4780}\n", "1: egress.listen: not a listen address"),
    "bad port": (b"egress: {listen: '127.0.0.1:99999'}\n", "1: egress.listen: not a listen address"),
    "remote": (b"egress: {listen: '0.0.0.0:4780'}\n", "1: egress.listen: other machines can reach"),
    "one port twice": (b"admin: {listen: '127.0.0.1:4780'}\n", "1: admin.listen: the same address as egress.listen"),
    "bad level": (b"log: {level: loud}\n", "1: log.level: must be 'debug', 'info', 'warning' or 'error'"),
    "bad name": (b"providers:\n  My_API: {base_url: 'https://x'}\n", "2: providers.My_API: not a provider name"),
    "reserved name": (b"providers: {tidegate: {base_url: 'https://x'}}\n", "1: providers.tidegate: not a provider"),
    "no base_url": (b"providers: {billing: {}}\n", "1: providers.billing.base_url: is missing"),
    "near name": (b"providers: {strip: {}}\n", "1: providers.strip.base_url: is missing, and strip is not in"),
    "unknown preset": (f"{OWN}https://x\n    preset: nope\n", "4: providers.own.preset: not in the catalogue"),
    "path as preset": (f"{OWN}https://x\n    preset: ../x\n", "4: providers.own.preset: not in the catalogue"),
    "unknown url scheme": (f"{OWN}ftp://x\n", "3: providers.own.base_url: not a base URL"),
    "cleartext": (f"{OWN}http://example.com\n", "3: providers.own.base_url: sends secrets in the clear"),
    "userinfo": (f"{OWN}https://u:sk_test_example@x\n", "3: providers.own.base_url: holds a user name"),
    "query": (f"{OWN}https://x?key=sk_test_example\n", "3: providers.own.base_url: holds a query"),
    "literal secret": (
        f"{STRIPE}credential: {{token: sk_test_example}}\n",
        "3: providers.stripe.credential.token: not a secret reference (a literal secret is refused)",
    ),
    "secret as section": (f"{STRIPE}credential: sk_test_example\n", "3: providers.stripe.credential: must be"),
    "secret as key": (f"{STRIPE}credential: {{token:sk_test_example}}\n", "3: providers.stripe.credential.(?): unk"),
    "secret as scheme": (
        f"{STRIPE}credential: {{scheme: sk_test_example}}\n",
        "3: providers.stripe.credential: has an unknown scheme",
    ),
    "secret half written": (
        f"{OWN}https://x\n    credential: {{scheme: bearer}}\n", "4: providers.own.credential.token: is missing"
    ),
    "secret not set": (
        f"{STRIPE}credential: {{token: env:TIDEGATE_NOT_SET}}\n",
        "3: providers.stripe.credential.token: env:TIDEGATE_NOT_SET: the variable is not set",
    ),
    "interpolation": (f"{STRIPE}credential: {{token: '${{KEY}}'}}\n", "3: providers.stripe.credential.token: not a"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "start"), BAD.values(), ids=BAD)
def test_each_bad_file_is_one_line_with_file_line_and_key(
    raw: bytes | str, start: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    assert main(["check", "--config", str(file)]) == 2
    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    assert line.startswith(f"{file}:{start}")
    assert "sk_test_example" not in line
    assert captured.err == ""


@pytest.mark.parametrize("command", [["run"], ["explain", "mock"]])
def test_other_commands_tell_the_same_problems_on_standard_error(
    command: list[str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("foo: 1\nlog: 2\n")
    assert main([*command, "--config", str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.split(": ")[1] for line in captured.err.splitlines()] == ["foo", "log"]


def test_a_directory_and_a_missing_file_are_one_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(tmp_path)]) == 2
    assert main(["check", "--config", str(tmp_path / "none.yaml")]) == 2
    directory, missing = capsys.readouterr().out.splitlines()
    assert directory.startswith(f"{tmp_path}:1: (file): is a directory")
    assert missing.startswith(f"{tmp_path}/none.yaml:1: (file): does not exist")


def test_a_good_file_is_one_line_and_status_0(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: fine, 1 provider\n"


def test_secrets_are_left_alone_when_asked(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f"{STRIPE}credential: {{token: env:TIDEGATE_NOT_SET}}\n")
    assert main(["check", "--without-secrets", "--config", str(file)]) == 0
    assert "fine" in capsys.readouterr().out


def test_without_a_file_the_user_is_told_where_to_write_one(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "write tidegate.yaml" in line
    assert str(nowhere / "etc" / "tidegate.yaml") in line


def test_the_working_directory_goes_before_etc(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (nowhere / "etc").mkdir()
    (nowhere / "etc" / "tidegate.yaml").write_text(GOOD)
    assert main(["check"]) == 0
    (nowhere / "tidegate.yaml").write_text(GOOD)
    assert main(["check"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(str(nowhere / "etc" / "tidegate.yaml"))
    assert second.startswith("tidegate.yaml: fine")


def test_run_hands_the_file_to_the_application(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[Path, int | None]] = []

    def start(path: Path, replace: int | None) -> int:
        started.append((path, replace))
        return 3

    monkeypatch.setattr("proxy.app.main", start)
    assert main(["run", "--config", str(file)]) == 3
    assert main(["run", "--config", str(file), "--replace", "123"]) == 3
    assert started == [(file, None), (file, 123)]


def test_explain_shows_the_stack_and_the_way_of_a_request(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "mock", "--config", str(file)]) == 0
    assert "breaker" in capsys.readouterr().out
    assert main(["explain", "mock", "GET", "/anything", "--config", str(file)]) == 0
    assert "sent again" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["explain", "nobody"], "it has mock"),
        (["explain", "mock", "GET"], "METHOD and PATH together"),
        (["explain", "mock", "GET", "anything"], "must begin with /"),
        (["explain", "mock", "--account", "eu"], "--account goes with METHOD and PATH"),
        (["explain", "mock", "GET", "/", "--account", "eu"], "no such account"),
    ],
)
def test_a_question_that_has_no_answer_says_what_to_ask(
    arguments: list[str], text: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--config", str(file)]) == 2
    assert text in capsys.readouterr().err


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert capsys.readouterr().out.startswith('{\n  "$schema"')


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"tidegate {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["fly"], ["check", "extra"], ["explain"]])
def test_a_command_that_does_not_exist_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: tidegate" in capsys.readouterr().err


@pytest.mark.e2e
def test_the_program_itself_exits_with_status_and_line(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text("foo: 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "proxy", "check"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("tidegate.yaml:1: foo: unknown key")


@pytest.mark.e2e
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "proxy", "schema"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        cwd=tmp_path,
        stdout=write_end,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, b"")


KEYS = sorted({
    *known_keys(settings_schema(), ()), *known_keys(settings_schema(), ("egress",)),
    *known_keys(settings_schema(), ("providers", "x")), *known_keys(settings_schema(), ("providers", "x", "retry")),
    *known_keys(settings_schema(), ("providers", "x", "rate_limit")), "stripe", "mock", "scheme", "token", "limits",
})  # fmt: skip
SCALARS = st.sampled_from([
    "off", "on", "3", "-1", "1.5", "30s", "100/1s", "64KiB", "''", "~", "env:A", "https://x", "unix:/a", "[]", "{}",
    "127.0.0.1:1", "bearer", "stripe", "sk_test_example", "'\\u0000'", '"\\u0000"', "9" * 400, "9" * 400 + "s",
])  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"
        )
        | st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
    ),
    max_leaves=12,
)


@pytest.mark.security
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    raw=st.binary(max_size=200)
    | VALUES.map(str.encode)
    | VALUES.map(lambda value: f"providers: {{x: {value}, stripe: {value}}}".encode())
)
def test_no_bytes_bring_a_traceback_or_show_a_secret(
    raw: bytes, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(raw)
    status = main(["check", "--config", str(file)])
    captured = capsys.readouterr()
    assert status in {0, 2}
    assert captured.err == ""
    assert all(line.startswith(str(file)) for line in captured.out.splitlines())
    assert "sk_test_example" not in captured.out
