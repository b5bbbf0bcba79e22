"""Keys that are right by themselves and wrong together, and addresses that would tell or give away a secret."""

from typing import Any

import pytest

from proxy.contradictions import contradictions, misdirected
from proxy.core.profile import SecretPattern
from proxy.problems import Finding

HOOK = SecretPattern(pattern=r"hooks\.slack\.com/services/[A-Za-z0-9/_-]+", contains=("hooks.slack.com",))
KEY = SecretPattern(pattern="sk-[A-Za-z0-9_-]{20,}", contains=("sk-",))


def found(**tree: Any) -> list[Finding]:
    return list(contradictions(tree, lambda: (HOOK, KEY)))


def of_url(url: Any, **entry: Any) -> list[Finding]:
    return found(providers={"x": {"base_url": url, **entry}})


@pytest.mark.parametrize("listen", ["0.0.0.0:4780", "10.0.0.1:4780", "gate.example.com:4780", "[::]:4780"])
def test_a_listener_that_other_machines_reach_must_be_wanted(listen: str) -> None:
    ((where, text),) = found(egress={"listen": listen})
    assert (where, text[:38]) == (("egress", "listen"), "other machines can reach this address;")
    assert found(egress={"listen": listen, "allow_remote": True}) == []


def test_a_providers_own_listener_is_bound_by_the_same_rule() -> None:
    ((where, text),) = found(providers={"stripe": {"listen": "0.0.0.0:4801"}})
    assert where == ("providers", "stripe", "listen")
    assert text.startswith("other machines can reach this address")


def test_admin_may_be_reached_by_probes_from_outside() -> None:
    assert found(admin={"listen": "0.0.0.0:4781"}) == []


@pytest.mark.parametrize(
    ("tree", "key", "other"),
    [
        ({"egress": {"listen": "127.0.0.1:4781"}}, "admin.listen", "egress.listen"),
        ({"admin": {"listen": "0.0.0.0:4780"}}, "admin.listen", "egress.listen"),
        ({"providers": {"a": {"listen": "127.0.0.1:9"}, "b": {"listen": "127.0.0.1:9"}}},
         "providers.b.listen", "providers.a.listen"),
        ({"providers": {"a": {"listen": "unix:/a"}, "b": {"listen": "unix:/a"}}},
         "providers.b.listen", "providers.a.listen"),
    ],
)  # fmt: skip
def test_two_listeners_on_one_address_are_told_by_both_keys(tree: dict[str, Any], key: str, other: str) -> None:
    ((where, text),) = found(**tree)
    assert ".".join(map(str, where)) == key
    assert text == f"the same address as {other}; give each its own"


def test_listeners_that_only_look_alike_are_fine() -> None:
    providers = {"a": {"listen": "127.0.0.1:9"}, "b": {"listen": "[::1]:9"}, "c": {"listen": "unix:/b"}}
    assert found(egress={"listen": "127.0.0.1:0"}, admin={"listen": "127.0.0.1:0"}, providers=providers) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1", "http://127.8.9.1"])
def test_cleartext_is_fine_on_this_machine(url: str) -> None:
    assert of_url(url) == []


@pytest.mark.parametrize("url", ["http://example.com", "http://10.0.0.1", "http://localhost.example.com"])
def test_cleartext_to_another_machine_must_be_wanted(url: str) -> None:
    ((where, text),) = of_url(url)
    assert where == ("providers", "x", "base_url")
    assert text.startswith("sends secrets in the clear")
    assert of_url(url, allow_cleartext=True) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/" + "services/T0/B0/example",
        "https://x.example/v1/" + "sk-example-of-a-secret-key",
        "https://HOOKS.slack.com/" + "services/T0",
    ],
)
def test_an_address_that_holds_a_secret_is_refused_and_not_repeated(url: str) -> None:
    ((where, text),) = of_url(url)
    assert where == ("providers", "x", "base_url")
    assert text.startswith("holds what looks like a secret")
    assert "example" not in text


@pytest.mark.parametrize(
    "url",
    ["https://hooks.slack.com", "https://task-queue-of-the-whole-team.example/v1", "https://x.example/task-queues-of-everybody",
     "https://sk-gateway-of-the-whole-team.example/v1"],
)  # fmt: skip
def test_an_address_that_only_resembles_a_secret_is_fine(url: str) -> None:
    assert of_url(url) == []


@pytest.mark.parametrize(
    "tree", [{}, {"providers": 3}, {"providers": {"x": None}}, {"providers": {"x": {"base_url": 4}}}]
)
def test_what_is_wrong_otherwise_is_left_to_others(tree: dict[str, Any]) -> None:
    assert found(**tree) == []


STRIPE = ("https://api.stripe.com", "https://sandbox.stripe.example")


@pytest.mark.parametrize(
    "url", ["https://stripe.example.com", "http://127.0.0.1:9", "https://api.stripe.com.example", "builtin:mock"]
)
def test_another_host_is_one_that_a_secret_is_not_meant_for(url: str) -> None:
    assert misdirected(url, STRIPE)


@pytest.mark.parametrize(
    "url",
    ["https://files.stripe.com", "https://api.eu.stripe.com", "https://STRIPE.com.", "https://api.stripe.com:8443/v2",
     "https://sandbox.stripe.example"],
)  # fmt: skip
def test_hosts_of_the_same_domain_may_have_the_secret(url: str) -> None:
    assert not misdirected(url, STRIPE)


TENANTS = (
    "https://tide.myshopify.com", "https://s3.eu-west-1.amazonaws.com", "https://api.acme.co.uk",
    "https://tide.blob.core.windows.net", "https://management.azure.com", "https://tide.eu.aws.elastic.cloud",
    "https://bigquery.googleapis.com",
)  # fmt: skip


@pytest.mark.parametrize(
    "url",
    ["https://other.myshopify.com", "https://x.execute-api.eu-west-1.amazonaws.com", "https://api.other.co.uk",
     "https://other.blob.core.windows.net", "https://vm.eu.cloudapp.azure.com", "https://other.eu.aws.elastic.cloud",
     "https://myshopify.com"],
)  # fmt: skip
def test_a_neighbour_in_a_domain_of_many_tenants_is_a_stranger(url: str) -> None:
    assert misdirected(url, TENANTS)


@pytest.mark.parametrize(
    "url",
    [*TENANTS, "https://files.acme.co.uk", "https://TIDE.myshopify.com./admin", "https://oauth2.googleapis.com/token"],
)
def test_a_tenants_own_hosts_may_have_the_secret(url: str) -> None:
    assert not misdirected(url, TENANTS)


def test_an_ip_address_that_ends_alike_is_a_stranger() -> None:
    assert misdirected("https://203.0.113.7", ["https://10.9.113.7"])
    assert not misdirected("https://10.9.113.7:8443", ["https://10.9.113.7"])


def test_an_address_that_is_none_is_told_elsewhere() -> None:
    assert not misdirected(4, STRIPE)
    assert not misdirected("https://x.example", [])


def test_two_refresh_tokens_are_not_kept_in_one_file() -> None:
    own = {"scheme": "oauth2", "persist": "/var/lib/t/one"}
    beside = {"scheme": "all", "of": {"x": {"scheme": "oauth2", "persist": "/var/lib/t/./one"}}}
    inherits = {"credential": own, "accounts": {"eu": {"credential": own}, "us": {"credential": {"persist": "/b"}}}}
    path = "providers.acme.credential.persist"
    assert [(".".join(map(str, where)), text) for where, text in found(
        providers={"acme": inherits, "other": {"credential": beside}, "third": {"credential": {"persist": "/c"}}}
    )] == [
        ("providers.acme.accounts.eu.credential.persist", f"the same file as {path}; give each its own"),
        ("providers.other.credential.of.x.persist", f"the same file as {path}; give each its own"),
    ]  # fmt: skip


def test_a_command_must_be_allowed() -> None:
    credential = {"scheme": "basic", "username": "env:U", "password": ["file:/p", "exec:/bin/secret x"]}
    providers = {"x": {"credential": credential, "accounts": {"eu": {"credential": {"username": "exec:/bin/user"}}}}}
    where = [where for where, _ in found(providers=providers)]
    assert where == [
        ("providers", "x", "credential", "password", 1),
        ("providers", "x", "accounts", "eu", "credential", "username"),
    ]
    assert all("secrets: {exec: true}" in text for _, text in found(providers=providers))
    assert found(providers=providers, secrets={"exec": True}) == []


def test_a_provider_that_can_not_be_served_says_why() -> None:
    assert found(providers={"apns": {"profile": {"unsupported": "speaks HTTP/2 only"}}}) == [
        (("providers", "apns"), "speaks HTTP/2 only")
    ]


def test_an_account_is_bound_by_the_same_rules() -> None:
    accounts = {"eu": {"base_url": "http://10.0.0.1"}, "us": {"base_url": "https://hooks.slack.com/" + "services/T0"}}
    where = [where for where, _ in found(providers={"x": {"accounts": accounts}})]
    assert where == [("providers", "x", "accounts", name, "base_url") for name in ("eu", "us")]


def test_a_token_is_not_fetched_in_the_clear_from_another_machine() -> None:
    credential = {"scheme": "oauth2", "token_url": "http://10.0.0.1/token"}
    ((where, text),) = of_url("https://x.example", credential=credential)
    assert (where[-1], text[:28]) == ("token_url", "sends secrets in the clear; ")
    assert of_url("https://x.example", credential={**credential, "token_url": "http://127.0.0.1:9/token"}) == []


def test_spans_are_not_sent_in_the_clear_to_another_machine() -> None:
    ((where, text),) = found(tracing={"endpoint": "http://collector.example:4318"})
    assert (where, "allow_cleartext: true" in text) == (("tracing", "endpoint"), True)
    for fine in ("http://127.0.0.1:4318", "http://localhost:4318", "https://collector.example/otlp", "nonsense", None):
        assert found(tracing={"endpoint": fine}) == []
    assert found(tracing={"endpoint": "http://collector.example:4318", "allow_cleartext": True}) == []
