"""Node's own fetch, which calls itself a browser's by one header and is none."""

import shutil
import subprocess
from typing import Final

import orjson
import pytest

from tests.sdk.ground import Grounds, event, only, says, sent_json, streams
from tests.support.framing import values

pytestmark = pytest.mark.sdk

SCRIPT: Final = """
const base = process.argv[1];
const headers = {authorization: "Bearer placeholder", "content-type": "application/json"};
const body = JSON.stringify({prompt: "Grüße"});
(async () => {
  const read = await fetch(`${base}/v1/models`, {headers});
  const written = await fetch(`${base}/v1/chat/completions`, {method: "POST", headers, body});
  const refused = await fetch(`${base}/v1/models/none`, {headers});
  const streamed = await fetch(`${base}/v1/responses`, {method: "POST", headers, body});
  let text = "";
  for await (const piece of streamed.body) text += Buffer.from(piece).toString();
  console.log(JSON.stringify({
    read: await read.json(), written: written.status, refused: await refused.json(), text,
    source: read.headers.get("tidegate-source"),
  }));
})();
"""


def test_node_fetch_reads_writes_and_streams(ground: Grounds) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is missing")
    provider = ground("openai")
    provider.play(
        says({"data": []}), says({"id": 1}, 201), says({"error": "none"}, 404), streams(event("one"), event("two"))
    )
    done = subprocess.run([node, "-e", SCRIPT, provider.base], capture_output=True, check=True, timeout=30)
    assert orjson.loads(done.stdout) == {
        "read": {"data": []}, "written": 201, "refused": {"error": "none"}, "source": "provider",
        "text": "data: one\n\ndata: two\n\n",
    }  # fmt: skip
    assert provider.lines == [
        "GET /v1/models",
        "POST /v1/chat/completions",
        "GET /v1/models/none",
        "POST /v1/responses",
    ]
    assert sent_json(provider.requests[1]) == {"prompt": "Grüße"}
    assert all(values(request.head, b"sec-fetch-mode") for request in provider.requests)
    assert only(provider.requests[0].head, b"user-agent") == b"node"
