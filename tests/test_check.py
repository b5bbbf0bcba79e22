"""`check` finds what is invalid, what can't be meant, and the secrets that are not there."""

import datetime as dt
import os
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from proxy.check import check
from tests.support.rules import ROOT
from tests.support.tls import identity


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tidegate.yaml"


def lines(file: Path, text: str, *, secrets: bool = False) -> list[str]:
    file.write_text(text)
    return [line.removeprefix(f"{file}:") for line in check(file, secrets=secrets)]


def test_a_good_file_has_no_problems(file: Path) -> None:
    assert lines(file, "providers: {mock: {}}\n", secrets=True) == []


def test_an_invalid_file_has_the_problems_that_run_would_tell(file: Path) -> None:
    known = "admin, audit, catalogue, drain_delay, drain_timeout, egress, log, providers, secrets, slo, tracing"
    assert lines(file, "providers: {mock: {}}\nfoo: 1\n") == [f"2: foo: unknown key; known here: {known}"]


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


def test_what_the_profile_contradicts_is_told_with_its_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "ghp_" + "x" * 36)
    found = lines(file, "providers:\n  stripe:\n    rate_limit: {limits: [200/1s]}\n", secrets=True)
    assert [line.rpartition(": ")[0].split(": ")[:2] for line in found] == [
        ["3", "providers.stripe.rate_limit.limits"],
        ["2", "providers.stripe.credential.token"],
    ]
    assert "looks like a secret of github" in found[1]
    assert "ghp_" not in found[1]


@pytest.mark.parametrize("example", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda path: path.name)
def test_the_shipped_configurations_are_fine(example: Path) -> None:
    assert check(example, secrets=False) == []


def tls_lines(file: Path, section: str, url: str = "https://api.acme.example") -> list[str]:
    text = f"providers:\n  acme:\n    base_url: {url}\n    tls:\n{section}"
    return lines(file, text, secrets=True)


def test_a_client_certificate_that_is_not_there_is_told(file: Path) -> None:
    (problem,) = tls_lines(file, "      client_certificate: file:/nowhere/client.pem\n")
    assert problem.startswith("5: providers.acme.tls.client_certificate: file:/nowhere/client.pem: No such file")


@pytest.mark.parametrize(("days", "said"), [(-1, "has expired"), (3, "ends in 3 days"), (30, "")])
def test_a_client_certificate_that_ends_soon_is_told(days: int, said: str, file: Path, tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    begin, end = now - dt.timedelta(days=60), now + dt.timedelta(days=days)
    (tmp_path / "client.pem").write_text("".join(identity("svc-a", not_before=begin, not_after=end)))
    found = tls_lines(file, f"      client_certificate: file:{tmp_path}/client.pem\n")
    assert [line.partition(": ")[0] for line in found] == ["5"] * bool(said)
    assert said in "".join(found)


def test_a_key_of_another_certificate_is_told_at_the_key(file: Path, tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_text(identity("svc-a")[0])
    (tmp_path / "client.key").write_text(identity("svc-b")[1])
    section = f"      client_certificate: file:{tmp_path}/client.pem\n      client_key: file:{tmp_path}/client.key\n"
    (problem,) = tls_lines(file, section)
    assert problem.startswith("6: providers.acme.tls.client_key: file:")
    assert "is not the key of the client certificate" in problem


def test_one_pin_alone_and_tls_without_https_can_not_be_meant(file: Path) -> None:
    pin = f"sha256/{b64encode(bytes(32)).decode()}"
    (problem,) = tls_lines(file, f"      pins: [{pin}]\n")
    assert problem.startswith("5: providers.acme.tls.pins: is one pin only")
    assert tls_lines(file, f"      pins: [{pin}, {pin.replace('AAA', 'BBB')}]\n") == []
    (problem,) = tls_lines(file, "      min_version: 1.3\n", "http://127.0.0.1:1")
    assert problem.startswith("4: providers.acme.tls: has no effect without https://")


def test_what_an_account_inherits_is_told_once(file: Path) -> None:
    pin = f"sha256/{b64encode(bytes(32)).decode()}"
    accounts = "".join(f"      {name}: {{base_url: 'https://{name}.acme.example'}}\n" for name in ("eu", "us"))
    own = "    credential: {scheme: bearer, token: env:HOME}\n"
    (problem,) = tls_lines(file, f"      pins: [{pin}]\n{own}    accounts:\n{accounts}")
    assert problem.startswith("5: providers.acme.tls.pins: is one pin only")


def test_tracing_without_its_packages_says_what_to_install(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "providers: {mock: {}}\ntracing: {endpoint: 'http://127.0.0.1:4318'}\n"
    assert lines(file, text) == []
    monkeypatch.delitem(sys.modules, "proxy.edge.observe.collector", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    (problem,) = lines(file, text)
    assert problem.startswith("2: tracing: needs OpenTelemetry, which is not installed; pip install 'tidegate[otel]'")
