"""The secret as segments of the path."""

import pytest
from pydantic import ValidationError

from proxy.core.errors import CredentialMissing
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.credentials.path import PathSegments
from tests.support.schemes import call_of, injected
from tests.support.script import make_runtime

SLACK = "/services/{secret*}"
SLACK_KEY = "T0000/B0000/test-example"
TWILIO = "/2010-04-01/Accounts/{secret}"
SID = "ACtest-example"


def scheme(template: str, secret: str, **keys: str) -> tuple[PathSegments, SecretSlot]:
    slot = SecretSlot(SecretRef("env", "KEY"))
    slot.put(Secret(secret))
    settings = {"scheme": "path", "template": template, "value": "env:KEY"} | keys
    config = PathSegments.Config.model_validate(settings)
    return PathSegments(config, lambda _: slot, make_runtime()), slot


def sent(target: bytes, template: str, secret: str, **keys: str) -> bytes:
    return injected(scheme(template, secret, **keys)[0], call_of(target)).target


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/2010-04-01/Accounts/placeholder", b"/2010-04-01/Accounts/ACtest-example"),
        (b"/2010-04-01/Accounts/placeholder.json", b"/2010-04-01/Accounts/ACtest-example.json"),
        (b"/2010-04-01/Accounts/p.l.a.json?a=/b", b"/2010-04-01/Accounts/ACtest-example.json?a=/b"),
        (b"/2010-04-01/Accounts/p.la", b"/2010-04-01/Accounts/ACtest-example"),
        (
            b"/2010-04-01/Accounts/AC1/Messages.json?To=%2B1",
            b"/2010-04-01/Accounts/ACtest-example/Messages.json?To=%2B1",
        ),
        (b"/2010-04-01/Accounts/AC1//x", b"/2010-04-01/Accounts/ACtest-example//x"),
    ],
)
def test_one_segment_is_replaced_and_the_rest_stays(target: bytes, expected: bytes) -> None:
    assert sent(target, TWILIO, SID) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/services/T1/B1/placeholder", b"/services/T0000/B0000/test-example"),
        (b"/services/placeholder", b"/services/T0000/B0000/test-example"),
        (b"/services/T1/placeholder?a=1", b"/services/T0000/B0000/test-example?a=1"),
        (b"/services/T1/B1/placeholder/slack", b"/services/T0000/B0000/test-example/slack"),
        (b"/services/T1/B1/placeholder/", b"/services/T0000/B0000/test-example/"),
    ],
)
def test_as_many_segments_are_replaced_as_the_secret_has(target: bytes, expected: bytes) -> None:
    assert sent(target, SLACK, SLACK_KEY) == expected


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"*",
        b"/services/",
        b"/services",
        b"/Services/x",
        b"/v1/services/x",
        b"/services?x=/services/y",
        b"/services//x",
    ],
)
def test_a_path_that_does_not_begin_as_the_template_says_is_left_alone(target: bytes) -> None:
    assert sent(target, SLACK, SLACK_KEY) == target


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/2010-04-01/Accounts/ACplaceholder.json", b"/2010-04-01/Accounts/ACtest-example.json"),
        (b"/2010-04-01/Accounts/ACplaceholder/x", b"/2010-04-01/Accounts/ACtest-example/x"),
        (b"/2010-04-01/Accounts/ACsubaccount/x", b"/2010-04-01/Accounts/ACsubaccount/x"),
        (b"/2010-04-01/Accounts/ACplaceholder2", b"/2010-04-01/Accounts/ACplaceholder2"),
    ],
)
def test_nothing_but_a_named_placeholder_is_replaced(target: bytes, expected: bytes) -> None:
    assert sent(target, TWILIO, SID, placeholder="ACplaceholder") == expected


def test_a_named_placeholder_stands_for_all_segments_of_the_secret() -> None:
    assert sent(b"/services/mine/x", SLACK, SLACK_KEY, placeholder="mine") == b"/services/T0000/B0000/test-example/x"


def test_other_names_in_the_template_stand_for_one_segment_each() -> None:
    template = "/api/v10/webhooks/{id}/{secret}"
    assert (
        sent(b"/api/v10/webhooks/42/placeholder/messages/1", template, "key") == b"/api/v10/webhooks/42/key/messages/1"
    )
    assert sent(b"/api/v10/webhooks/a/b/placeholder", template, "key") == b"/api/v10/webhooks/a/key/placeholder"


def test_what_has_a_meaning_in_a_path_is_encoded() -> None:
    assert sent(b"/a/x", "/a/{secret}", "a/b?c#d e%é:@") == b"/a/a%2Fb%3Fc%23d%20e%25%C3%A9:@"
    assert sent(b"/a/x/y", "/a/{secret*}", "a/b?c\\d") == b"/a/a/b%3Fc%5Cd"


def test_slashes_around_the_secret_are_forgiven() -> None:
    assert sent(b"/services/x", SLACK, f"/{SLACK_KEY}/") == b"/services/T0000/B0000/test-example"


@pytest.mark.parametrize(
    ("template", "secret"),
    [
        (SLACK, "https://hooks.example.com/services/T0/B0/test-example"),
        (SLACK, "T0//test-example"),
        (SLACK, "T0/../test-example"),
        (SLACK, "/"),
        (TWILIO, ".."),
        (TWILIO, "."),
    ],
)
def test_a_secret_that_would_lead_elsewhere_is_not_sent(template: str, secret: str) -> None:
    with pytest.raises(CredentialMissing, match="env:KEY") as caught:
        sent(b"/services/x", template, secret)
    assert "test-example" not in str(caught.value)


def test_a_new_secret_of_another_length_counts_at_once() -> None:
    made, slot = scheme(SLACK, "one/two")
    assert injected(made, call_of(b"/services/a/b/c")).target == b"/services/one/two/c"
    slot.put(Secret("1/2/3"))
    assert injected(made, call_of(b"/services/a/b/c")).target == b"/services/1/2/3"


def test_the_calls_own_target_which_is_logged_never_holds_the_secret() -> None:
    call = call_of(b"/services/placeholder")
    injected(scheme(SLACK, SLACK_KEY)[0], call)
    assert call.target == b"/services/placeholder"


def test_the_place_is_told() -> None:
    assert scheme(SLACK, SLACK_KEY)[0].places == ("path /services/{secret*}",)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "services/{secret}",
        "/services",
        "/services/{key}",
        "/x{secret}",
        "/{secret}/x",
        "/{secret}{secret}",
        "/{secret}/{secret}",
        "/a?b/{secret}",
        "/a*/{secret}",
        "/a//{secret}",
    ],
)
def test_a_template_that_can_not_work_is_refused(template: str) -> None:
    with pytest.raises(ValidationError):
        scheme(template, "key")


@pytest.mark.parametrize(
    ("template", "secret", "placeholder", "url", "shown"),
    [
        (
            TWILIO, SID, "ACplaceholder",
            b"https://api.twilio.com/2010-04-01/Accounts/ACtest-example/Calls.json?Page=1",
            b"https://api.twilio.com/2010-04-01/Accounts/ACplaceholder/Calls.json?Page=1",
        ),
        (TWILIO, SID, "ACplaceholder", b"/a/ACtest-example.json#b", b"/a/ACplaceholder.json#b"),
        (TWILIO, SID, None, b"/a/ACtest%2Dexample", b"/a/placeholder"),
        (TWILIO, SID, None, b"/a/ACtest-example2/xACtest-example", b"/a/ACtest-example2/xACtest-example"),
        (
            SLACK, SLACK_KEY, None,
            b"/services/T0000/B0000/test-example?a", b"/services/placeholder/placeholder/placeholder?a",
        ),
        (SLACK, SLACK_KEY, "here", b"/services/T0000/B0000/test-example/more", b"/services/here/more"),
        (SLACK, "a b/c:d", None, b"/services/a%20b/c%3ad", b"/services/placeholder/placeholder"),
        (SLACK, SLACK_KEY, None, b"/services/T0000/other", b"/services/T0000/other"),
    ],
)  # fmt: skip
def test_a_url_of_the_provider_s_shows_the_placeholder_again_and_means_the_same(
    template: str, secret: str, placeholder: str | None, url: bytes, shown: bytes
) -> None:
    made, _ = scheme(template, secret, **({"placeholder": placeholder} if placeholder else {}))
    injected(made, call_of(b"/"))
    assert made.conceal(url) == shown
    if url.startswith(b"/services/T0000/B0000"):
        assert injected(made, call_of(shown)).target == url


def test_the_answers_to_calls_with_the_old_secret_are_concealed_too() -> None:
    made, slot = scheme(TWILIO, SID)
    injected(made, call_of(b"/"))
    slot.put(Secret("ACnew-example"))
    injected(made, call_of(b"/"))
    assert made.conceal(b"/ACtest-example/ACnew-example") == b"/placeholder/placeholder"


def test_before_the_first_call_there_is_nothing_to_conceal() -> None:
    assert scheme(TWILIO, SID)[0].conceal(b"/a//b?c") == b"/a//b?c"
