"""boto3's clients for Lambda, SNS and SES against a script; botocore judges every signature that arrives."""

import json
from collections.abc import Callable
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from tests.sdk.ground import Ground, Grounds, says
from tests.sdk.signatures import signed_by_aws
from tests.support.wire import reply

pytestmark = pytest.mark.sdk

Use = Callable[[Any], Any]
"""Makes one call with a client."""

PUBLISHED: Final = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m-1</MessageId>'
    b"</PublishResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></PublishResponse>"
)
XML: Final = b"Content-Type: text/xml"
VARYING: Final = (b"amz-sdk-invocation-id", b"user-agent")  # the latter tells what the process did so far
MAIL: Final = {"Simple": {"Subject": {"Data": "Flut 🌊"}, "Body": {"Text": {"Data": "high tide"}}}}


def xml_error(status: int, code: str) -> bytes:
    return reply(
        status,
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
        "<RequestId>r-2</RequestId></ErrorResponse>".encode(),
        XML,
    )


def json_error(status: int, code: str) -> bytes:
    return says({"message": "no"}, status, f"x-amzn-errortype: {code}")


def later(refusal: bytes) -> bytes:
    return refusal.replace(b"\r\n", b"\r\nRetry-After: 120\r\n", 1)


def invoke(client: Any) -> Any:
    return client.invoke(FunctionName="tide", Payload=b'{"level": 3}')


def publish(client: Any) -> Any:
    return client.publish(TopicArn="arn:aws:sns:eu-west-1:123456789012:tide", Message="Flut 🌊 & mehr")


def send(client: Any) -> Any:
    to = {"ToAddresses": ["a@example.com"]}
    return client.send_email(FromEmailAddress="b@example.com", Destination=to, Content=MAIL)


WRITES: Final[dict[str, tuple[Use, bytes]]] = {
    "aws-lambda": (invoke, says({"level": 4})),
    "aws-sns": (publish, reply(200, PUBLISHED, XML)),
    "aws-ses": (send, says({"MessageId": "m-1"})),
}
READS: Final[dict[str, tuple[Use, bytes]]] = {
    "aws-lambda": (lambda client: client.get_function(FunctionName="a:b"), says({"Tags": {"sea": "north"}})),
    "aws-sns": (
        lambda client: client.list_topics(),
        reply(200, b"<ListTopicsResponse><ListTopicsResult><Topics/></ListTopicsResult></ListTopicsResponse>", XML),
    ),
    "aws-ses": (lambda client: client.get_email_identity(EmailIdentity="a@example.com"), says({})),
}


@pytest.fixture(autouse=True)
def _placeholders(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "placeholder")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("calls", [READS, WRITES], ids=["read", "write"])
def test_a_call_arrives_as_it_would_without_the_sidecar_and_is_signed_for_its_service(
    ground: Grounds, name: str, calls: dict[str, tuple[Use, bytes]]
) -> None:
    use, answer = calls[name]

    def call(way: Ground) -> None:
        assert use(way.client(boto3=boto3))["ResponseMetadata"]["HTTPStatusCode"] == 200

    provider = ground(name)
    provider.compare(call, answer, varying=VARYING)
    (request,) = provider.requests
    assert f"/eu-west-1/{name.removeprefix('aws-')}/aws4_request".encode() in request.head
    signed_by_aws(request)


def test_a_function_that_fails_is_told_as_lambda_tells_it(ground: Grounds) -> None:
    provider = ground("aws-lambda")
    provider.play(says({"errorMessage": "boom"}, 200, "X-Amz-Function-Error: Unhandled"))
    answer = invoke(provider.client(boto3=boto3))
    assert (answer["FunctionError"], json.load(answer["Payload"])) == ("Unhandled", {"errorMessage": "boom"})
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [
        ("aws-lambda", json_error(404, "ResourceNotFoundException"), "ResourceNotFoundException"),
        ("aws-sns", xml_error(404, "NotFound"), "NotFound"),
        ("aws-ses", json_error(400, "MessageRejected"), "MessageRejected"),
    ],
)
def test_an_error_is_the_providers_own(ground: Grounds, name: str, error: bytes, code: str) -> None:
    provider = ground(name)
    provider.play(error)
    with pytest.raises(ClientError) as caught:
        WRITES[name][0](provider.client(boto3=boto3))
    assert (caught.value.response["Error"]["Code"], len(provider.requests)) == (code, 1)


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("aws-lambda", json_error(429, "TooManyRequestsException")),
        ("aws-ses", json_error(429, "TooManyRequestsException")),
    ],
)
def test_a_throttled_call_is_told_and_the_next_one_is_held_back(ground: Grounds, name: str, refusal: bytes) -> None:
    provider = ground(f"{name}-busy")
    provider.play(later(refusal))
    client = provider.client(boto3=boto3)
    seen = []
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            WRITES[name][0](client)
        seen.append(caught.value.response["ResponseMetadata"]["HTTPStatusCode"])
    assert (seen, len(provider.requests)) == ([429, 503], 1)


def test_sns_is_held_back_too_and_boto3_shows_the_reason_though_it_expects_xml(ground: Grounds) -> None:
    provider = ground("aws-sns-busy")
    provider.play(later(xml_error(400, "Throttling")))
    client = provider.client(boto3=boto3)
    with pytest.raises(ClientError, match="Throttling"):
        publish(client)
    with pytest.raises(ResponseParserError, match="provider_paused"):
        publish(client)
    assert len(provider.requests) == 1
