"""`explain` shows each effective value with its origin, and foretells one request."""

from pathlib import Path

import pytest

from proxy.config import Loaded, read
from proxy.explain import explain, explain_call
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
        "  square: {host: sandbox}\n"
        "  perplexity: {credential: {token: ['file:/etc/new', 'file:/etc/old']}}\n"
        "  paypal:\n"
        "    idempotency: off\n"
        "    accounts:\n"
        "      eu: {credential: {client_id: env:EU_ID, client_secret: env:EU_SECRET}, retry: off}\n"
        "  sendgrid: {credential: off, accounts: {eu: {credential: {token: env:EU}}}}\n"
        "  shop: {preset: mock, slo: {availability: 99.9%, paths: {POST /v1/x: {availability: 99.99%}}}}\n"
    )
    return read(file)


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def call(
    loaded: Loaded, name: str, method: str = "POST", path: str = "/v1/x", account: str | None = None
) -> dict[str, str]:
    lines = explain_call(loaded, name, method, path, account).splitlines()[1:]
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
        ("stripe", "POST", "yes, 3 attempts at most: the header idempotency-key tells a second one, and is put in"),
        ("mock", "POST", "with the header idempotency-key, 3 attempts at most; without it only while"),
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


def test_what_is_promised_is_told_of_the_provider_and_of_a_request(loaded: Loaded) -> None:
    where = f"{loaded.file}:{len(Path(loaded.file).read_text().splitlines())}"
    assert ["all", "calls", "99.9%", "succeed", "config", where] in rows(explain(loaded, "shop"))
    assert ["slo", "none", "default"] in rows(explain(loaded, "stripe"))
    assert call(loaded, "shop", path="/v1/x?y")["promised"] == "99.9% succeed; of POST /v1/x, 99.99% succeed"
    assert call(loaded, "shop", "GET")["promised"] == "99.9% succeed"
    assert "promised" not in call(loaded, "stripe")


def test_deadline_and_timeouts_are_told(loaded: Loaded) -> None:
    assert call(loaded, "stripe")["deadline"] == "30s for the whole call"
    assert call(loaded, "stripe")["timeouts"].startswith("connect 1s, answer 10s per attempt")
    assert (call(loaded, "github")["deadline"], call(loaded, "github")["timeouts"]) == ("none", "none")


def test_what_is_injected_is_told_by_name(loaded: Loaded) -> None:
    assert call(loaded, "stripe")["injected"].startswith("header Authorization from env:STRIPE_SECRET_KEY")
    assert call(loaded, "maps")["injected"].startswith("query my key from env:MAPS")
    assert call(loaded, "mock")["injected"].startswith("nothing")
    assert call(loaded, "perplexity")["injected"].startswith(
        "header Authorization from file:/etc/new (new), file:/etc/old (old)"
    )


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


def test_what_makes_a_post_repeatable_stands_beside_its_policy(loaded: Loaded) -> None:
    lines = explain(loaded, "stripe").splitlines()
    made = "  key header idempotency-key of POST; made where missing preset stripe"
    assert made.split() in rows("\n".join(lines))
    lines = explain(loaded, "paypal").splitlines()
    assert any(
        line.startswith("  key") and line.split("; ")[1].startswith("only the caller's  preset") for line in lines
    )
    reads = ["only", "reads", "POST", "/v1/notifications/verify-webhook-signature", "preset", "paypal"]
    assert reads in rows(explain(loaded, "paypal"))


def test_a_key_in_the_body_counts_where_the_provider_takes_one(loaded: Loaded) -> None:
    made = call(loaded, "square", path="/v2/payments")["sent again"]
    assert made.startswith("yes, 3 attempts at most: the body field idempotency_key of a JSON body tells")
    assert call(loaded, "square", path="/v2/unknown")["sent again"].startswith("only while no byte of it was sent")


def test_a_post_that_only_reads_is_sent_again(loaded: Loaded) -> None:
    told = call(loaded, "square", path="/v2/orders/search")["sent again"]
    assert told == "yes, 3 attempts at most: this one only reads"


def test_without_minting_only_the_callers_key_counts(loaded: Loaded) -> None:
    told = call(loaded, "paypal", path="/v2/checkout/orders")["sent again"]
    assert told.startswith("with the header paypal-request-id, 3 attempts at most")


def test_where_the_credential_goes_and_the_other_hosts_are_told(loaded: Loaded) -> None:
    shown = rows(explain(loaded, "square"))
    assert ["goes", "to", "header", "Authorization", "preset", "square"] in shown
    assert ["base_url", "https://connect.squareupsandbox.com", "config", f"{loaded.file}:12"] in shown
    assert ["hosts", "sandbox:", "https://connect.squareupsandbox.com"] in shown


def test_of_two_live_secrets_it_is_told_which_is_new(loaded: Loaded) -> None:
    shown = rows(explain(loaded, "perplexity"))
    expected = ["token", "file:/etc/new", "(new),", "file:/etc/old", "(old)", "config", f"{loaded.file}:13"]
    assert expected in shown


def test_of_an_account_only_the_differences_are_told(loaded: Loaded) -> None:
    shown = rows(explain(loaded, "paypal"))
    at = shown.index(["account", "eu"])
    assert shown[at + 1 :] == [
        ["retry", "off", "config", f"{loaded.file}:17"],
        ["credential.client_id", "env:EU_ID", "config", f"{loaded.file}:17"],
        ["credential.client_secret", "env:EU_SECRET", "config", f"{loaded.file}:17"],
    ]


def test_a_call_may_name_an_account(loaded: Loaded) -> None:
    assert call(loaded, "paypal", "GET")["account"] == "the provider's own; Tidegate-Account chooses one of eu"
    told = call(loaded, "paypal", "GET", account="eu")
    assert (told["account"], told["sent again"]) == ("eu", "never: retry is off")
    assert told["injected"].startswith("header Authorization from env:EU_ID, env:EU_SECRET;")
    with pytest.raises(ValueError, match="no such account; this provider has one of eu"):
        call(loaded, "paypal", account="us")
    with pytest.raises(ValueError, match="no such account; this provider has none"):
        call(loaded, "mock", account="us")


def test_a_provider_without_a_credential_of_its_own_needs_an_account(loaded: Loaded) -> None:
    assert "must name an account in Tidegate-Account, one of eu" in explain_call(loaded, "sendgrid", "GET", "/v3/x")
    assert "with Tidegate-Account, one of eu" in explain(loaded, "sendgrid")
    assert "goes to" in explain_call(loaded, "sendgrid", "GET", "/v3/x", "eu")


def test_a_call_for_a_token_is_answered_here(loaded: Loaded) -> None:
    assert "answered by tidegate with a placeholder" in explain_call(loaded, "paypal", "POST", "/v1/oauth2/token")


def test_the_path_is_shown_as_the_log_will_show_it(loaded: Loaded) -> None:
    assert call(loaded, "stripe", "GET", "/v1/charges/ch_1?expand=x")["logged as"] == "/v1/charges/{id}"


def test_a_long_value_pushes_only_its_own_origin_aside(loaded: Loaded) -> None:
    origins = {line.index("default") for line in explain(loaded, "paypal").splitlines() if line.endswith("default")}
    assert len(origins) == 1
