"""Perplexity's SDK."""

import threading
from typing import Any, Final

import perplexity
import pytest
from perplexity import Perplexity

from tests.sdk.ground import Ground, Grounds, after, event, says, sent_json, streams

pytestmark = pytest.mark.sdk

PROMPT: Final[dict[str, Any]] = {
    "model": "sonar",
    "messages": [{"role": "user", "content": "How high is it? 🌊"}],
}


def answer(text: str, *, whole: bool = True) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "delta": message, "finish_reason": "stop" if whole else None}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "sonar", "choices": [choice]}


@pytest.fixture
def sonar(ground: Grounds) -> Ground:
    return ground("perplexity")


def client_of(ground: Ground) -> Perplexity:
    client: Perplexity = ground.client(Perplexity=Perplexity)
    return client


def test_the_web_is_searched(sonar: Ground) -> None:
    sonar.play(says({"id": "1", "results": [{"title": "Tides", "url": "https://example.com", "snippet": "High"}]}))
    with client_of(sonar) as client:
        found = client.search.create(query="tide")
    assert [one.title for one in found.results] == ["Tides"]
    assert sonar.lines == ["POST /search"]


def test_a_completion_is_made_of_exactly_what_was_asked(sonar: Ground) -> None:
    sonar.play(says(answer("Höher.")))
    with client_of(sonar) as client:
        made = client.chat.completions.create(**PROMPT)
    assert made.choices[0].message.content == "Höher."
    assert sonar.lines == ["POST /chat/completions"]
    assert sent_json(sonar.requests[0]) == PROMPT


def test_a_streamed_event_arrives_before_the_provider_makes_the_next_one(sonar: Ground) -> None:
    gate = threading.Event()
    sonar.play(streams(event(answer("Hö", whole=False)), after(gate), event(answer("her."))))
    texts = []
    with client_of(sonar) as client:
        for piece in client.chat.completions.create(**PROMPT, stream=True):
            texts.append(piece.choices[0].delta.content)
            gate.set()
    assert texts == ["Hö", "her."]


def test_an_error_is_the_providers_own(sonar: Ground) -> None:
    sonar.play(says({"error": {"message": "no such model", "type": "invalid_model"}}, 400))
    with client_of(sonar) as client, pytest.raises(perplexity.BadRequestError, match="no such model"):
        client.chat.completions.create(**PROMPT)


def test_a_throttled_completion_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    sonar = ground("perplexity-busy")
    sonar.play(says({"error": {"message": "slow down"}}, 429, "retry-after: 120"))
    with client_of(sonar) as client:
        with pytest.raises(perplexity.RateLimitError) as caught:
            client.chat.completions.create(**PROMPT)
        with pytest.raises(perplexity.InternalServerError) as held:
            client.chat.completions.create(**PROMPT)
    assert caught.value.response.headers["retry-after"] == "120"
    assert (held.value.status_code, held.value.response.json()["reason"]) == (503, "provider_paused")
    assert len(sonar.requests) == 1


def test_the_sidecar_changes_the_credential_alone(sonar: Ground) -> None:
    def complete(way: Ground) -> None:
        with client_of(way) as client:
            client.chat.completions.create(**PROMPT)

    sonar.compare(complete, says(answer("Höher.")))
