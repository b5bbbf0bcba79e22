"""boto3 against moto, which plays S3 and SQS, and against a script; botocore judges every signature that arrives."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

import boto3
import pytest
import urllib3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from proxy.config import preset
from tests.sdk.ground import Ground, Grounds, pointed
from tests.sdk.signatures import ACCESS_KEY, SECRET_KEY, presigned_by_aws, signed_by_aws
from tests.support.framing import split_requests
from tests.support.rules import ROOT
from tests.support.sidecar import Sidecar
from tests.support.tap import Tap
from tests.support.wire import BODY, Request, reply

pytestmark = pytest.mark.sdk

KEYS: Final = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
PART: Final = 5 * 1024 * 1024  # the least that S3 takes as a part
NAME: Final = "a//b/../Grüße &+%2F.txt"
XML: Final = b"Content-Type: application/xml"
JSON: Final = b"Content-Type: application/x-amz-json-1.0"
SLOW_DOWN: Final = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
VARYING: Final = (b"amz-sdk-invocation-id", b"user-agent")  # the latter tells what the process did so far


@pytest.fixture(autouse=True)
def _placeholders(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, "placeholder")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


class Cloud:
    """AWS behind the sidecar. far: between the two. near: between SDK and sidecar."""

    def __init__(self, far: Tap, near: Tap) -> None:
        self.far = far
        self.near = near
        far.clear()
        near.clear()

    def client(self, name: str) -> Any:
        """Make the client by the very line that the catalogue advises."""
        line: str = preset(name).data["profile"]["sdk"]["python"].replace("{base}", f"{self.near.url}/{name}")
        return eval(line, {"boto3": boto3})  # noqa: S307 - our own catalogue

    @property
    def asked(self) -> list[bytes]:
        """The bodies that the SDK sent."""
        return [body for _, body in _requests(self.near)]

    @property
    def requests(self) -> list[Request]:
        """What AWS was asked."""
        return [Request(head, 0, 0.0, body) for head, body in _requests(self.far)]

    def check_what_was_said(self) -> None:
        """See that AWS would take every request, and got the SDK's bodies and nothing of its keys, nor it ours."""
        for request in self.requests:
            (presigned_by_aws if b"X-Amz-Signature=" in request.target else signed_by_aws)(request)
            assert b"placeholder" not in request.head
            assert request.body in self.asked
        assert b"placeholder" in self.near.sent
        assert not {key for key in KEYS.values() if key.encode() in self.near.received}


def _requests(tap: Tap) -> list[tuple[bytes, bytes]]:
    return [pair for stream in tap.streams for pair in split_requests(bytes(stream))]


@pytest.fixture(scope="module")
def far() -> Iterator[Tap]:
    """Give a tap in front of moto: between the sidecar and its provider."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.sdk.aws_server"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with Tap(int(process.stdout.readline())) as tap:
            yield tap
        process.kill()


@pytest.fixture(scope="module")
def near(far: Tap, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tap]:
    providers = {name: pointed(name, far) for name in ("aws-s3", "aws-sqs")}
    with Sidecar(tmp_path_factory.mktemp("aws"), providers, env=KEYS) as sidecar, Tap(sidecar.port) as tap:
        yield tap


@pytest.fixture
def cloud(far: Tap, near: Tap) -> Iterator[Cloud]:
    cloud = Cloud(far, near)
    yield cloud
    cloud.check_what_was_said()


@pytest.fixture
def s3(cloud: Cloud) -> Any:
    """Give a client and a bucket."""
    client = cloud.client("aws-s3")
    with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket="tide", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


def test_objects_are_written_listed_read_and_deleted(s3: Any) -> None:
    s3.put_object(Bucket="tide", Key=NAME, Body=b"high tide", Metadata={"note": "a  b"})
    assert NAME in [one["Key"] for one in s3.list_objects_v2(Bucket="tide")["Contents"]]
    read = s3.get_object(Bucket="tide", Key=NAME)
    assert (read["Body"].read(), read["Metadata"]) == (b"high tide", {"note": "a  b"})
    s3.delete_objects(Bucket="tide", Delete={"Objects": [{"Key": NAME}]})
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="tide", Key=NAME)
    assert caught.value.response["Error"]["Code"] == "NoSuchKey"


def test_a_large_object_goes_up_in_parts_and_comes_down_as_a_stream(s3: Any, cloud: Cloud) -> None:
    body = bytes(range(256)) * (PART // 128 + 4)
    s3.upload_fileobj(BytesIO(body), "tide", "large", Config=TransferConfig(PART, 10, PART))
    streamed = s3.get_object(Bucket="tide", Key="large")["Body"]
    assert b"".join(streamed.iter_chunks(65536)) == body
    sent = [len(request.body) for request in cloud.requests if b"partNumber=" in request.target]
    assert sorted(sent) == [1024, PART, PART]


def test_presigned_urls_are_signed_anew_on_their_way(s3: Any, cloud: Cloud) -> None:
    there = {"Bucket": "tide", "Key": "a/Grüße &+%2F.txt"}
    signer = boto3.client("s3", endpoint_url=f"{cloud.near.url}/aws-s3", config=Config(signature_version="s3v4"))
    to_write, to_read = (signer.generate_presigned_url(f"{verb}_object", there) for verb in ("put", "get"))
    assert urllib3.request("PUT", to_write, body=b"by URL").status == 200
    assert urllib3.request("GET", to_read).data == b"by URL"
    assert s3.get_object(**there)["Body"].read() == b"by URL"


def test_a_url_presigned_with_the_old_version_says_what_to_do_instead(s3: Any, cloud: Cloud) -> None:
    cloud.far.clear()
    refused = urllib3.request("GET", s3.generate_presigned_url("get_object", {"Bucket": "tide", "Key": NAME}))
    assert (refused.status, cloud.requests) == (400, [])
    assert "set signature_version to s3v4" in refused.json()["detail"]


def test_messages_are_sent_received_and_deleted_by_the_url_of_their_queue(cloud: Cloud) -> None:
    sqs = cloud.client("aws-sqs")
    queue = sqs.create_queue(QueueName="tide")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="Flut 🌊")
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)["Messages"]
    assert message["Body"] == "Flut 🌊"
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    with pytest.raises(ClientError) as caught:
        sqs.send_message(QueueUrl=f"{queue}-missing", MessageBody="x")
    assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert {(request.method, request.target) for request in cloud.requests} == {(b"POST", b"/")}


def test_s3_sees_the_request_that_it_would_see_without_the_sidecar(ground: Grounds) -> None:
    def call(way: Ground) -> None:
        way.client(boto3=boto3).put_object(Bucket="tide", Key=NAME, Body=b"high tide", ContentType="text/plain")

    ground("aws-s3").compare(call, [GO_ON, BODY, reply(200, b"", b'ETag: "1"')], varying=VARYING)


def test_sqs_sees_the_request_that_it_would_see_without_the_sidecar(ground: Grounds) -> None:
    def call(way: Ground) -> None:
        way.client(boto3=boto3).get_queue_url(QueueName="tide")

    ground("aws-sqs").compare(call, reply(200, b'{"QueueUrl":"https://x/1/tide"}', JSON), varying=VARYING)


@pytest.mark.parametrize(
    ("entry", "status", "refusal"),
    [
        ("aws-s3-busy", 503, reply(503, SLOW_DOWN, XML, b"Retry-After: 120")),
        (
            "aws-sqs-busy",
            403,
            reply(403, b'{"__type":"com.amazonaws.sqs#RequestThrottled"}', JSON, b"x-amz-retry-after: 120000"),
        ),
    ],
)
def test_a_throttled_call_is_told_and_the_next_one_is_held_back(
    ground: Grounds, entry: str, status: int, refusal: bytes
) -> None:
    provider = ground(entry)
    provider.play(refusal)
    client = provider.client(boto3=boto3)
    seen = []
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            client.list_buckets() if entry == "aws-s3-busy" else client.list_queues()
        seen.append(caught.value.response["ResponseMetadata"]["HTTPStatusCode"])
    assert (seen, len(provider.requests)) == ([status, 503], 1)
