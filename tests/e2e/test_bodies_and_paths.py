"""Credentials and keys that stand in bodies and paths, through a whole sidecar."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.caller import Answer, Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar
from tests.support.wire import Request, Wire, reply

pytestmark = pytest.mark.e2e

SECRET = "phc_test_example"
HOOK = "T0000/B0000/test-example"
JSON = "Content-Type: application/json"
SHAPES: dict[str, Any] = {
    "events": {"credential": {"scheme": "body", "fields": ["api_key"], "value": "env:TEST_KEY", "most": "4KiB"}},
    "hooks": {"credential": {"scheme": "path", "template": "/services/{secret*}", "value": "env:TEST_HOOK"}},
    "both": {
        "credential": {
            "scheme": "all",
            "of": {
                "basic": {"scheme": "basic", "username": "env:TEST_KEY"},
                "body": {"scheme": "body", "fields": ["writeKey"], "value": "env:TEST_KEY"},
            },
        }
    },
    "pay": {
        "profile": {"idempotency": {"header": None, "field": "idempotency_key", "methods": ["POST"], "mint": True}},
        "retry": {"base": "1ms"},
    },
}


@pytest.fixture(scope="module")
def sidecar(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    providers = {name: {"base_url": wire.url, "breaker": False} | shape for name, shape in SHAPES.items()}
    env = {"TEST_KEY": SECRET, "TEST_HOOK": HOOK}
    with Sidecar(tmp_path_factory.mktemp("elsewhere"), providers, env=env) as sidecar:
        yield sidecar


def ask(wire: Wire, sidecar: Sidecar, asked: bytes, *statuses: int) -> tuple[Answer, list[Request]]:
    """Send one request; return its answer and what the provider was sent for it."""
    before = len(wire.requests)

    async def test() -> Answer:
        wire.play(*[reply(status) for status in statuses or (200,)])
        async with Caller(sidecar.port) as caller:
            return await caller.ask(asked)

    answer = run_on_uvloop(test())
    return answer, wire.requests[before:]


def test_a_packed_body_reaches_the_provider_with_the_secret_and_in_one_framing(wire: Wire, sidecar: Sidecar) -> None:
    body = gzip.compress(b'{"api_key": "placeholder", "batch": []}')
    answer, [sent] = ask(wire, sidecar, request("POST", "/events/batch/", JSON, "Content-Encoding: gzip", body=body))
    assert answer.status == 200
    assert gzip.decompress(sent.body) == b'{"api_key": "phc_test_example", "batch": []}'
    lengths = [value for name, value in sent.fields if name.lower() == b"content-length"]
    assert lengths == [str(len(sent.body)).encode()]


def test_a_chunked_body_stays_chunked(wire: Wire, sidecar: Sidecar) -> None:
    head = request("POST", "/events/batch/", JSON, "Transfer-Encoding: chunked")
    answer, [sent] = ask(wire, sidecar, head + b'5\r\n{"api\r\nC\r\n_key": "old"\r\n1\r\n}\r\n0\r\n\r\n')
    assert (answer.status, sent.body) == (200, b'{"api_key": "phc_test_example"}')


def test_a_body_that_can_not_be_read_or_is_too_large_goes_nowhere(wire: Wire, sidecar: Sidecar) -> None:
    broken, nothing = ask(wire, sidecar, request("POST", "/events/batch/", JSON, body=b'{"api_key": "placeholder"'))
    assert (broken.status, nothing) == (400, [])
    large, nothing = ask(wire, sidecar, request("POST", "/events/batch/", JSON, body=b'"%b"' % (b"a" * 5000)))
    assert (large.status, nothing) == (413, [])


def test_a_path_carries_the_secret_to_the_provider_and_not_into_the_log(wire: Wire, sidecar: Sidecar) -> None:
    answer, [sent] = ask(wire, sidecar, request("POST", "/hooks/services/placeholder?a=1", body=b"{}"))
    assert (answer.status, sent.target) == (200, b"/services/T0000/B0000/test-example?a=1")
    assert "test-example" not in sidecar.stdout.read_text()


def test_two_credentials_of_one_call(wire: Wire, sidecar: Sidecar) -> None:
    body = b'{"writeKey": "placeholder"}'
    _, [sent] = ask(wire, sidecar, request("POST", "/both/v1/batch", "Authorization: Basic cDo=", JSON, body=body))
    assert sent.body == b'{"writeKey": "phc_test_example"}'
    assert (b"Authorization", b"Basic cGhjX3Rlc3RfZXhhbXBsZTo=") in sent.fields


def test_a_key_minted_into_the_body_is_the_same_on_all_attempts_and_is_told(wire: Wire, sidecar: Sidecar) -> None:
    answer, sent = ask(wire, sidecar, request("POST", "/pay/v2/payments", JSON, body=b'{"amount": 1}'), 503, 503, 200)
    keys = [json.loads(one.body)["idempotency_key"] for one in sent]
    assert (answer.status, len(keys), len(set(keys))) == (200, 3, 1)
    assert answer.value(b"tidegate-idempotency-key") == keys[0].encode()
