import hashlib
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from proxy.core.call import WholeBody
from proxy.core.errors import BadRequest, CredentialMissing
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.credentials.sigv4 import SigV4
from proxy.sansio.sigv4 import EMPTY_SHA256, UNSIGNED, Request, Signer, Stamp
from tests.support.aws import DATE, DUMMY, HOST, SECRETS, SETTINGS, authorization, expected, runtime, scheme, sdk_call
from tests.support.schemes import call_of, injected, on_wire, slots_of


def test_the_signature_of_the_sdk_is_replaced_by_the_real_one_of_the_same_scope() -> None:
    extra = [(b"x-amz-content-sha256", EMPTY_SHA256), (b"x-amz-meta-a", b"1"), (b"User-Agent", b"sdk")]
    sent = injected(scheme(), sdk_call(extra=extra))
    assert sent.headers == [
        (b"Authorization", expected(sent, "s3", EMPTY_SHA256)),
        (b"X-Amz-Date", DATE.encode()),
        *extra,
    ]
    assert sent.target == b"/bucket/key"
    assert b"PLACEHOLDER" not in on_wire(sent)


def test_temporary_credentials_bring_their_token() -> None:
    sent = injected(scheme(session_token="env:TOKEN"), sdk_call(extra=[(b"x-amz-content-sha256", UNSIGNED)]))
    assert (b"X-Amz-Security-Token", b"aws-token-example") in sent.headers
    assert authorization(sent) == expected(sent, "s3", UNSIGNED, "aws-token-example")
    assert b"PLACEHOLDER" not in on_wire(sent)


def test_the_providers_own_path_is_signed_too() -> None:
    sent = injected(scheme(runtime(base_path=b"/base")), sdk_call("lambda", b"/f%20g"))
    assert sent.target == b"/f%20g"
    assert authorization(sent) == expected(sent, "lambda", EMPTY_SHA256, base_path=b"/base")


def test_every_attempt_is_signed_at_its_own_time() -> None:
    now = [1440938160.0]
    signing, call = scheme(replace(runtime(), wall=lambda: now[0])), sdk_call()
    first = injected(signing, call)
    now[0] += 1
    second = injected(signing, call)
    assert dict(first.headers)[b"X-Amz-Date"] == b"20150830T123600Z"
    assert dict(second.headers)[b"X-Amz-Date"] == b"20150830T123601Z"
    assert authorization(first) != authorization(second)


# Region and service


def test_the_configuration_can_name_region_and_service_for_a_caller_that_does_not_sign() -> None:
    sent = injected(scheme(region="eu-west-1", service="sqs"), call_of(b"/", method="POST", body=WholeBody(b"{}")))
    assert authorization(sent) == expected(sent, "sqs", hashlib.sha256(b"{}").hexdigest().encode())


def test_a_configured_region_goes_before_the_callers() -> None:
    sent = injected(scheme(region="us-east-2"), sdk_call())
    assert b"/20150830/us-east-2/s3/aws4_request," in authorization(sent)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"regions": ["us-east-1", "us-west-2"]},
            "region eu-west-1 .* not allowed here; allowed: us-east-1, us-west-2",
        ),
        ({"services": ["sqs"]}, "service s3 .* not allowed here; allowed: sqs"),
    ],
)
def test_a_scope_outside_the_lists_is_refused_with_what_is_allowed(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        injected(scheme(**settings), sdk_call())


def test_a_scope_inside_the_lists_is_taken() -> None:
    sent = injected(scheme(regions=["eu-west-1"], services=["sqs", "s3"]), sdk_call())
    assert b"/20150830/eu-west-1/s3/aws4_request," in authorization(sent)


@pytest.mark.parametrize(
    "field",
    [
        b"",
        b"Bearer PLACEHOLDER",
        b"AWS PLACEHOLDER:c2lnbmF0dXJl",
        b"AWS4-HMAC-SHA256 Credential=PLACEHOLDER",
        b"AWS4-HMAC-SHA256 Credential=PLACEHOLDER/20300101/eu\xe9/s3/aws4_request, Signature=0",
        b"AWS4-ECDSA-P256-SHA256 Credential=PLACEHOLDER/20300101/s3/aws4_request, Signature=0",
    ],
)
def test_without_a_readable_scope_the_call_is_refused_with_what_to_do(field: bytes) -> None:
    with pytest.raises(BadRequest, match=r"no region to sign for: .*credential\.region"):
        injected(scheme(), call_of(b"/", [(b"Authorization", field)]))


# Presigned URLs

PRESIGNED = (
    b"/bucket/key?versionId=a%2Fb&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=PLACEHOLDER%2F20300101%2F"
    b"eu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20300101T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host"
    b"&X-Amz-Security-Token=PLACEHOLDER&X-Amz-Signature=" + DUMMY.encode()
)


def test_a_presigned_url_is_signed_anew_in_the_query_for_as_long_as_it_was() -> None:
    sent = injected(scheme(session_token="env:TOKEN"), call_of(PRESIGNED, [(b"Accept", b"*/*")]))
    request = Request("GET", b"/bucket/key?versionId=a%2Fb", [HOST, (b"Accept", b"*/*")], UNSIGNED)
    signer = Signer("AKEXAMPLE", "aws-key-example", "aws-token-example")
    pairs = signer.presigned(request, Stamp(DATE, "eu-west-1", "s3"), 900)
    assert sent.target == request.target + b"&" + pairs
    assert sent.headers == [(b"Accept", b"*/*")]


def test_a_presigned_call_of_another_service_signs_its_body() -> None:
    target = PRESIGNED.replace(b"%2Fs3%2F", b"%2Fsts%2F")
    sent = injected(scheme(), call_of(target))
    request = Request("GET", b"/bucket/key?versionId=a%2Fb", [HOST], EMPTY_SHA256)
    pairs = Signer("AKEXAMPLE", "aws-key-example").presigned(request, Stamp(DATE, "eu-west-1", "sts"), 900)
    assert sent.target == request.target + b"&" + pairs


@pytest.mark.parametrize(
    "expires", [b"0", b"604801", b"", b"1.5", b"-1", b"9" * 30, b"0604800999", b"0000001" + b"9" * 5000]
)
def test_a_presigned_url_must_say_for_how_long_it_counts(expires: bytes) -> None:
    with pytest.raises(BadRequest, match="X-Amz-Expires"):
        injected(scheme(), call_of(PRESIGNED.replace(b"Expires=900", b"Expires=" + expires)))


def test_a_url_presigned_with_version_2_is_refused_with_what_to_set() -> None:
    target = b"/bucket/key?AWSAccessKeyId=PLACEHOLDER&Signature=abc&Expires=1"
    with pytest.raises(BadRequest, match="s3v4"):
        injected(scheme(region="eu-west-1", service="s3"), call_of(target))


# Settings and secrets


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"region": "eu-west-1", "regions": ["eu-west-1"]}, "write region for a fixed one, or regions"),
        ({"service": "s3", "services": ["s3"]}, "write service for a fixed one, or services"),
        ({"region": "eu west"}, "no region: write one such as us-east-1"),
        ({"services": ["s3", ""]}, "no service: write one such as s3"),
    ],
)
def test_a_contradiction_in_the_settings_is_told(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        scheme(**settings)


def test_a_new_secret_signs_the_next_attempt() -> None:
    slots = {ref: SecretSlot(SecretRef.parse(ref)) for ref in ("env:ID", "env:KEY")}
    signing = SigV4(SigV4.Config.model_validate(SETTINGS), lambda refs: slots[str(refs)], runtime())
    with pytest.raises(CredentialMissing, match="env:ID"):
        injected(signing, sdk_call())
    slots["env:ID"].put(Secret("AKOLD"))
    slots["env:KEY"].put(Secret("old-example"))
    assert b"Credential=AKOLD/" in authorization(injected(signing, sdk_call()))
    slots["env:ID"].put(Secret("AKEXAMPLE"))
    slots["env:KEY"].put(Secret("aws-key-example"))
    sent = injected(signing, sdk_call())
    assert authorization(sent) == expected(sent, "s3", EMPTY_SHA256)


@pytest.mark.parametrize("access_key", ["AK/EXAMPLE", "AK,EXAMPLE", "AK EXAMPLE", "AKé"])
def test_an_access_key_that_would_change_the_header_is_refused(access_key: str) -> None:
    config = SigV4.Config.model_validate(SETTINGS)
    signing = SigV4(config, slots_of(SECRETS | {"env:ID": access_key}), runtime())
    with pytest.raises(CredentialMissing) as caught:
        injected(signing, sdk_call())
    assert access_key not in caught.value.detail


def test_it_tells_people_where_the_credential_goes() -> None:
    assert scheme().places == (
        "header Authorization",
        "header X-Amz-Date",
        "header X-Amz-Security-Token",
        "query X-Amz-Signature",
    )


def test_only_s3_by_configuration_never_waits_for_a_body() -> None:
    assert (scheme().waits, scheme(service="sqs").waits, scheme(service="s3").waits) == (True, True, False)
    assert [str(slot.ref) for slot in scheme(session_token="env:TOKEN").slots] == ["env:ID", "env:KEY", "env:TOKEN"]
