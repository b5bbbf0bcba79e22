"""The SDKs for Node, of which tests/install.sh fetches some: one script each, in tests/sdk/node."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from typing import Any, Final

import orjson
import pytest

from proxy.config import preset
from tests.sdk.ground import Ground, Grounds, only, says, sent_json
from tests.support.rules import ROOT
from tests.support.wire import Wire, reply

pytestmark = pytest.mark.sdk

SCRIPTS: Final = ROOT / "tests/sdk/node"
PLACE: Final = ROOT / ".cache/node"

Run = Callable[[str, Ground], Any]


@pytest.fixture(scope="module")
def run() -> Run:
    """Give a function that runs a script with the client of a ground, and returns what it tells."""
    node = shutil.which("node")
    if node is None or not (PLACE / "installed").exists():
        pytest.skip("node or its SDKs are missing: tests/install.sh fetches them, where it can")
    for script in SCRIPTS.glob("*.mjs"):  # modules are looked for beside the script
        shutil.copy(script, PLACE)

    def in_node(script: str, ground: Ground) -> Any:
        line = preset(ground.name).data["profile"]["sdk"]["node"].replace("{base}", ground.base)
        done = subprocess.run([node, script, line], cwd=PLACE, capture_output=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr.decode()
        return orjson.loads(done.stdout)

    return in_node


def test_octokit_reads_all_pages_writes_and_hears_of_errors(run: Run, ground: Grounds, wire: Wire) -> None:
    github = ground("github")
    told = []
    github.compare(
        lambda way: told.append(run("octokit.mjs", way)),
        says([{"number": 7}], 200, f'Link: <{wire.url}/repositories/1/issues?page=2>; rel="next"'),
        says([{"number": 8}]),
        says({"number": 9}, 201),
        says({"message": "Not Found"}, 404),
        says({"message": "Bad credentials"}, 403),
    )
    assert told == [{"issues": [7, 8], "made": 9, "missing": "Not Found", "refused": 403}] * 2
    assert github.lines == [
        "GET /repos/acme/tide/issues?per_page=1",
        "GET /repositories/1/issues?page=2",
        "POST /repos/acme/tide/issues",
        "GET /repos/acme/none",
        "GET /repos/acme/tide",
    ]
    assert sent_json(github.requests[2]) == {"title": "It is wet", "body": "Since 5 🌊"}


def test_s3_takes_and_gives_objects_as_they_are(run: Run, ground: Grounds) -> None:
    s3 = ground("aws-s3")
    code = "<Error><Code>{}</Code><Message>no</Message></Error>"
    told = []
    s3.compare(
        lambda way: told.append(run("s3.mjs", way)),
        reply(200, b"", b'ETag: "1"'),
        reply(200, b"", b'ETag: "2"'),
        reply(200, b"high tide"),
        reply(404, code.format("NoSuchKey").encode()),
        reply(403, code.format("AccessDenied").encode()),
        varying=(b"amz-sdk-invocation-id",),
    )
    seen = {"written": '"1"', "streamed": '"2"', "read": "high tide", "missing": "NoSuchKey", "refused": 403}
    assert told == [seen, seen]  # by the direct way and by ours
    assert [only(request.head, b"x-amz-content-sha256") for request in s3.requests[:2]] == [
        hashlib.sha256(b"high tide").hexdigest().encode(), b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    ]  # fmt: skip
    assert s3.requests[1].body == b"5\r\nhigh \r\n4\r\ntide\r\n0\r\nx-amz-checksum-crc32:OnOgyg==\r\n\r\n"


def test_stripe_writes_reads_all_pages_and_stops_when_told_to(run: Run, ground: Grounds) -> None:
    stripe = ground("stripe-other")
    customers = [{"id": name, "object": "customer"} for name in ("cus_1", "cus_2")]
    page = {"object": "list", "url": "/v1/customers"}
    stripe.play(
        says(customers[0]),
        says({**page, "data": customers[:1], "has_more": True}),
        says({**page, "data": customers[1:], "has_more": False}),
        says({"error": {"type": "card_error", "code": "card_declined"}}, 402),
        says({"error": {"type": "rate_limit_error", "code": "rate_limit"}}, 429, "Retry-After: 120"),
    )
    assert run("stripe.mjs", stripe) == {
        "made": "cus_1", "pages": ["cus_1", "cus_2"], "declined": "card_declined", "limited": 429, "held": 503,
    }  # fmt: skip
    assert stripe.lines == [
        "POST /v1/customers",
        "GET /v1/customers?limit=1",
        "GET /v1/customers?limit=1&starting_after=cus_1",
        "POST /v1/charges",
        "GET /v1/customers/cus_1",
    ]
    assert stripe.requests[0].body == b"email=captain%40example.com&name=Gr%C3%BC%C3%9Fe%20%26%20Co"
    assert len(stripe.asked) == 6
