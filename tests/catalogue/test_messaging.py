"""Messages: Twilio, SendGrid, Slack, Discord, and the webhooks whose URL is a secret."""

from base64 import b64encode

import pytest

from proxy.core.outcome import Outcome
from tests.support.presets import hidden, may_repeat, profile, section, sent, verdict, wait_s
from tests.support.schemes import call_of
from tests.support.script import WALL

SID = "AC" + "0a" * 16
TWILIO = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": "tok_test_example"}


@pytest.mark.parametrize(
    ("name", "status", "body", "outcome"),
    [
        ("slack", 200, '{"ok":true}', Outcome.OK),
        ("slack", 200, '{"ok":false,"error":"ratelimited"}', Outcome.THROTTLED),
        ("slack", 200, '{"ok":false,"error":"rate_limited"}', Outcome.THROTTLED),
        ("slack", 200, '{"ok":false,"error":"internal_error"}', Outcome.FAILED),
        ("slack", 200, '{"ok":false,"error":"fatal_error"}', Outcome.FAILED),
        ("slack", 200, '{"ok":false,"error":"service_unavailable"}', Outcome.FAILED),
        ("slack", 200, '{"ok":false,"error":"invalid_auth"}', Outcome.UNAUTHORISED),
        ("slack", 200, '{"ok":false,"error":"token_revoked"}', Outcome.UNAUTHORISED),
        ("slack", 200, '{"ok":false,"error":"token_expired"}', Outcome.UNAUTHORISED),
        ("slack", 200, '{"ok":false,"error":"channel_not_found"}', Outcome.OK),
        ("slack", 200, '{"ok":false,"error":"missing_scope"}', Outcome.OK),
        ("slack", 200, '{"ok":true,"message":{"text":"ratelimited"}}', Outcome.OK),
        ("slack", 429, "", Outcome.THROTTLED),
        ("slack-webhooks", 429, "", Outcome.THROTTLED),
        ("slack-webhooks", 404, "no_service", Outcome.REFUSED),
        ("twilio", 429, '{"code":20429,"status":429}', Outcome.THROTTLED),
        ("twilio", 401, '{"code":20003,"status":401}', Outcome.UNAUTHORISED),
        ("twilio", 400, '{"code":21211,"status":400}', Outcome.REFUSED),
        ("twilio", 500, '{"code":20500,"status":500}', Outcome.FAILED),
        ("sendgrid", 429, '{"errors":[{"message":"too many requests"}]}', Outcome.THROTTLED),
        ("sendgrid", 413, "", Outcome.REFUSED),
        ("discord", 429, '{"message":"You are being rate limited.","retry_after":0.5}', Outcome.THROTTLED),
        ("discord", 401, "", Outcome.UNAUTHORISED),
        ("discord", 403, "", Outcome.REFUSED),
        ("discord-webhooks", 404, '{"code":10015}', Outcome.REFUSED),
    ],
)
def test_an_answer_is_judged_as_documented(name: str, status: int, body: str, outcome: Outcome) -> None:
    assert verdict(name, status, body) is outcome


@pytest.mark.parametrize("name", ["slack", "slack-webhooks"])
def test_slack_tells_the_wait_in_seconds(name: str) -> None:
    assert wait_s(name, {"retry-after": "30"}) == 30.0


@pytest.mark.parametrize("name", ["discord", "discord-webhooks"])
def test_discord_tells_the_wait_in_seconds_with_a_fraction_for_the_bucket_that_is_used_up(name: str) -> None:
    reset = {"x-ratelimit-reset-after": "1.25"}
    assert wait_s(name, reset | {"x-ratelimit-remaining": "0"}) == 1.25
    assert wait_s(name, reset | {"x-ratelimit-remaining": "4"}) is None


def test_sendgrids_reset_of_a_used_up_limit_is_a_unix_time() -> None:
    reset = {"X-RateLimit-Reset": str(int(WALL) + 90)}
    assert wait_s("sendgrid", reset | {"X-RateLimit-Remaining": "0"}) == 90.0
    assert wait_s("sendgrid", reset | {"X-RateLimit-Remaining": "17"}) is None


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("slack", b"/api/chat.postMessage"),
        ("slack-webhooks", b"/services/placeholder"),
        ("twilio", b"/2010-04-01/Accounts/ACplaceholder/Messages.json"),
        ("sendgrid", b"/v3/mail/send"),
        ("discord", b"/api/v10/channels/1/messages"),
        ("discord-webhooks", b"/api/v10/webhooks/0/placeholder"),
    ],
)
def test_a_message_is_not_sent_twice_whatever_key_it_carries(name: str, path: bytes) -> None:
    assert not may_repeat(name, call_of(path, [(b"Idempotency-Key", b"message-1")], "POST"))


@pytest.mark.parametrize("method", ["conversations.list", "conversations.history", "users.info", "auth.test"])
def test_a_slack_method_that_only_reads_may_be_sent_again(method: str) -> None:
    assert may_repeat("slack", call_of(f"/api/{method}".encode(), method="POST"))


@pytest.mark.parametrize("path", [b"/services/placeholder", b"/services/T0/B0/placeholder"])
def test_slacks_webhook_gets_its_three_segments(path: bytes) -> None:
    out = sent("slack-webhooks", call_of(path, method="POST"), {"SLACK_WEBHOOK_PATH": "T0000/B0000/test-example"})
    assert out.target == b"/services/T0000/B0000/test-example"


@pytest.mark.parametrize("rest", [b"", b"/messages/12", b"?wait=true"])
def test_discords_webhook_gets_id_and_token(rest: bytes) -> None:
    call = call_of(b"/api/v10/webhooks/0/placeholder" + rest, method="POST")
    out = sent("discord-webhooks", call, {"DISCORD_WEBHOOK_PATH": "1234/test-example"})
    assert out.target == b"/api/v10/webhooks/1234/test-example" + rest


def test_discord_gets_a_bots_token() -> None:
    call = call_of(b"/api/v10/users/@me", [(b"Authorization", b"Bot placeholder")])
    out = sent("discord", call, {"DISCORD_BOT_TOKEN": "tok_test_example"})
    assert out.headers == [(b"Authorization", b"Bot tok_test_example")]
    assert [str(limit) for limit in section("discord", "rate_limit").limits] == ["50/1s"]


@pytest.mark.parametrize("rest", [b".json", b"/Messages.json", b"/Messages/SM1.json?PageSize=2"])
def test_twilio_gets_user_name_and_password_and_the_sid_in_place_of_the_placeholder(rest: bytes) -> None:
    call = call_of(b"/2010-04-01/Accounts/ACplaceholder" + rest, [(b"Authorization", b"Basic cDpw")])
    out = sent("twilio", call, TWILIO)
    assert out.target == b"/2010-04-01/Accounts/" + SID.encode() + rest
    assert out.headers == [(b"Authorization", b"Basic " + b64encode(f"{SID}:tok_test_example".encode()))]


@pytest.mark.parametrize("target", [b"/2010-04-01/Accounts/AC" + b"1b" * 16 + b"/Calls.json", b"/v2/Services/VA1"])
def test_the_sid_of_a_subaccount_and_the_newer_apis_stay_as_they_are(target: bytes) -> None:
    assert sent("twilio", call_of(target), TWILIO).target == target


def test_every_product_of_twilio_has_its_host_and_pages_lead_back() -> None:
    chosen = profile("twilio")
    assert chosen.hosts["verify"] == "https://verify.twilio.com"
    assert len(chosen.hosts) >= 35
    assert "meta.next_page_url" in chosen.urls.fields


def test_the_secret_segments_are_masked_in_the_log() -> None:
    assert "/api/{version}/webhooks/{id}/{secret}" in profile("discord").secret_paths
    assert "/services/{secret}/{secret}/{secret}" in profile("slack-webhooks").secret_paths


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("twilio", "SK" + "0a" * 16),
        ("sendgrid", ".".join(("SG", "x" * 22, "x" * 43))),
        ("slack", "-".join(("xoxb", "1" * 12, "x" * 24))),
        ("slack", "-".join(("xoxe.xoxp", "1", "x" * 24))),
        ("slack", "-".join(("xapp", "1", "x" * 24))),
        ("slack", "/".join(("https:", "", "hooks.slack.com", "services", "T0", "B0", "x" * 24))),
        ("slack-webhooks", "/".join(("https:", "", "hooks.slack.com", "services", "T0", "B0", "x" * 24))),
        ("discord", ".".join(("M" + "x" * 25, "y" * 6, "z" * 30))),
        ("discord", "/".join(("https:", "", "discord.com", "api", "webhooks", "1" * 18, "x" * 60))),
        ("discord-webhooks", "/".join(("https:", "", "discord.com", "api", "webhooks", "1" * 18, "x" * 60))),
    ],
)
def test_the_shape_of_a_secret_is_known_wherever_it_stands(name: str, text: str) -> None:
    assert hidden(name, text)


@pytest.mark.parametrize(
    ("name", "scheme", "header", "timestamp", "tolerance", "dedupe"),
    [
        ("twilio", "twilio", "x-twilio-signature", None, None, None),
        ("slack", "slack", "x-slack-signature", "x-slack-request-timestamp", 300, "event_id"),
        ("discord", "discord", "x-signature-ed25519", "x-signature-timestamp", None, "id"),
        (
            "sendgrid",
            "sendgrid",
            "x-twilio-email-event-webhook-signature",
            "x-twilio-email-event-webhook-timestamp",
            None,
            "sg_event_id",
        ),
    ],
)
def test_events_are_signed(
    name: str, scheme: str, header: str, timestamp: str | None, tolerance: int | None, dedupe: str | None
) -> None:
    webhook = profile(name).webhook
    assert webhook is not None
    assert (webhook.scheme, webhook.header, webhook.timestamp) == (scheme, header, timestamp)
    assert (webhook.tolerance, webhook.dedupe) == (tolerance, dedupe)
