"""Anthropic's SDK."""

import re
import threading
from typing import Any, Final

import anthropic
import pytest
from anthropic import Anthropic

from tests.sdk.ground import Ground, Grounds, after, event, only, says, sent_json, streams

pytestmark = pytest.mark.sdk

PROMPT: Final[dict[str, Any]] = {
    "model": "claude-example", "max_tokens": 16, "messages": [{"role": "user", "content": "How high is the tide?"}],
}  # fmt: skip
MESSAGE: Final = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-example",
    "content": [{"type": "text", "text": "Höher."}],
    "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 2},
}  # fmt: skip
MODEL: Final = {
    "type": "model", "id": "claude-example", "display_name": "Claude Example", "created_at": "2026-01-01T00:00:00Z",
}  # fmt: skip


def refusal(kind: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": "the tide is out"}}


def delta(text: str) -> bytes:
    data = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    return event(data, "content_block_delta")


BEGIN: Final = (
    event({"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}}, "message_start")
    + event(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        "content_block_start",
    )
)  # fmt: skip
END: Final = (
    event({"type": "content_block_stop", "index": 0}, "content_block_stop")
    + event(
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 2}},
        "message_delta",
    )
    + event({"type": "message_stop"}, "message_stop")
)  # fmt: skip


@pytest.fixture
def claude(ground: Grounds) -> Ground:
    return ground("anthropic")


def client_of(ground: Ground) -> Anthropic:
    client: Anthropic = ground.client(Anthropic=Anthropic)
    return client


def test_a_model_is_read(claude: Ground) -> None:
    claude.play(says(MODEL))
    with client_of(claude) as client:
        assert client.models.retrieve("claude-example").display_name == "Claude Example"
    assert claude.lines == ["GET /v1/models/claude-example"]


def test_a_message_is_made_of_exactly_what_was_asked(claude: Ground) -> None:
    claude.play(says(MESSAGE))
    with client_of(claude) as client:
        made = client.messages.create(**PROMPT)
    assert [block.text for block in made.content if block.type == "text"] == ["Höher."]
    assert claude.lines == ["POST /v1/messages"]
    assert sent_json(claude.requests[0]) == PROMPT
    assert re.fullmatch(rb"\d{4}-\d\d-\d\d", only(claude.requests[0].head, b"anthropic-version"))


def test_an_error_is_the_providers_own_with_the_providers_id(claude: Ground) -> None:
    claude.play(says(refusal("invalid_request_error"), 400, "request-id: req_of_anthropic"))
    with client_of(claude) as client, pytest.raises(anthropic.BadRequestError, match="the tide is out") as caught:
        client.messages.create(**PROMPT)
    assert caught.value.request_id == "req_of_anthropic"


@pytest.mark.parametrize("status", [429, 529])
def test_a_throttled_message_is_told_and_the_next_one_is_held_back(ground: Grounds, status: int) -> None:
    claude = ground("anthropic-busy" if status == 429 else "anthropic-other")
    claude.play(says(refusal("rate_limit_error"), status, "retry-after: 120"))
    with client_of(claude) as client:
        with pytest.raises(anthropic.APIStatusError) as caught:
            client.messages.create(**PROMPT)
        with pytest.raises(anthropic.ServiceUnavailableError) as held:
            client.messages.create(**PROMPT)
    assert (caught.value.status_code, caught.value.response.headers["retry-after"]) == (status, "120")
    assert held.value.response.json()["reason"] == "provider_paused"
    assert len(claude.requests) == 1


def test_a_streamed_event_arrives_before_the_provider_makes_the_next_one(claude: Ground) -> None:
    gate = threading.Event()
    claude.play(streams(BEGIN, delta("Hö"), after(gate), delta("her."), END))
    texts = []
    with client_of(claude) as client, client.messages.stream(**PROMPT) as stream:
        for text in stream.text_stream:
            texts.append(text)
            gate.set()
        assert stream.get_final_text() == "Höher."
    assert texts == ["Hö", "her."]


def test_the_sidecar_changes_the_credential_alone(claude: Ground) -> None:
    def create(way: Ground) -> None:
        with client_of(way) as client:
            client.messages.create(**PROMPT)

    claude.compare(create, says(MESSAGE))
