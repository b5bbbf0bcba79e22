"""Loading: the user's file over the preset over the default, with every problem told at once."""

from pathlib import Path

import pytest

from proxy.addresses import BaseUrl
from proxy.config import catalogue, load, preset, read
from proxy.core.errors import ConfigError
from proxy.core.secret import SecretRef, SecretRefs
from proxy.core.units import Rate

ROOT = Path(__file__).parent.parent
SHIPPED = sorted((ROOT / "config").rglob("*.yaml"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tidegate.yaml"


def problems(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    return [line.removeprefix(f"{file}:") for line in caught.value.problems]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_file_loads(path: Path) -> None:
    assert load(path).providers


def test_the_file_that_make_run_uses_has_the_mock_alone() -> None:
    assert list(load(ROOT / "config" / "tidegate.yaml").providers) == ["mock"]


def test_a_catalogue_name_alone_is_enough(file: Path) -> None:
    file.write_text("providers:\n  stripe:\n")
    stripe = load(file).providers["stripe"]
    assert stripe.base_url == BaseUrl("https", "api.stripe.com", 443)
    assert stripe.section("credential").token == SecretRefs([SecretRef("env", "STRIPE_SECRET_KEY")])
    assert stripe.profile.should_retry == "stripe-should-retry"


def test_what_the_user_writes_is_laid_over_the_preset_key_by_key(file: Path) -> None:
    file.write_text(
        "providers:\n  stripe:\n    rate_limit: {limits: [7/1s, 9/1m]}\n    credential: {token: env:OTHER}\n"
        "    profile: {title: Mine}\n    retry: off\n"
    )
    stripe = load(file).providers["stripe"]
    assert stripe.section("rate_limit").limits == (Rate(7, 1.0), Rate(9, 60.0))
    assert stripe.section("rate_limit").unhinted_pause == 0.0
    assert stripe.section("credential").token == SecretRefs([SecretRef("env", "OTHER")])
    assert (stripe.profile.title, stripe.profile.should_retry) == ("Mine", "stripe-should-retry")
    assert stripe.section("retry") is False


def test_a_credential_of_another_scheme_replaces_the_presets_whole(file: Path) -> None:
    file.write_text("providers: {stripe: {credential: {scheme: header, name: X-Key, value: file:/k}}}\n")
    credential = load(file).providers["stripe"].section("credential")
    assert (credential.scheme, credential.name, str(credential.value)) == ("header", "X-Key", "file:/k")


def test_a_preset_can_stand_beneath_another_name(file: Path) -> None:
    file.write_text("providers: {eu: {preset: stripe, base_url: 'https://eu.example.com', credential: off}}\n")
    eu = load(file).providers["eu"]
    assert (eu.base_url.host, eu.profile.title) == ("eu.example.com", "Stripe")


def test_each_value_knows_where_it_came_from(file: Path) -> None:
    file.write_text("providers:\n  stripe:\n    timeout:\n      connect: 1s\n    rate_limit: {limits: [1/1s]}\n")
    loaded = read(file)
    at = ("providers", "stripe")
    assert loaded.origin((*at, "timeout", "connect")) == f"config {file}:4"
    assert loaded.origin((*at, "timeout", "attempt")) == "default"
    assert loaded.origin((*at, "base_url")) == "preset stripe"
    assert loaded.origin((*at, "rate_limit", "limits")) == f"config {file}:5"
    assert loaded.origin((*at, "rate_limit", "unhinted_pause")) == "preset stripe"


def test_all_problems_are_told_at_once_in_the_order_of_the_file(file: Path) -> None:
    found = problems(
        file,
        "egress: {listen: nowhere}\nfoo: 1\nproviders:\n  stripe: {retry: {attempts: many}}\n"
        "  x: {base_url: 'http://example.com'}\n",
    )
    assert [line.split(": ")[:2] for line in found] == [
        ["1", "egress.listen"],
        ["2", "foo"],
        ["4", "providers.stripe.retry.attempts"],
        ["5", "providers.x.base_url"],
    ]


def test_a_name_that_the_catalogue_nearly_has_is_offered(file: Path) -> None:
    (problem,) = problems(file, "providers: {stripee: {}}\n")
    assert problem.startswith("1: providers.stripee.base_url: is missing")
    assert "did you mean stripe?" in problem


def test_a_literal_secret_is_refused_and_not_repeated(file: Path) -> None:
    (problem,) = problems(file, "providers:\n  stripe:\n    credential: {scheme: bearer, token: sk_test_example}\n")
    assert problem.startswith("3: providers.stripe.credential.token: not a secret reference")
    assert "sk_test_example" not in problem


def test_what_a_replaced_preset_had_is_not_blamed_on_the_catalogue(file: Path) -> None:
    text = "providers:\n  anthropic:\n    credential: {scheme: query, name: key}\n"  # the preset's has a value, too
    assert problems(file, text) == ["3: providers.anthropic.credential.value: is missing"]


def test_a_wrong_preset_is_one_problem(file: Path) -> None:
    (problem,) = problems(file, "providers: {own: {preset: nope}}\n")
    assert problem.startswith("1: providers.own.preset: not in the catalogue")


def test_problems_between_keys_are_told_beside_the_others(file: Path) -> None:
    text = "egress:\n  listen: 0.0.0.0:4780\nproviders:\n  x: {base_url: 'http://example.com', retry: 3}\n"
    assert [line.split(": ")[:2] for line in problems(file, text)] == [
        ["2", "egress.listen"],
        ["4", "providers.x.base_url"],
        ["4", "providers.x.retry"],
    ]


def test_a_presets_secret_stays_with_its_host_unless_a_credential_is_written(file: Path) -> None:
    text = "providers:\n  eu:\n    preset: stripe\n    base_url: https://eu.example.com\n"
    (problem,) = problems(file, text)
    assert problem.startswith("4: providers.eu.base_url: another host than the preset's")
    file.write_text(text + "    credential: off\n  sendgrid: {base_url: 'https://api.eu.sendgrid.com'}\n")
    assert load(file).providers["sendgrid"].section("credential").token == SecretRefs(
        [SecretRef("env", "SENDGRID_API_KEY")]
    )


KEY = "sk_test_" + "example" * 3


@pytest.mark.parametrize(
    "text",
    [
        f"{KEY}: 1\n",
        f"log:\n  {KEY}: 1\n",
        f"log: {{{KEY}: 1, {KEY}: 2}}\n",
        f"providers:\n  {KEY}: {{}}\n",
        f"providers: {{slack: {{{KEY}: {{a: *b}}}}}}\n",
        f"egress: {{hosts: ['{KEY}:1']}}\n",
    ],
)
def test_a_secret_where_a_key_or_name_stands_is_not_repeated(text: str, file: Path) -> None:
    assert KEY not in "".join(problems(file, text))


def test_a_secret_in_what_is_found_later_is_not_repeated_either(file: Path) -> None:
    file.write_text(f"providers: {{slack: {{credential: {{token: 'env:{KEY}'}}}}}}\n")
    loaded = read(file)
    where = ("providers", "slack", "credential", "token")
    assert loaded.problem(where, f"env:{KEY}: the variable is not set").endswith(
        "token: env:[secret]: the variable is not set"
    )


def test_the_files_own_name_is_shown_whatever_it_looks_like(tmp_path: Path) -> None:
    file = tmp_path / "task-list-of-our-whole-team.yaml"  # which holds the shape of a key
    file.write_text("foo: 1\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.problems[0].startswith(f"{file}:1: foo: unknown key")


def test_an_address_that_holds_a_secret_of_any_preset_is_refused(file: Path) -> None:
    (problem,) = problems(file, "providers: {hook: {base_url: 'https://hooks.slack.com/services/T0/B0/example'}}\n")
    assert problem.startswith("1: providers.hook.base_url: holds what looks like a secret")
    assert "T0" not in problem


def test_a_preset_of_ones_own_stands_over_the_built_in_one(file: Path) -> None:
    (file.parent / "mine").mkdir()
    (file.parent / "mine" / "stripe.yaml").write_text("base_url: https://stripe.example.com\n")
    (file.parent / "mine" / "acme.yaml").write_text("base_url: https://acme.example.com\n")
    file.write_text("catalogue: mine\nproviders: {stripe: {}, acme: {}, github: {}}\n")
    loaded = read(file)
    hosts = {name: provider.base_url.host for name, provider in loaded.settings.providers.items()}
    assert hosts == {"stripe": "stripe.example.com", "acme": "acme.example.com", "github": "api.github.com"}
    assert loaded.origin(("providers", "acme", "base_url")) == "preset acme"
    assert {"acme", "github"} <= set(catalogue(file.parent / "mine"))
    assert preset("acme", file.parent / "mine").data == {"base_url": "https://acme.example.com"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("base_url: https://x\nretry:\n  attempts: many\n", "3: providers.odd.retry.attempts: must be a whole number"),
        ("base_url: https://x\nprofile:\n  title: [a]\n", "3: profile.title: must be text; put it in quotes"),
        ("a: &b 1\n", "1: a: uses a YAML anchor or alias (& or *); write the value out"),
    ],
)
def test_a_problem_inside_a_preset_names_the_presets_own_file(file: Path, text: str, line: str) -> None:
    (file.parent / "mine").mkdir()
    odd = file.parent / "mine" / "odd.yaml"
    odd.write_text(text)
    file.write_text("catalogue: mine\nproviders: {odd: {}}\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.problems == [f"{odd}:{line}"]


def test_a_catalogue_that_is_not_there_is_told(file: Path) -> None:
    assert problems(file, "providers: {}\ncatalogue: mine\n") == [
        "2: catalogue: no such folder; write the path of a folder of presets, beginning beside this file"
    ]


def test_the_catalogue_is_listed_and_read() -> None:
    assert {"mock", "stripe"} <= set(catalogue())
    assert preset("stripe").data["base_url"] == "https://api.stripe.com"


def test_what_an_account_has_from_its_provider_is_told_once_and_what_is_its_own_beside_it(file: Path) -> None:
    text = """
providers:
  stripe:
    credential: {token: exec:/bin/x}
    accounts:
      eu: {}
      us: {credential: {token: exec:/bin/y}}
"""
    assert [line.partition(": runs")[0] for line in problems(file, text)] == [
        "4: providers.stripe.credential.token",
        "7: providers.stripe.accounts.us.credential.token",
    ]
