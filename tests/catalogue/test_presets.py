"""The catalogue: every preset is enough by its name alone, and says what people and policies need of a provider."""

import re
from pathlib import Path
from typing import Any

import pytest

from proxy.config import load
from proxy.core.errors import ConfigError
from proxy.core.profile import Profile, Template
from proxy.presets import Presets
from proxy.sansio.idempotency import IdempotencyKeys
from tests.support.presets import NEEDS, provider, section
from tests.support.schemes import call_of

FACTS = {name: Profile.model_validate(Presets().read(name).data["profile"]) for name in Presets().names}
NAMES = sorted(FACTS)
REAL = [name for name in NAMES if name != "mock"]
SERVED = [name for name in REAL if not FACTS[name].unsupported]

BEFORE = ("anthropic", "github", "mock", "openai", "sendgrid", "slack", "stripe", "twilio")
"""What users have in their files already: these names stay."""

HARMLESS = (
    b'{"id":"ch_3xYz","path":"/v1/charges/*","request_id":"0123456789abcdef0123456789abcdef","task-list":1}',
    b"GET https://api.example.com/v1/objects/5f0c1b2a-7d7e-4c55-9d2c-0f1e2d3c4b5a?page=2&next=cursor_0001 200 12.5ms",
    b"Moored at 53.5511.9937, Master of the harbour; see https://docs.example.com/guide.html#webhooks/overview",
)


def described(chosen: Profile) -> str:
    return " ".join((*chosen.notes, chosen.unsupported))


@pytest.mark.parametrize("name", BEFORE)
def test_a_name_that_was_in_the_catalogue_stays_there(name: str) -> None:
    assert name in NAMES


@pytest.mark.parametrize("name", ["mock", *SERVED])
def test_the_name_alone_configures_the_provider(name: str) -> None:
    chosen = provider(name)
    assert chosen.profile.title
    assert str(chosen.base_url).startswith("builtin:" if name == "mock" else "https://")
    assert "{" not in str(chosen.base_url)


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_without_what_the_address_needs_the_name_is_refused_and_the_problem_says_what_to_write(
    name: str, tmp_path: Path
) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text(f"providers: {{{name}: {{}}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert all(f"{key}: ..." in str(caught.value) for key in NEEDS[name]["vars"])


@pytest.mark.parametrize("name", REAL)
def test_people_find_the_documentation_and_a_way_to_use_it(name: str) -> None:
    chosen = FACTS[name]
    assert chosen.docs.startswith("https://")
    assert chosen.status_page == "" or chosen.status_page.startswith("https://")
    assert "{base}" in (chosen.sdk.python or "") or re.search("SDK|client|HTTP/2", described(chosen))


@pytest.mark.parametrize("name", REAL)
def test_it_is_told_when_and_how_the_facts_were_compared_with_their_source(name: str) -> None:
    chosen = FACTS[name]
    assert "auth" in chosen.verified
    assert all(block.how and block.date.isoformat() >= "2026-11-20" for block in chosen.verified.values())


@pytest.mark.parametrize("name", [name for name in SERVED if name != "sdi"])  # there it is the TLS certificate
def test_a_real_provider_gets_a_credential_from_variables(name: str) -> None:
    if credential := section(name, "credential"):
        assert references_of(credential.model_dump())
    else:
        assert "client certificate" in described(FACTS[name])


def references_of(node: Any) -> list[str]:
    """Return the references in settings; each of them names a variable."""
    if isinstance(node, dict):
        return [ref for value in node.values() for ref in references_of(value)]
    refs = [text for text in (node if isinstance(node, tuple | list) else (node,)) if ":" in str(text)]
    found = [str(ref) for ref in refs if str(ref).startswith(("env:", "file:", "exec:"))]
    assert all(ref.startswith("env:") for ref in found)
    return found


def test_the_mock_needs_no_credential() -> None:
    assert not section("mock", "credential")


@pytest.mark.parametrize("text", HARMLESS)
@pytest.mark.parametrize("name", NAMES)
def test_harmless_text_is_no_secret(name: str, text: bytes) -> None:
    assert [shape for shape in FACTS[name].secret_patterns if shape.compiled().search(text)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_key_is_made_only_where_the_provider_knows_one(name: str) -> None:
    place = FACTS[name].idempotency
    assert sum(where is not None for where in (place.header, place.field, place.query)) <= 1
    assert not place.mint or (place.header or place.field or place.query)


@pytest.mark.parametrize("name", REAL)
def test_a_post_to_an_unknown_place_without_a_key_is_not_sent_twice(name: str) -> None:
    keys = IdempotencyKeys(FACTS[name])
    call = call_of(b"/unknown/place", method="POST")
    assert not keys.is_keyed(call)
    assert not keys.reads_only(call)


@pytest.mark.parametrize("name", SERVED)
def test_a_probe_lasts_as_long_as_an_attempt_and_an_attempt_no_longer_than_a_call(name: str) -> None:
    attempt_s = section(name, "timeout").attempt
    assert section(name, "breaker").probe_timeout >= min(attempt_s, 30.0)
    assert section(name, "deadline").total >= attempt_s


def templates_of(chosen: Profile) -> list[Template]:
    repeatable = [one.path for one in chosen.repeatable]
    return [*chosen.paths, *chosen.secret_paths, *chosen.idempotency.paths, *repeatable]


@pytest.mark.parametrize("name", NAMES)
def test_no_template_stands_twice_in_the_same_list(name: str) -> None:
    chosen = FACTS[name]
    for templates in (chosen.paths, chosen.secret_paths, chosen.idempotency.paths):
        assert len(set(templates)) == len(templates)


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_in_a_template_of_the_log_would_be_shown_nowhere(name: str) -> None:
    assert not [template for template in FACTS[name].paths if "{secret" in template]


@pytest.mark.parametrize("name", [name for name in NAMES if FACTS[name].webhook])
def test_a_webhook_says_by_which_recipe_it_is_signed(name: str) -> None:
    webhook = FACTS[name].webhook
    assert webhook is not None
    assert re.fullmatch("[a-z][a-z0-9_]*", webhook.scheme)
    assert webhook.docs == "" or webhook.docs.startswith("https://")


@pytest.mark.parametrize("name", SERVED)
def test_no_limit_is_set_above_the_largest_that_is_published(name: str) -> None:
    for limit in section(name, "rate_limit").limits:
        same = [one.limit.count for one in FACTS[name].published if one.limit.window_s == limit.window_s]
        assert not same or limit.count <= max(same)


def test_the_mock_outlasts_three_failing_calls_before_its_breaker_opens() -> None:
    attempts = section("mock", "retry").attempts
    assert 3 * attempts < section("mock", "breaker").failures <= 4 * attempts
