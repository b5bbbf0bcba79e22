"""Language models: what the presets of OpenAI, Anthropic and Perplexity make of answers, and what they send."""

import pytest

from proxy.core.call import WholeBody
from proxy.core.outcome import Outcome
from tests.support.presets import hidden, may_repeat, profile, section, sent, verdict, wait_s
from tests.support.schemes import call_of, on_wire

MODELS = ("anthropic", "openai", "perplexity")
QUOTA = '{"error":{"message":"You exceeded","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}'
CREDIT = '{"error":{"code":"credit_balance_exhausted","message":"No credit"}}'
TYPE_ALONE = '{"error":{"type":"insufficient_quota","code":null}}'
RATE = '{"error":{"message":"Slow","type":"requests","code":"rate_limit_exceeded"}}'
SLOW = '{"error":{"code":"slow_down"}}'


@pytest.mark.parametrize(
    ("name", "status", "body", "outcome"),
    [
        ("openai", 429, QUOTA, Outcome.EXHAUSTED),
        ("openai", 429, CREDIT, Outcome.EXHAUSTED),
        ("openai", 429, TYPE_ALONE, Outcome.EXHAUSTED),
        ("openai", 429, RATE, Outcome.THROTTLED),
        ("openai", 429, "", Outcome.THROTTLED),
        ("openai", 503, SLOW, Outcome.THROTTLED),
        ("openai", 503, '{"error":{"code":"server_is_overloaded"}}', Outcome.FAILED),
        ("openai", 400, QUOTA, Outcome.REFUSED),
        ("openai", 401, "", Outcome.UNAUTHORISED),
        ("anthropic", 429, '{"type":"error","error":{"type":"rate_limit_error"}}', Outcome.THROTTLED),
        ("anthropic", 529, '{"type":"error","error":{"type":"overloaded_error"}}', Outcome.THROTTLED),
        ("anthropic", 402, '{"type":"error","error":{"type":"billing_error"}}', Outcome.EXHAUSTED),
        ("anthropic", 413, "", Outcome.REFUSED),
        ("anthropic", 504, "", Outcome.FAILED),
        ("perplexity", 429, "", Outcome.THROTTLED),
        ("perplexity", 500, "", Outcome.FAILED),
    ],
)
def test_an_answer_is_judged_by_status_and_code(name: str, status: int, body: str, outcome: Outcome) -> None:
    assert verdict(name, status, body) is outcome


def test_openai_tells_the_wait_as_a_text_for_the_dimension_that_is_used_up() -> None:
    used_up = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-remaining-tokens": "5"}
    resets = {"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-reset-tokens": "9m0s"}
    assert wait_s("openai", used_up | resets) == 360.0


@pytest.mark.parametrize("dimension", ["requests", "tokens", "input-tokens", "output-tokens"])
def test_anthropic_tells_the_reset_as_a_date_for_the_dimension_that_is_used_up(dimension: str) -> None:
    reset = {f"anthropic-ratelimit-{dimension}-reset": "2027-01-15T08:01:00Z"}
    assert wait_s("anthropic", reset | {f"anthropic-ratelimit-{dimension}-remaining": "0"}) == 60.0
    assert wait_s("anthropic", reset | {f"anthropic-ratelimit-{dimension}-remaining": "1"}) is None


@pytest.mark.parametrize("name", MODELS)
def test_a_wait_in_milliseconds_is_read_as_one(name: str) -> None:
    assert wait_s(name, {"retry-after-ms": "1500"}) == 1.5


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gets_time_and_a_place_for_each_stream(name: str) -> None:
    attempt = section(name, "timeout").attempt
    assert section(name, "deadline").total == attempt >= 600.0
    assert section(name, "breaker").probe_timeout >= attempt
    assert section(name, "bulkhead").in_flight == 256


@pytest.mark.parametrize("name", MODELS)
def test_sdk_and_provider_can_say_whether_to_retry_and_which_attempt_it_is(name: str) -> None:
    assert profile(name).should_retry == "x-should-retry"
    assert profile(name).attempt_header == "x-stainless-retry-count"


@pytest.mark.parametrize("name", MODELS)
def test_a_paid_post_is_sent_once(name: str) -> None:
    call = call_of(b"/v1/messages", [(b"Idempotency-Key", b"k")], "POST", WholeBody(b"{}"))
    assert not may_repeat(name, call)


def test_counting_tokens_may_be_repeated() -> None:
    assert may_repeat("anthropic", call_of(b"/v1/messages/count_tokens?beta=true", method="POST"))


@pytest.mark.parametrize(
    ("name", "variable", "goes_out"),
    [
        ("openai", "OPENAI_API_KEY", (b"Authorization", b"Bearer sk_test_example")),
        ("anthropic", "ANTHROPIC_API_KEY", (b"x-api-key", b"sk_test_example")),
        ("perplexity", "PERPLEXITY_API_KEY", (b"Authorization", b"Bearer sk_test_example")),
    ],
)
def test_both_places_of_the_callers_key_are_cleared(name: str, variable: str, goes_out: tuple[bytes, bytes]) -> None:
    call = call_of(b"/v1/x", [(b"authorization", b"Bearer placeholder"), (b"X-Api-Key", b"placeholder")])
    out = sent(name, call, {variable: "sk_test_example"})
    assert out.headers == [goes_out]
    assert b"placeholder" not in on_wire(out)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("openai", "-".join(("sk", "x" * 48))),
        ("openai", "-".join(("sk", "proj", "x_x-" * 12))),
        ("anthropic", "-".join(("sk", "ant", "api03", "x" * 40))),
        ("perplexity", "-".join(("pplx", "x" * 48))),
    ],
)
def test_a_key_is_known_by_its_shape(name: str, text: str) -> None:
    assert hidden(name, text)


@pytest.mark.parametrize("region", ["us", "eu", "ae", "au", "in", "jp"])
def test_openai_has_a_host_in_each_region(region: str) -> None:
    assert profile("openai").hosts[region] == f"https://{region}.api.openai.com"


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_events_are_signed_by_the_standard(name: str) -> None:
    webhook = profile(name).webhook
    assert webhook is not None
    assert (webhook.scheme, webhook.tolerance, webhook.dedupe) == ("standard_webhooks", 300, "webhook-id")
