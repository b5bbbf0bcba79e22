"""Pictures and video: Cloudinary."""

from base64 import b64encode
from email.utils import formatdate

import pytest

from proxy.core.call import WholeBody
from proxy.core.outcome import Outcome
from tests.support.presets import hidden, may_repeat, profile, sent, verdict, wait_s
from tests.support.schemes import call_of
from tests.support.script import WALL


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (420, Outcome.THROTTLED),
        (429, Outcome.THROTTLED),
        (409, Outcome.REFUSED),
        (401, Outcome.UNAUTHORISED),
        (500, Outcome.FAILED),
    ],
)
def test_an_answer_is_judged_by_its_status(status: int, outcome: Outcome) -> None:
    assert verdict("cloudinary", status) is outcome


def test_the_reset_is_a_date_that_counts_when_nothing_remains() -> None:
    reset = {"X-FeatureRateLimit-Reset": formatdate(WALL + 120, usegmt=True)}
    assert wait_s("cloudinary", reset | {"X-FeatureRateLimit-Remaining": "0"}) == 120.0
    assert wait_s("cloudinary", reset | {"X-FeatureRateLimit-Remaining": "499"}) is None


def test_the_sdks_oauth_token_becomes_key_and_secret_and_the_upload_goes_out_as_it_came() -> None:
    call = call_of(b"/v1_1/demo/image/upload", [(b"authorization", b"Bearer placeholder")], "POST", WholeBody(b"--x"))
    out = sent("cloudinary", call, {"CLOUDINARY_API_KEY": "1234", "CLOUDINARY_API_SECRET": "sk_test_example"})
    assert out.headers == [(b"Authorization", b"Basic " + b64encode(b"1234:sk_test_example"))]
    assert out.body.whole == b"--x"


def test_an_upload_is_sent_once() -> None:
    assert not may_repeat("cloudinary", call_of(b"/v1_1/demo/image/upload", method="POST"))


def test_the_url_with_key_and_secret_is_known_by_its_shape() -> None:
    assert hidden("cloudinary", "".join(("cloudinary", "://", "1234", ":", "x" * 27, "@", "democloud")))


def test_a_notification_is_signed_over_body_time_and_secret() -> None:
    webhook = profile("cloudinary").webhook
    assert webhook is not None
    assert (webhook.scheme, webhook.header, webhook.timestamp) == ("cloudinary", "x-cld-signature", "x-cld-timestamp")
    assert webhook.tolerance == 7200
