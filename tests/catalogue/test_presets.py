"""The catalogue: every preset is enough by its name alone, and says what the provider's documents say."""

from pathlib import Path
from typing import Any

import pytest

from proxy.config import Provider, catalogue, load
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.sansio.classify import Classifier
from proxy.sansio.hints import Hints

NAMES = ("anthropic", "github", "mock", "openai", "sendgrid", "slack", "stripe", "twilio")
WALL = 1_800_000_000.0

# Made up, and put together at run time, so that no detector takes them for real ones.
EXAMPLES = {
    "anthropic": ["-".join(("sk", "ant", "api03", "x" * 40))],
    "github": ["_".join(("ghp", "x" * 36)), "_".join(("github", "pat", "x" * 22))],
    "openai": ["-".join(("sk", "x" * 48)), "-".join(("sk", "proj", "x_x-" * 12))],
    "sendgrid": [".".join(("SG", "x" * 22, "x" * 43))],
    "slack": [
        "-".join(("xoxb", "1" * 12, "x" * 24)),
        "-".join(("xoxe.xoxp", "1", "x" * 24)),
        "-".join(("xapp", "1", "x" * 24)),
        "/".join(("https:", "", "hooks.slack.com", "services", "T0", "B0", "x" * 24)),
    ],
    "stripe": ["_".join(("sk", "test", "x" * 24)), "_".join(("rk", "live", "x" * 24)), "_".join(("whsec", "x" * 32))],
    "twilio": ["SK" + "0a" * 16],
}


def provider(name: str, folder: Path) -> Provider:
    file = folder / "tidegate.yaml"
    file.write_text(f"providers:\n  {name}: {{}}\n", encoding="utf-8")
    return load(file).providers[name]


def profile(name: str, folder: Path) -> Profile:
    return provider(name, folder).profile


def verdict(name: str, folder: Path, status: int, *headers: tuple[bytes, bytes]) -> Outcome:
    return Classifier(profile(name, folder))(status, list(headers))


def wait_s(name: str, folder: Path, *headers: tuple[bytes, bytes]) -> float | None:
    return Hints(profile(name, folder)).wait_s(list(headers), WALL)


def section(name: str, folder: Path, key: str) -> Any:
    return getattr(provider(name, folder), key)


def test_the_catalogue_holds_these_presets() -> None:
    assert catalogue() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_name_alone_configures_the_provider(name: str, tmp_path: Path) -> None:
    chosen = provider(name, tmp_path)
    assert chosen.profile.title
    assert str(chosen.base_url).startswith("builtin:" if name == "mock" else "https://")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "mock"])
def test_a_real_provider_gets_a_credential_and_a_way_for_people_to_use_it(name: str, tmp_path: Path) -> None:
    chosen = provider(name, tmp_path)
    assert section(name, tmp_path, "credential")
    assert chosen.profile.docs.startswith("https://")
    assert "{base}" in (chosen.profile.sdk.python or "")


def test_the_mock_needs_no_credential(tmp_path: Path) -> None:
    assert not section("mock", tmp_path, "credential")


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in EXAMPLES.items() for text in texts])
def test_the_shape_of_a_secret_is_known_wherever_it_stands(name: str, text: str, tmp_path: Path) -> None:
    line = f'{{"a":"{text}"}}'.encode()
    hits = [
        pattern.compiled().sub(b"", line)
        for pattern in profile(name, tmp_path).secret_patterns
        if pattern.compiled().search(line) and any(part.encode() in line for part in pattern.contains)
    ]
    assert hits
    assert all(text[-8:].encode() not in rest for rest in hits)


@pytest.mark.parametrize("name", NAMES)
def test_harmless_text_is_no_secret(name: str, tmp_path: Path) -> None:
    line = b'{"id":"ch_3xYz","path":"/v1/charges/*","request_id":"0123456789abcdef0123456789abcdef","task-list":1}'
    assert [pattern for pattern in profile(name, tmp_path).secret_patterns if pattern.compiled().search(line)] == []


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"stripe", "mock"}])
def test_a_provider_without_idempotency_keys_has_no_header_that_makes_a_post_safe(name: str, tmp_path: Path) -> None:
    assert profile(name, tmp_path).idempotency.header is None


def test_stripe_says_itself_what_may_be_retried_and_knows_an_idempotency_key(tmp_path: Path) -> None:
    chosen = profile("stripe", tmp_path)
    assert chosen.should_retry == "stripe-should-retry"
    assert chosen.idempotency.header == "idempotency-key"
    assert "POST" in chosen.idempotency.methods


def test_stripe_is_limited_as_published_and_not_paused_for_a_429_of_one_endpoint(tmp_path: Path) -> None:
    chosen = section("stripe", tmp_path, "rate_limit")
    assert [str(limit) for limit in chosen.limits] == ["100/1s"]
    assert chosen.unhinted_pause == 0.0


def test_github_limits_with_403_as_well(tmp_path: Path) -> None:
    assert verdict("github", tmp_path, 429) is Outcome.THROTTLED
    assert verdict("github", tmp_path, 403, (b"Retry-After", b"60")) is Outcome.THROTTLED
    assert verdict("github", tmp_path, 403, (b"X-RateLimit-Remaining", b"0")) is Outcome.THROTTLED


def test_a_missing_permission_at_github_is_no_limit(tmp_path: Path) -> None:
    assert verdict("github", tmp_path, 403, (b"X-RateLimit-Remaining", b"4999")) is Outcome.REFUSED


@pytest.mark.parametrize("name", ["github", "sendgrid"])
def test_the_reset_of_a_used_up_limit_is_a_unix_time(name: str, tmp_path: Path) -> None:
    reset = (b"X-RateLimit-Reset", str(int(WALL) + 90).encode())
    assert wait_s(name, tmp_path, reset, (b"X-RateLimit-Remaining", b"0")) == 90.0
    assert wait_s(name, tmp_path, reset, (b"X-RateLimit-Remaining", b"17")) is None


def test_slack_tells_the_wait_in_seconds(tmp_path: Path) -> None:
    assert wait_s("slack", tmp_path, (b"retry-after", b"30")) == 30.0


def test_openai_tells_the_wait_as_a_text_for_the_dimension_that_is_used_up(tmp_path: Path) -> None:
    requests = (b"x-ratelimit-reset-requests", b"6m0s")
    tokens = (b"x-ratelimit-reset-tokens", b"12ms")
    left = ((b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-remaining-tokens", b"5"))
    assert wait_s("openai", tmp_path, requests, tokens, *left) == 360.0


def test_anthropic_tells_the_reset_as_a_date_for_the_dimension_that_is_used_up(tmp_path: Path) -> None:
    reset = (b"anthropic-ratelimit-output-tokens-reset", b"2027-01-15T08:01:00Z")
    assert wait_s("anthropic", tmp_path, reset, (b"anthropic-ratelimit-output-tokens-remaining", b"0")) == 60.0


def test_an_overloaded_anthropic_asks_to_slow_down_and_an_unpaid_one_is_exhausted(tmp_path: Path) -> None:
    assert verdict("anthropic", tmp_path, 529) is Outcome.THROTTLED
    assert verdict("anthropic", tmp_path, 402) is Outcome.EXHAUSTED


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_a_language_model_gets_time_and_both_of_the_callers_keys_are_removed(name: str, tmp_path: Path) -> None:
    assert section(name, tmp_path, "deadline").total == 600.0
    assert section(name, tmp_path, "timeout").body_idle == 60.0
    assert section(name, tmp_path, "breaker").probe_timeout >= section(name, tmp_path, "timeout").attempt
    assert set(profile(name, tmp_path).strip_headers) == {"authorization", "x-api-key"}
    assert profile(name, tmp_path).should_retry == "x-should-retry"


def test_the_mock_outlasts_three_failing_calls_before_its_breaker_opens(tmp_path: Path) -> None:
    attempts = section("mock", tmp_path, "retry").attempts
    assert 3 * attempts < section("mock", tmp_path, "breaker").failures <= 4 * attempts
