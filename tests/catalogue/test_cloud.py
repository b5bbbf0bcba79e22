"""Clouds: five services of AWS, Google with a service account, BigQuery, and two parts of Azure."""

import base64
import re

import pytest

from proxy.core.call import NO_BODY, Body, Headers, WholeBody, field_value
from proxy.core.outcome import Outcome
from tests.support.presets import hidden, may_repeat, profile, provider, section, sent, verdict, wait_s
from tests.support.schemes import call_of

AWS = ("aws-lambda", "aws-s3", "aws-ses", "aws-sns", "aws-sqs")
KEYS = {"AWS_ACCESS_KEY_ID": "AK" + "IAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "test-example"}
SCOPE = b"Credential=placeholder/20261120/us-east-1/dynamodb/aws4_request"
DUMMY: Headers = [
    (b"Authorization", b"AWS4-HMAC-SHA256 " + SCOPE + b", SignedHeaders=host;x-amz-date, Signature=00"),
    (b"X-Amz-Date", b"20261120T000000Z"),
]
BODIES: dict[str, Body] = {"aws-s3": NO_BODY, "aws-sqs": WholeBody(b'{"QueueUrl":"q"}')}


def xml(code: str) -> str:
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>no</Message></Error>'


def reason(text: str) -> str:
    return f'{{"error":{{"code":403,"errors":[{{"reason":"{text}","domain":"usageLimits"}}]}}}}'


@pytest.mark.parametrize(
    ("name", "status", "body", "outcome"),
    [
        ("aws-s3", 503, xml("SlowDown"), Outcome.THROTTLED),
        ("aws-s3", 503, xml("ServiceUnavailable"), Outcome.FAILED),
        ("aws-s3", 503, "", Outcome.FAILED),
        ("aws-s3", 403, xml("AccessDenied"), Outcome.REFUSED),
        ("aws-s3", 403, xml("RequestTimeTooSkewed"), Outcome.REFUSED),
        ("aws-s3", 403, xml("SignatureDoesNotMatch"), Outcome.UNAUTHORISED),
        ("aws-s3", 403, xml("InvalidAccessKeyId"), Outcome.UNAUTHORISED),
        ("aws-s3", 400, xml("ExpiredToken"), Outcome.UNAUTHORISED),
        ("aws-s3", 400, xml("EntityTooSmall"), Outcome.REFUSED),
        ("aws-s3", 200, "<Error><Code>SlowDown</Code></Error>", Outcome.OK),
        ("aws-sqs", 403, '{"__type":"com.amazon.coral.service#RequestThrottled"}', Outcome.THROTTLED),
        ("aws-sqs", 400, '{"__type":"com.amazonaws.sqs#ThrottlingException"}', Outcome.THROTTLED),
        ("aws-sqs", 400, '{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}', Outcome.REFUSED),
        ("aws-sqs", 403, '{"__type":"com.amazon.coral.service#UnrecognizedClientException"}', Outcome.UNAUTHORISED),
        ("aws-sqs", 403, '{"__type":"com.amazon.coral.service#AccessDeniedException"}', Outcome.REFUSED),
        ("aws-sns", 429, xml("Throttled"), Outcome.THROTTLED),
        ("aws-sns", 400, xml("Throttling"), Outcome.THROTTLED),
        ("aws-sns", 403, xml("InvalidClientTokenId"), Outcome.UNAUTHORISED),
        ("aws-sns", 403, xml("AuthorizationError"), Outcome.REFUSED),
        ("aws-ses", 400, xml("Throttling"), Outcome.THROTTLED),
        ("aws-ses", 400, xml("MessageRejected"), Outcome.REFUSED),
        ("aws-ses", 429, '{"message":"slow down"}', Outcome.THROTTLED),
        ("aws-ses", 403, xml("ExpiredToken"), Outcome.UNAUTHORISED),
        ("aws-lambda", 429, '{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded"}', Outcome.THROTTLED),
        ("aws-lambda", 200, '{"answer":42}', Outcome.OK),
        ("google", 403, reason("rateLimitExceeded"), Outcome.THROTTLED),
        ("google", 403, reason("userRateLimitExceeded"), Outcome.THROTTLED),
        ("google", 403, reason("quotaExceeded"), Outcome.REFUSED),
        ("google", 403, reason("insufficientPermissions"), Outcome.REFUSED),
        ("google", 408, "", Outcome.FAILED),
        ("bigquery", 403, reason("rateLimitExceeded"), Outcome.THROTTLED),
        ("bigquery", 403, reason("quotaExceeded"), Outcome.REFUSED),
        ("bigquery", 409, reason("duplicate"), Outcome.REFUSED),
        ("bigquery", 200, '{"insertErrors":[{"index":0}]}', Outcome.OK),
        ("azure-arm", 429, "", Outcome.THROTTLED),
        ("azure-arm", 408, "", Outcome.FAILED),
        ("azure-arm", 401, "", Outcome.UNAUTHORISED),
    ],
)
def test_an_answer_is_judged_as_documented(name: str, status: int, body: str, outcome: Outcome) -> None:
    assert verdict(name, status, body) is outcome


@pytest.mark.parametrize(
    ("name", "status", "header", "outcome"),
    [
        ("aws-lambda", 200, (b"X-Amz-Function-Error", b"Unhandled"), Outcome.REFUSED),
        ("aws-lambda", 403, (b"x-amzn-ErrorType", b"UnrecognizedClientException"), Outcome.UNAUTHORISED),
        ("aws-lambda", 403, (b"x-amzn-ErrorType", b"AccessDeniedException"), Outcome.REFUSED),
        ("aws-ses", 403, (b"x-amzn-ErrorType", b"InvalidSignatureException"), Outcome.UNAUTHORISED),
        ("azure-blob", 503, (b"x-ms-error-code", b"ServerBusy"), Outcome.THROTTLED),
        ("azure-blob", 503, (b"x-ms-error-code", b"InternalError"), Outcome.FAILED),
        ("azure-blob", 403, (b"x-ms-error-code", b"AuthenticationFailed"), Outcome.UNAUTHORISED),
        ("azure-blob", 403, (b"x-ms-error-code", b"AuthorizationFailure"), Outcome.REFUSED),
    ],
)
def test_an_answer_is_judged_by_the_header_that_names_the_error(
    name: str, status: int, header: tuple[bytes, bytes], outcome: Outcome
) -> None:
    assert verdict(name, status, "", [header]) is outcome


@pytest.mark.parametrize("name", AWS)
def test_aws_tells_the_wait_in_milliseconds(name: str) -> None:
    assert wait_s(name, {"x-amz-retry-after": "1500"}) == 1.5
    assert profile(name).attempt_header == "amz-sdk-request"


@pytest.mark.parametrize("name", ["azure-arm", "azure-blob"])
def test_azure_tells_the_wait_in_seconds_and_in_milliseconds(name: str) -> None:
    assert wait_s(name, {"retry-after": "2"}) == 2.0
    assert wait_s(name, {"x-ms-retry-after-ms": "250"}) == 0.25
    assert wait_s(name, {"retry-after-ms": "125"}) == 0.125


@pytest.mark.parametrize("name", AWS)
def test_an_sdks_dummy_signature_becomes_a_real_one_for_the_region_and_service_of_the_host(name: str) -> None:
    out = sent(name, call_of(b"/a", DUMMY, "POST", BODIES.get(name, NO_BODY)), KEYS)
    signature = field_value(out.headers, b"authorization") or b""
    service = name.removeprefix("aws-").encode()
    scope = rb"Credential=AK" + rb"IAEXAMPLE/\d{8}/eu-west-1/" + service + b"/aws4_request"
    assert re.search(scope, signature)
    assert b"placeholder" not in signature


def test_a_key_of_s3_may_hold_dots() -> None:
    assert profile("aws-s3").dot_segments
    assert not profile("aws-sqs").dot_segments


@pytest.mark.parametrize("name", ["aws-s3", "aws-lambda", "azure-blob", "bigquery"])
def test_what_takes_long_gets_time(name: str) -> None:
    assert section(name, "timeout").attempt >= 60.0
    assert section(name, "breaker").probe_timeout >= section(name, "timeout").attempt


def test_a_queue_is_polled_for_as_long_as_it_may_wait() -> None:
    assert section("aws-sqs", "timeout").attempt > 20.0


@pytest.mark.parametrize("name", AWS)
def test_a_post_to_aws_is_not_sent_twice(name: str) -> None:
    assert not may_repeat(name, call_of(b"/", method="POST", body=WholeBody(b'{"MessageDeduplicationId":"1"}')))


def test_a_query_with_an_id_may_be_sent_again() -> None:
    path = b"/bigquery/v2/projects/p/queries"
    json = [(b"Content-Type", b"application/json")]
    assert may_repeat("bigquery", call_of(path, json, "POST", WholeBody(b'{"requestId":"1","query":"SELECT 1"}')))
    assert not may_repeat("bigquery", call_of(path, json, "POST", WholeBody(b'{"query":"SELECT 1"}')))
    insert = call_of(path.replace(b"queries", b"jobs"), json, "POST", WholeBody(b'{"requestId":"1"}'))
    assert not may_repeat("bigquery", insert)


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("google", "https://www.googleapis.com/auth/cloud-platform"),
        ("bigquery", "https://www.googleapis.com/auth/bigquery"),
    ],
)
def test_google_takes_a_service_accounts_token(name: str, scope: str) -> None:
    credential = section(name, "credential")
    assert (credential.grant, credential.scope) == ("google_service_account", scope)
    assert credential.url == "https://oauth2.googleapis.com/token"


def test_azure_takes_the_tenants_token() -> None:
    credential = section("azure-arm", "credential")
    assert credential.token_url == "https://login.microsoftonline.com/contoso/oauth2/v2.0/token"
    assert credential.scope == "https://management.azure.com/.default"


def test_azure_storage_is_signed_with_the_accounts_key() -> None:
    call = call_of(
        b"/container/blob?comp=metadata", [(b"Authorization", b"SharedKey account:00"), (b"x-ms-version", b"1")]
    )
    out = sent("azure-blob", call, {"AZURE_STORAGE_KEY": base64.b64encode(b"test-example").decode()})
    assert (field_value(out.headers, b"authorization") or b"").startswith(b"SharedKey tide:")
    assert str(provider("azure-blob").base_url) == "https://tide.blob.core.windows.net"


def test_azures_long_operations_and_pages_lead_back() -> None:
    urls = profile("azure-arm").urls
    assert {"azure-asyncoperation", "operation-location", "location"} <= set(urls.headers)
    assert "nextLink" in urls.fields


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("aws-s3", "AK" + "IA" + "Q" * 16),
        ("aws-sqs", "AS" + "IA" + "Q" * 16),
        ("google", "ya29" + "." + "x" * 60),
        ("google", "AI" + "za" + "x" * 35),
        ("google", "1//" + "0" + "x" * 40),
        ("google", "GOC" + "SPX-" + "x" * 28),
        ("bigquery", "ya29" + "." + "x" * 60),
        ("azure-arm", "abc" + "8Q~" + "x" * 34),
        ("azure-blob", "Account" + "Key=" + "x" * 86 + "=="),
    ],
)
def test_the_shape_of_a_secret_is_known_wherever_it_stands(name: str, text: str) -> None:
    assert hidden(name, text)


def test_a_notification_of_sns_is_signed_in_its_body() -> None:
    webhook = profile("aws-sns").webhook
    assert webhook is not None
    assert (webhook.scheme, webhook.header, webhook.dedupe) == ("sns", None, "MessageId")
