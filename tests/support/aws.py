"""An AWS SDK with placeholders, the scheme `sigv4` with made-up keys, and the signature that AWS would compute."""

from dataclasses import replace
from typing import Any

from proxy.core.call import Body, Call, Headers, WholeBody
from proxy.core.runtime import Runtime
from proxy.credentials.sigv4 import SigV4
from proxy.sansio.sigv4 import Request, Signer, Stamp
from tests.support.schemes import call_of, slots_of
from tests.support.script import make_runtime

DATE = "20150830T123600Z"
SECRETS = {"env:ID": "AKEXAMPLE", "env:KEY": "aws-key-example", "env:TOKEN": "aws-token-example"}
SETTINGS = {"scheme": "sigv4", "access_key": "env:ID", "secret_key": "env:KEY"}
HOST = (b"host", b"s3.example.com")
DUMMY = "0" * 64


def runtime(at: float = 1440938160.0, base_path: bytes = b"") -> Runtime:
    return replace(make_runtime(), wall=lambda: at, authority=HOST[1], base_path=base_path)


def scheme(surroundings: Runtime | None = None, **settings: Any) -> SigV4:
    config = SigV4.Config.model_validate(SETTINGS | settings)
    return SigV4(config, slots_of(SECRETS), surroundings or runtime())


def dummy(service: str = "s3", region: str = "eu-west-1", date: str = "20300101") -> bytes:
    """Return what an SDK sends that was given placeholders."""
    scope = f"PLACEHOLDER/{date}/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={DUMMY}".encode()


def sdk_call(
    service: str = "s3",
    target: bytes = b"/bucket/key",
    extra: Headers | None = None,
    method: str = "GET",
    body: Body | None = None,
) -> Call:
    headers = [
        (b"X-Amz-Date", b"20300101T000000Z"),
        (b"Authorization", dummy(service)),
        (b"x-amz-security-token", b"PLACEHOLDER-TOKEN"),
        *(extra or []),
    ]
    return call_of(target, headers, method, body or WholeBody(b""))


def authorization(sent: Call) -> bytes:
    return dict(sent.headers)[b"Authorization"]


def expected(sent: Call, service: str, payload: bytes, token: str | None = None, base_path: bytes = b"") -> bytes:
    """Return the signature that the provider computes for what it received."""
    made = {b"Authorization", b"X-Amz-Date", b"X-Amz-Security-Token"}
    headers = [HOST, *[pair for pair in sent.headers if pair[0] not in made]]
    request = Request(sent.method, base_path + sent.target, headers, payload)
    signer = Signer("AKEXAMPLE", "aws-key-example", token)
    fields, _ = signer.fields(request, Stamp(DATE, "eu-west-1", service))
    return fields[0][1]
