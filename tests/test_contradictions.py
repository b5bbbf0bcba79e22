"""Keys that are right by themselves and wrong together, and addresses that would tell or give away a secret."""

from typing import Any

import pytest

from proxy.contradictions import contradictions, misdirected
from proxy.core.profile import SecretPattern
from proxy.problems import Finding

HOOK = SecretPattern(pattern=r"hooks\.slack\.com/services/[A-Za-z0-9/_-]+", contains=("hooks.slack.com",))
KEY = SecretPattern(pattern="sk-[A-Za-z0-9_-]{20,}", contains=("sk-",))
STRIPE = {"base_url": "https://api.stripe.com", "credential": {"scheme": "bearer", "token": "env:STRIPE_SECRET_KEY"}}


def found(**tree: Any) -> list[Finding]:
    return list(contradictions(tree, (HOOK, KEY)))


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


@pytest.mark.parametrize(
    "url", ["https://stripe.example.com", "http://127.0.0.1:9", "https://api.stripe.com.example", "builtin:mock"]
)
@pytest.mark.parametrize("written", [{}, {"credential": {}}, {"credential": None}])
def test_a_presets_secret_goes_to_no_other_host_by_itself(url: str, written: dict[str, Any]) -> None:
    assert "write credential, or credential: off" in misdirected({"base_url": url, **written}, STRIPE)


@pytest.mark.parametrize(
    "credential", [False, {"token": "env:MINE"}, {"scheme": "query", "name": "k", "value": "env:K"}]
)
def test_a_credential_that_is_written_may_go_anywhere(credential: Any) -> None:
    assert misdirected({"base_url": "https://stripe.example.com", "credential": credential}, STRIPE) == ""


@pytest.mark.parametrize(
    "url",
    ["https://files.stripe.com", "https://api.eu.stripe.com", "https://STRIPE.com.", "https://api.stripe.com:8443/v2"],
)
def test_hosts_of_the_presets_domain_may_have_its_secret(url: str) -> None:
    assert misdirected({"base_url": url}, STRIPE) == ""


def test_a_preset_without_a_secret_may_stand_beneath_any_host() -> None:
    entry = {"base_url": "https://other.example"}
    assert misdirected(entry, {"base_url": "builtin:mock", "credential": False}) == ""
    assert misdirected({"retry": False}, STRIPE) == ""
