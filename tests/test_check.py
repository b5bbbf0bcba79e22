"""`check` finds what is invalid, what can't be meant, and the secrets that are not there."""

import os
from pathlib import Path

import pytest

from proxy.check import check


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tidegate.yaml"


def lines(file: Path, text: str, *, secrets: bool = False) -> list[str]:
    file.write_text(text)
    return [line.removeprefix(f"{file}:") for line in check(file, secrets=secrets)]


def test_a_good_file_has_no_problems(file: Path) -> None:
    assert lines(file, "providers: {mock: {}}\n", secrets=True) == []


def test_an_invalid_file_has_the_problems_that_run_would_tell(file: Path) -> None:
    assert lines(file, "providers: {mock: {}}\nfoo: 1\n") == [
        "2: foo: unknown key; known here: admin, drain_delay, drain_timeout, egress, log, providers"
    ]


def test_a_file_without_providers_can_not_be_meant(file: Path) -> None:
    assert lines(file, "log: {level: info}\n")[0].startswith("1: providers: names no provider")


def test_a_deadline_shorter_than_one_attempt_can_not_be_meant(file: Path) -> None:
    (problem,) = lines(file, "providers:\n  mock:\n    deadline: {total: 5s}\n")
    assert problem == "3: providers.mock.deadline.total: 5s ends before timeout.attempt (10s) can; write more"


def test_a_wait_longer_than_the_deadline_is_told_where_it_was_written(file: Path) -> None:
    (problem,) = lines(file, "providers:\n  mock:\n    rate_limit: {max_wait: 1m}\n")
    assert problem.startswith("3: providers.mock.rate_limit.max_wait: 1m is longer than deadline.total (30s)")


@pytest.mark.parametrize(
    "sections", ["deadline: off, timeout: {attempt: 60s}", "deadline: {total: 5s}, timeout: off", "retry: off"]
)
def test_times_that_do_not_meet_are_fine(sections: str, file: Path) -> None:
    assert lines(file, f"providers: {{mock: {{{sections}}}}}\n") == []


def test_a_variable_that_is_not_set_is_told_at_the_users_own_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRIPE_SECRET_KEY", raising=False)
    text = "providers:\n  mock: {}\n  stripe: {}\n"
    (problem,) = lines(file, text, secrets=True)
    assert problem.startswith("3: providers.stripe.credential.token: env:STRIPE_SECRET_KEY: the variable is not set")
    assert lines(file, text) == []
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_example")
    assert lines(file, text, secrets=True) == []


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"", "is empty"), (b"a\r\nX-Evil: 1", "control character"), (b"\xff\xfe", "not UTF-8"), (None, "No such file")],
)
def test_a_secret_file_that_could_not_be_sent_is_told_without_its_content(
    raw: bytes | None, text: str, file: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "key"
    if raw is not None:
        secret.write_bytes(raw)
    config = f"providers:\n  stripe:\n    credential: {{scheme: bearer, token: 'file:{secret}'}}\n"
    (problem,) = lines(file, config, secrets=True)
    assert problem.startswith(f"3: providers.stripe.credential.token: file:{secret}: ")
    assert text in problem
    assert "X-Evil" not in problem


def test_each_missing_secret_of_a_provider_is_told(file: Path) -> None:
    assert not {"TIDEGATE_TEST_A", "TIDEGATE_TEST_B"} & set(os.environ)
    text = "providers: {twilio: {credential: {username: env:TIDEGATE_TEST_A, password: env:TIDEGATE_TEST_B}}}\n"
    found = lines(file, text, secrets=True)
    assert [line.split(": ")[1] for line in found] == [
        "providers.twilio.credential.username",
        "providers.twilio.credential.password",
    ]
