"""OpenAI's SDK, blocking."""

import threading

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.sdk.ground import Ground, Grounds, after, only, says, sent_json, streams
from tests.sdk.openai_answers import COMPLETION, DONE, FILE, MODEL, PROMPT, REFUSED, piece, throttled
from tests.support.wire import RESET

pytestmark = pytest.mark.sdk


def client_of(ground: Ground) -> OpenAI:
    client: OpenAI = ground.client(OpenAI=OpenAI)
    return client


def test_a_model_is_read(ground: Grounds) -> None:
    openai_ground = ground("openai")
    openai_ground.play(says(MODEL))
    with client_of(openai_ground) as client:
        assert client.models.retrieve("gpt-example").owned_by == "acme"
    assert openai_ground.lines == ["GET /v1/models/gpt-example"]


def test_a_completion_is_made_of_exactly_what_was_asked(ground: Grounds) -> None:
    openai_ground = ground("openai")
    openai_ground.play(says(COMPLETION))
    with client_of(openai_ground) as client:
        made = client.chat.completions.create(**PROMPT)
    assert made.choices[0].message.content == "Höher. 🌊"
    assert openai_ground.lines == ["POST /v1/chat/completions"]
    assert sent_json(openai_ground.requests[0]) == PROMPT


def test_an_error_is_the_providers_own_and_both_ids_of_the_call_are_told(ground: Grounds) -> None:
    openai_ground = ground("openai")
    openai_ground.play(says(REFUSED, 404, "x-request-id: req_of_openai"))
    with client_of(openai_ground) as client, pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-missing")
    told = caught.value.response.headers
    assert caught.value.code == "model_not_found"
    assert caught.value.request_id == told["X-Request-Id"]
    assert told["Tidegate-Provider-Request-Id"] == "req_of_openai"
    assert told["Tidegate-Source"] == "provider"


def test_a_throttled_completion_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    openai_ground = ground("openai-busy")
    openai_ground.play(throttled("retry-after: 120"))
    with client_of(openai_ground) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(**PROMPT)
        with pytest.raises(openai.InternalServerError) as held:
            client.chat.completions.create(**PROMPT)
    assert caught.value.response.headers["retry-after"] == "120"
    assert (held.value.status_code, held.value.response.json()["reason"]) == (503, "provider_paused")
    assert 110 < int(held.value.response.headers["retry-after"]) <= 120
    assert len(openai_ground.requests) == 1


def test_a_throttled_read_is_repeated_when_the_provider_said_so(ground: Grounds) -> None:
    openai_ground = ground("openai-quick")
    openai_ground.play(throttled("retry-after-ms: 200"), says(MODEL))
    with client_of(openai_ground) as client:
        raw = client.models.with_raw_response.retrieve("gpt-example")
    assert raw.parse().id == "gpt-example"
    assert raw.headers["Tidegate-Attempts"] == "2"
    first, second = openai_ground.requests
    assert first.head == second.head
    assert second.at - first.at >= 0.19  # clocks of two processes


def test_a_streamed_event_arrives_before_the_provider_makes_the_next_one(ground: Grounds) -> None:
    openai_ground = ground("openai")
    gate = threading.Event()
    openai_ground.play(streams(piece("one"), after(gate), piece("two"), DONE))
    with client_of(openai_ground) as client:
        texts = []
        for chunk in client.chat.completions.create(**PROMPT, stream=True):
            texts.append(chunk.choices[0].delta.content)
            gate.set()
    assert texts == ["one", "two"]


def test_a_stream_that_breaks_does_not_end_as_if_it_were_whole(ground: Grounds) -> None:
    openai_ground = ground("openai")
    gate = threading.Event()
    openai_ground.play(streams(piece("one"), after(gate), RESET, whole=False))
    with client_of(openai_ground) as client:
        chunks = iter(client.chat.completions.create(**PROMPT, stream=True))
        assert next(chunks).choices[0].delta.content == "one"
        gate.set()
        with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
            next(chunks)
    assert len(openai_ground.requests) == 1


def test_the_caller_organisation_goes_through_and_no_second_credential_does(ground: Grounds) -> None:
    openai_ground = ground("openai")
    openai_ground.play(says(MODEL))
    with client_of(openai_ground) as client:
        client.models.retrieve(
            "gpt-example", extra_headers={"OpenAI-Organization": "org-acme", "X-Api-Key": "placeholder"}
        )
    assert only(openai_ground.requests[0].head, b"openai-organization") == b"org-acme"


def test_a_file_is_uploaded(ground: Grounds) -> None:
    openai_ground = ground("openai")
    openai_ground.play(says(FILE))
    content = bytes(range(256)) * 300
    with client_of(openai_ground) as client:
        assert client.files.create(file=content, purpose="batch").id == "file-1"
    assert content in openai_ground.requests[0].body


def test_the_sidecar_changes_the_credential_alone(ground: Grounds) -> None:
    def complete(way: Ground) -> None:
        with client_of(way) as client:
            client.chat.completions.create(**PROMPT)

    ground("openai").compare(complete, says(COMPLETION))
