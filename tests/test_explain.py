"""`explain` shows each effective value with its origin, and foretells one request."""

from pathlib import Path

import pytest

from proxy.config import Loaded, read
from proxy.explain import explain, explain_call, injected_names
from proxy.stack import PER_CALL, PER_UPSTREAM


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    file = tmp_path / "t.yaml"
    file.write_text(
        "providers:\n"
        "  stripe:\n"
        "    timeout: {connect: 1s}\n"
        "    breaker: off\n"
        "    listen: 127.0.0.1:4801\n"
        "  twilio: {retry: {attempts: 1}}\n"
        "  github: {rate_limit: {limits: [5/1s], mode: report}, deadline: off, timeout: off}\n"
        "  slack: {retry: off, rate_limit: off}\n"
        "  dotty: {base_url: 'https://x.example.com/v2', profile: {dot_segments: true}}\n"
        "  maps: {base_url: 'https://maps.example.com', credential: {scheme: query, name: my key, value: env:MAPS}}\n"
        "  mock: {}\n"
    )
    return read(file)


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def call(loaded: Loaded, name: str, method: str = "POST", path: str = "/v1/x") -> dict[str, str]:
    lines = explain_call(loaded, name, method, path).splitlines()[1:]
    return {line[2:14].strip(): line[14:] for line in lines}


def test_each_value_stands_beside_where_it_came_from(loaded: Loaded) -> None:
    shown = rows(explain(loaded, "stripe"))
    assert ["connect", "1s", "config", f"{loaded.file}:3"] in shown
    assert ["attempt", "10s", "default"] in shown
    assert ["limits", "100/1s", "preset", "stripe"] in shown
    assert ["base_url", "https://api.stripe.com", "preset", "stripe"] in shown
    assert ["pool.max_age", "5m", "default"] in shown


def test_a_policy_that_is_off_says_who_said_so(loaded: Loaded) -> None:
    assert ["breaker", "off", "config", f"{loaded.file}:4"] in rows(explain(loaded, "stripe"))
    assert ["credential", "off", "preset", "mock"] in rows(explain(loaded, "mock"))
    assert ["credential", "off", "default"] in rows(explain(loaded, "dotty"))


def test_policies_stand_in_the_order_of_the_stack(loaded: Loaded) -> None:
    sections = [policy.section for policy in PER_CALL + PER_UPSTREAM]
    heads = [row[0] for row in rows(explain(loaded, "stripe")) if row and row[0] in {*sections, "send"}]
    assert heads == [*sections, "send"]


def test_secrets_are_shown_as_references(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_example")
    text = explain(loaded, "stripe") + explain_call(loaded, "stripe", "POST", "/v1/charges")
    assert "env:STRIPE_SECRET_KEY" in text
    assert "sk_test_example" not in text


def test_every_way_to_reach_the_provider_is_told(loaded: Loaded) -> None:
    second = explain(loaded, "stripe").splitlines()[1]
    for way in ("http://127.0.0.1:4780/stripe", "http://stripe.localhost:4780", "http://127.0.0.1:4801"):
        assert way in second


def test_a_unix_socket_is_told_as_such(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("egress: {listen: 'unix:/run/t.sock'}\nproviders: {mock: {listen: 'unix:/run/m.sock'}}\n")
    text = "reached at unix:/run/t.sock with the path /mock, unix:/run/m.sock"
    assert explain(read(file), "mock").splitlines()[1] == text


def test_the_upstream_url_keeps_prefix_path_and_query(loaded: Loaded) -> None:
    assert call(loaded, "dotty", path="/a%2Fb//c?x=1&x=2")["goes to"] == "https://x.example.com/v2/a%2Fb//c?x=1&x=2"
    assert call(loaded, "mock", path="/anything")["goes to"] == "the built-in mock provider, /anything"


@pytest.mark.parametrize(
    ("name", "method", "start"),
    [
        ("stripe", "get", "yes, 3 attempts at most: GET is idempotent"),
        ("stripe", "POST", "with the header idempotency-key, 3 attempts at most"),
        ("stripe", "PATCH", "only while no byte of it was sent"),
        ("twilio", "GET", "never: retry.attempts is 1"),
        ("slack", "GET", "never: retry is off"),
    ],
)
def test_whether_a_request_is_sent_again_is_told_with_the_reason(
    name: str, method: str, start: str, loaded: Loaded
) -> None:
    assert call(loaded, name, method)["sent again"].startswith(start)


def test_the_limits_that_count_are_told(loaded: Loaded) -> None:
    assert call(loaded, "stripe")["limits"] == "100/1s; every attempt counts; waits 2s at most"
    assert call(loaded, "github")["limits"] == "5/1s; every attempt counts; only counted (mode: report)"
    assert call(loaded, "twilio")["limits"] == "none configured; the provider's own pauses count"
    assert call(loaded, "slack")["limits"] == "none"


def test_deadline_and_timeouts_are_told(loaded: Loaded) -> None:
    assert call(loaded, "stripe")["deadline"] == "30s for the whole call"
    assert call(loaded, "stripe")["timeouts"].startswith("connect 1s, answer 10s per attempt")
    assert (call(loaded, "github")["deadline"], call(loaded, "github")["timeouts"]) == ("none", "none")


def test_what_is_injected_is_told_by_name(loaded: Loaded) -> None:
    assert call(loaded, "stripe")["injected"].startswith("header Authorization from env:STRIPE_SECRET_KEY")
    assert call(loaded, "maps")["injected"].startswith("query my%20key from env:MAPS")
    assert call(loaded, "mock")["injected"].startswith("nothing")
    maps = loaded.settings.providers["maps"]
    assert injected_names(maps.section("credential"), maps.profile) == ["query my%20key"]


@pytest.mark.parametrize(
    "path", ["/a/../b", "/./a", "/a/%2e%2E/b", "/a%2f..%2fb", "/a\\..\\b", "/a/..;x/b", "/a%5c..%5Cb"]
)
def test_dot_segments_are_refused_unless_the_profile_allows_them(path: str, loaded: Loaded) -> None:
    assert "refused with 400" in explain_call(loaded, "stripe", "GET", path)
    assert "refused" not in explain_call(loaded, "dotty", "GET", path)


@pytest.mark.parametrize("path", ["/a..b", "/...", "/a?x=/../"])
def test_dots_that_are_no_segments_are_fine(path: str, loaded: Loaded) -> None:
    assert "refused" not in explain_call(loaded, "stripe", "GET", path)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "v1"), ("GET", "/ä"), ("GET", "/a b"), ("GET", "/a#b"), ("G T", "/"), ("", "/")]
)
def test_what_can_be_no_request_is_refused(method: str, path: str, loaded: Loaded) -> None:
    with pytest.raises(ValueError, match="must"):
        explain_call(loaded, "stripe", method, path)
