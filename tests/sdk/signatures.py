"""Judges the signatures of what a cloud was sent, by the signers of its own SDK and the real keys."""

import hashlib
import re
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.framing import values
from tests.support.wire import Request

ACCESS_KEY: Final = "AKEXAMPLE"
SECRET_KEY: Final = "aws-example-of-a-key"
REGION: Final = "eu-west-1"
STORAGE_KEY: Final = "YXp1cmUtZXhhbXBsZS1vZi1hLWtleQ=="
STORAGE_ACCOUNT: Final = "tide"

_JUDGE: Final[Any] = SharedKeyCredentialPolicy
_CREDENTIAL: Final = rf"{ACCESS_KEY}/(\d{{8}})/{REGION}/([a-z0-9]+)/aws4_request"
_HEADER: Final = re.compile(
    rf"AWS4-HMAC-SHA256 Credential={_CREDENTIAL}, SignedHeaders=([^,]+), Signature=([0-9a-f]{{64}})"
)
_ANNOUNCED: Final = ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")


def signed_by_aws(request: Request) -> None:
    """See that the Authorization of a request is the one that botocore makes with the real key."""
    found = _HEADER.fullmatch(_only(request, b"authorization"))
    assert found is not None
    day, service, names, signature = found.groups()
    date = _only(request, b"x-amz-date")
    assert date.startswith(day)
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(_credentials(), service, REGION)
    assert signature == _signature(signer, _judged(request, request.target.decode(), names), date)
    if service == "s3":
        told = _only(request, b"x-amz-content-sha256")
        assert told in (hashlib.sha256(request.body).hexdigest(), *_ANNOUNCED)


def presigned_by_aws(request: Request) -> None:
    """See that the query of a presigned URL is signed as botocore does with the real key."""
    target, _, signature = request.target.decode().partition("&X-Amz-Signature=")
    query = dict(pair.split("=") for pair in target.partition("?")[2].split("&"))
    signer = S3SigV4QueryAuth(_credentials(), "s3", REGION)
    judged = _judged(request, target, query["X-Amz-SignedHeaders"].replace("%3B", ";"))
    assert signature == _signature(signer, judged, query["X-Amz-Date"])


def signed_by_azure(request: Request) -> None:
    """See that the Authorization of a request is the one that azure-storage-blob makes with the real key."""
    sent = HttpRequest(request.method.decode(), f"http://{_only(request, b'host')}{request.target.decode()}")
    sent.headers.update({name.decode(): value.decode() for name, value in request.fields})
    sent.headers.pop("Authorization")
    sent.query = {name: found[0] for name, found in parse_qs(urlsplit(sent.url).query).items()}
    judge = _JUDGE(STORAGE_ACCOUNT, STORAGE_KEY)
    judge.on_request(PipelineRequest(sent, PipelineContext(None)))
    assert _only(request, b"authorization") == sent.headers["Authorization"]
    assert values(request.head, b"x-ms-date")


def _credentials() -> Credentials:
    return Credentials(ACCESS_KEY, SECRET_KEY)


def _judged(request: Request, target: str, names: str) -> AWSRequest:
    judged = AWSRequest(request.method.decode(), f"http://{_only(request, b'host')}{target}", data=request.body)
    for name in names.split(";"):
        judged.headers[name] = _only(request, name.encode())
    return judged


def _signature(signer: Any, judged: AWSRequest, date: str) -> str:
    judged.context["timestamp"] = date
    made: str = signer.signature(signer.string_to_sign(judged, signer.canonical_request(judged)), judged)
    return made


def _only(request: Request, name: bytes) -> str:
    (value,) = values(request.head, name)
    return value.decode()
