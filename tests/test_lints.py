"""What a profile knows is held against the configuration: limits, keys, hosts, accounts, and whose secret it is."""

from pathlib import Path

import pytest

from proxy.check import check
from proxy.config import read
from proxy.lints import contrary_to_profile, misplaced

OWN = "  own:\n    base_url: https://own.example.com\n    "


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tidegate.yaml"


def found(file: Path, text: str) -> list[tuple[str, str]]:
    """Return key and text of what is found."""
    file.write_text(f"providers:\n{text}")
    return [(".".join(map(str, where[1:])), said) for where, said in contrary_to_profile(read(file))]


def keys(file: Path, text: str) -> list[str]:
    return [key for key, _ in found(file, text)]


def test_a_limit_above_the_published_one_is_told_with_it(file: Path) -> None:
    ((key, text),) = found(file, "  stripe: {rate_limit: {limits: [200/1s]}}")
    assert key == "stripe.rate_limit.limits"
    assert text.startswith("200/1s is more than the provider publishes (100/1s, an account in live mode); write less")


@pytest.mark.parametrize(
    ("limits", "count"),
    [("100/1s", 0), ("25/1s", 0), ("6000/1m", 0), ("6001/1m", 1), ("101/500ms", 0), ("200/1s, 9000/1m", 2)],
)
def test_limits_of_other_windows_are_compared_by_what_they_allow(limits: str, count: int, file: Path) -> None:
    assert len(keys(file, f"  stripe: {{rate_limit: {{limits: [{limits}]}}}}")) == count


def test_the_most_generous_of_several_published_limits_counts(file: Path) -> None:
    assert keys(file, "  github: {rate_limit: {limits: [15000/1h]}}") == []
    assert keys(file, "  sendgrid: {rate_limit: {limits: [100000/1s]}}") == []  # publishes none for all calls


def test_a_limit_that_was_agreed_on_is_said_in_the_profile(file: Path) -> None:
    text = "  stripe: {rate_limit: {limits: [200/1s]}, profile: {published: [{limit: 200/1s, what: our contract}]}}"
    assert keys(file, text) == []


def test_a_presets_own_limit_and_one_that_is_off_are_fine(file: Path) -> None:
    assert keys(file, "  stripe: {}\n  segment: {rate_limit: off}") == []


def test_what_accounts_inherit_is_told_once(file: Path) -> None:
    accounts = (
        "accounts: {a: {credential: {token: env:A}}, b: {credential: {token: env:B}, rate_limit: {max_wait: 1s}}}"
    )
    text = f"  stripe:\n    rate_limit: {{limits: [200/1s]}}\n    {accounts}"
    assert keys(file, text) == ["stripe.rate_limit.limits"]
    assert keys(
        file, text.replace("b: {", "b: {rate_limit: {limits: [300/1s]}, ").replace(", rate_limit: {max_wait: 1s}", "")
    ) == [
        "stripe.rate_limit.limits",
        "stripe.accounts.b.rate_limit.limits",
    ]


@pytest.mark.parametrize(
    ("section", "key"), [("idempotency: off", "idempotency"), ("idempotency: {mint: false}", "idempotency.mint")]
)
def test_a_post_that_could_have_a_key_and_gets_none_is_told(section: str, key: str, file: Path) -> None:
    ((where, text),) = found(file, f"  stripe: {{{section}}}")
    assert where == f"stripe.{key}"
    assert "a POST without the header idempotency-key is never sent again" in text


@pytest.mark.parametrize("text", ["stripe: {idempotency: off, retry: off}", "twilio: {idempotency: off}", "qstash: {}"])
def test_keys_that_nobody_misses_are_not_told(text: str, file: Path) -> None:
    assert keys(file, f"  {text}") == []


def test_a_provider_whose_posts_all_only_read_though_it_knows_a_key_can_not_be_meant(file: Path) -> None:
    text = f'{OWN}profile: {{idempotency: {{header: x-key}}, repeatable: [{{path: /a}}, {{path: "/*"}}]}}'
    ((key, said),) = found(file, text)
    assert key == "own.profile.repeatable.1.path"
    assert "without the header x-key" in said
    assert keys(file, text.replace("idempotency: {header: x-key}, ", "")) == []
    assert keys(file, text.replace('path: "/*"', 'path: "/*", methods: [SEARCH, GET]')) == [
        "own.profile.repeatable.1.path"
    ]
    assert keys(file, text.replace('path: "/*"', 'path: "/*", methods: [GET]')) == []


@pytest.mark.parametrize(
    ("text", "key", "todo"),
    [
        ("paypal-sandbox: {preset: paypal}", "paypal-sandbox", "write host: sandbox"),
        ("paypal: {credential: {client_id: env:PAYPAL_SANDBOX_ID}}", "paypal.credential.client_id", "write host:"),
        (
            "paypal: {credential: {client_id: 'file:/etc/test-id'}}",
            "paypal.credential.client_id",
            "write host: sandbox",
        ),
        ("square: {host: sandbox, credential: {token: env:LIVE_TOKEN}}", "square.credential.token", "leave host out"),
        ("hotelbeds-live: {preset: hotelbeds, host: test}", "hotelbeds-live", "leave host out"),
        ("square: {accounts: {test: {credential: {token: env:A}}}}", "square.accounts.test", "write host: sandbox"),
    ],
)
def test_what_is_named_for_the_sandbox_does_not_go_to_the_live_host_nor_the_other_way(
    text: str, key: str, todo: str, file: Path
) -> None:
    ((where, said),) = found(file, f"  {text}")
    assert where == key
    assert todo in said


@pytest.mark.parametrize(
    "text",
    [
        "square: {credential: {token: env:SQUARE_LIVE_TOKEN}}",
        "square-sandbox: {preset: square, host: sandbox, credential: {token: env:SQUARE_SANDBOX_TOKEN}}",
        "square: {credential: {token: env:LATEST_TOKEN}}",
        "square: {credential: {token: 'file:/var/test/square'}}",
        "square: {credential: {token: env:NOT_TEST_BUT_LIVE}}",
        "stripe: {credential: {token: env:STRIPE_TEST_KEY}}",  # one host for both
        "square-test: {preset: square, base_url: 'http://127.0.0.1:1', credential: {token: env:A}}",
    ],
)
def test_names_that_fit_or_say_nothing_are_fine(text: str, file: Path) -> None:
    assert keys(file, f"  {text}") == []


def test_an_account_with_the_same_secret_is_none(file: Path) -> None:
    ((key, text),) = found(file, "  stripe: {accounts: {eu: {retry: off}}}")
    assert key == "stripe.accounts.eu"
    assert "as the provider's own" in text
    two = "{a: {credential: {token: env:A}}, b: {credential: {token: env:A}}}"
    ((key, text),) = found(file, f"  stripe: {{credential: off, accounts: {two}}}")
    assert key == "stripe.accounts.b"
    assert text.startswith("sends the same credential to the same host as a;")


def test_one_secret_for_two_hosts_is_two_accounts(file: Path) -> None:
    assert keys(file, "  stripe: {accounts: {files: {host: files}}}") == []


SLACK = "xoxb-" + "123456789012-" + 24 * "x"  # made up, and not in one piece


def strays(file: Path, text: str) -> list[tuple[str, str]]:
    file.write_text(text)
    return [(".".join(map(str, where[1:])), said) for where, said in misplaced(read(file))]


def test_a_secret_with_the_shape_of_another_providers_is_told_without_any_part_of_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", SLACK)
    ((key, text),) = strays(file, "providers: {github: {}}")
    assert key == "github.credential.token"
    assert text.startswith("env:GITHUB_TOKEN holds what looks like a secret of slack; put the right one there")
    assert "xoxb" not in text


@pytest.mark.parametrize("secret", ["anything", "sk_test_example", "0123456789abcdef" * 2])
def test_a_secret_without_a_known_shape_is_fine(secret: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", secret)
    assert strays(file, "providers: {github: {}}") == []


def test_a_secret_of_the_providers_own_shape_is_fine_though_others_share_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", SLACK)
    assert strays(file, "providers: {slack: {credential: {token: env:SLACK_BOT_TOKEN}}}") == []


def test_a_file_is_looked_at_too_and_a_missing_one_is_not_this_lints_matter(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text(f"{SLACK}\n")
    config = "providers: {github: {credential: {token: [%s]}}}"
    assert [key for key, _ in strays(file, config % f"'file:{tmp_path}/key'")] == ["github.credential.token"]
    assert strays(file, config % f"'file:{tmp_path}/none'") == []


def test_an_account_that_holds_the_wrong_secret_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "anything")
    monkeypatch.setenv("EU_TOKEN", SLACK)
    found = strays(file, "providers: {github: {accounts: {eu: {credential: {token: env:EU_TOKEN}}}}}")
    assert [key for key, _ in found] == ["github.accounts.eu.credential.token"]


def test_whoever_writes_another_address_knows_what_it_takes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", SLACK)
    text = "providers: {own: {preset: github, base_url: 'https://x.example.com', credential: {token: env:A}}}"
    assert strays(file, text) == []


def test_shapes_of_the_users_own_presets_count(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    preset = 'base_url: https://x.example.com\nprofile: {secret_patterns: [{pattern: "zz_[a-z]+", contains: [zz_]}]}\n'
    (tmp_path / "own" / "zebra.yaml").write_text(preset)
    monkeypatch.setenv("GITHUB_TOKEN", "zz_abc")
    ((_, text),) = strays(file, "catalogue: own\nproviders: {github: {}}")
    assert "a secret of zebra;" in text


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("sqs: {preset: aws-sqs, credential: {access_key: [env:A, env:B]}, vars: {region: eu-west-1}}", "access_key"),
        ("sqs: {preset: aws-sqs, credential: {secret_key: [env:A, env:B]}, vars: {region: eu-west-1}}", "secret_key"),
        ("twilio: {credential: {of: {user: {username: [env:A, env:B]}}}}", "of.user.username"),
    ],
)
def test_two_live_secrets_beside_one_that_goes_with_them_are_told(text: str, key: str, file: Path) -> None:
    ((where, said),) = found(file, f"  {text}")
    assert where == f"{text.partition(':')[0]}.credential.{key}"
    assert said.startswith("names two secrets, and ")
    assert said.endswith("write a list of two there too, new and old")


@pytest.mark.parametrize(
    "credential",
    [
        "{scheme: sigv4, access_key: [env:A, env:B], secret_key: [env:C, env:D]}",
        "{scheme: basic, username: env:A, password: [env:B, env:C]}",  # one user's password changes
        "{scheme: basic, username: [env:A, env:B]}",
        (
            "{scheme: oauth2, grant: client_credentials, token_url: 'https://a.example/t', client_id: env:A,"
            " client_secret: [env:B, env:C]}"
        ),
    ],
)
def test_secrets_that_change_together_or_alone_are_fine(credential: str, file: Path) -> None:
    assert keys(file, f"{OWN}credential: {credential}") == []


REFRESHED = (
    f"{OWN}credential: {{scheme: oauth2, grant: refresh_token, token_url: 'https://auth.example.com/t',"
    " client_id: app, refresh_token: env:R}\n"
)


def test_a_refresh_token_that_nothing_keeps_is_told_once_where_it_is_written(file: Path) -> None:
    ((key, text),) = found(file, REFRESHED + "    accounts: {eu: {credential: {client_id: eu}}}\n")
    assert key == "own.credential.refresh_token"
    assert "write persist: /absolute/path" in text
    assert keys(file, REFRESHED + "    accounts: {eu: {credential: {refresh_token: env:EU}}}\n") == [
        "own.credential.refresh_token",
        "own.accounts.eu.credential.refresh_token",
    ]
    assert keys(file, REFRESHED.replace("env:R}", "env:R, persist: /var/lib/tidegate/own}")) == []


def test_the_finding_names_file_line_and_key(file: Path) -> None:
    file.write_text(f"providers:\n{REFRESHED}")
    assert check(file, secrets=False)[0].startswith(f"{file}:4: providers.own.credential.refresh_token: may be ")
