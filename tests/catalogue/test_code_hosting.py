"""Code hosting: GitHub, as a user and as an app."""

import pytest

from proxy.core.outcome import Outcome
from tests.support.presets import hidden, may_repeat, profile, section, verdict, wait_s
from tests.support.schemes import call_of
from tests.support.script import WALL

BOTH = pytest.mark.parametrize("name", ["github", "github-app"])
LIMITED = '{"message":"API rate limit exceeded for user ID 1."}'
SECONDARY = '{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}'


@BOTH
@pytest.mark.parametrize(
    ("status", "body", "headers", "outcome"),
    [
        (429, "", [], Outcome.THROTTLED),
        (403, "", [(b"Retry-After", b"60")], Outcome.THROTTLED),
        (403, "", [(b"X-RateLimit-Remaining", b"0")], Outcome.THROTTLED),
        (403, LIMITED, [], Outcome.THROTTLED),
        (403, SECONDARY, [(b"X-RateLimit-Remaining", b"4999")], Outcome.THROTTLED),
        (403, '{"message":"Must have admin rights."}', [(b"X-RateLimit-Remaining", b"4999")], Outcome.REFUSED),
        (200, '{"data":null,"errors":[{"type":"RATE_LIMITED"}]}', [], Outcome.THROTTLED),
        (200, '{"data":{"viewer":{"login":"ann"}}}', [(b"X-RateLimit-Remaining", b"0")], Outcome.OK),
        (200, '{"errors":[{"message":"Something went wrong while executing your query."}]}', [], Outcome.FAILED),
        (200, '{"data":null,"errors":[{"type":"NOT_FOUND"}]}', [], Outcome.OK),
        (200, '[{"id":1}]', [], Outcome.OK),
        (401, '{"message":"Bad credentials"}', [], Outcome.UNAUTHORISED),
        (422, "", [], Outcome.REFUSED),
        (502, "", [], Outcome.FAILED),
    ],
)
def test_a_limit_is_told_from_a_missing_permission(
    name: str, status: int, body: str, headers: list[tuple[bytes, bytes]], outcome: Outcome
) -> None:
    assert verdict(name, status, body, headers) is outcome


@BOTH
def test_the_reset_of_a_used_up_limit_is_a_unix_time(name: str) -> None:
    reset = {"X-RateLimit-Reset": str(int(WALL) + 90)}
    assert wait_s(name, reset | {"X-RateLimit-Remaining": "0"}) == 90.0
    assert wait_s(name, reset | {"X-RateLimit-Remaining": "17"}) is None


@BOTH
def test_a_secondary_limit_without_headers_is_a_minute_at_least(name: str) -> None:
    assert section(name, "rate_limit").unhinted_pause == 60.0
    assert section(name, "rate_limit").pause_max == 3600.0


@BOTH
@pytest.mark.parametrize("path", [b"/graphql", b"/repos/ann/harbour/issues"])
def test_a_post_is_not_sent_twice(name: str, path: bytes) -> None:
    assert not may_repeat(name, call_of(path, [(b"Idempotency-Key", b"1")], "POST"))


@BOTH
def test_pages_and_objects_lead_back(name: str) -> None:
    urls = profile(name).urls
    assert {"link", "location"} <= set(urls.headers)
    assert {"url", "[].url", "items[].url", "owner.url"} <= set(urls.fields)
    assert profile(name).hosts == {"uploads": "https://uploads.github.com"}


def test_an_app_changes_its_signed_token_for_one_of_its_installation() -> None:
    credential = section("github-app", "credential")
    assert (credential.scheme, credential.grant) == ("oauth2", "github_app")
    assert credential.url == "https://api.github.com/"


def test_an_app_and_a_user_are_judged_alike() -> None:
    user, app = profile("github"), profile("github-app")
    for block in ("throttled", "failed", "resets", "idempotency", "paths", "urls", "webhook", "version", "request_id"):
        assert getattr(user, block) == getattr(app, block)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("github", "_".join(("ghp", "x" * 36))),
        ("github", "_".join(("github", "pat", "x" * 22))),
        ("github-app", "_".join(("ghs", "x" * 36))),
        ("github-app", "".join(("-----BEGIN RSA PRI", "VATE KEY-----", "\\n", "x" * 64))),
    ],
)
def test_the_shape_of_a_secret_is_known_wherever_it_stands(name: str, text: str) -> None:
    assert hidden(name, text)


@BOTH
def test_an_event_is_signed_over_its_body_and_named_by_its_delivery(name: str) -> None:
    webhook = profile(name).webhook
    assert webhook is not None
    assert (webhook.scheme, webhook.header) == ("github", "x-hub-signature-256")
    assert (webhook.dedupe, webhook.tolerance) == ("x-github-delivery", None)
