"""What OpenAI answers, as far as its SDK looks."""

from typing import Any, Final

from tests.sdk.ground import event, says

MODEL: Final = {"id": "gpt-example", "object": "model", "created": 1, "owned_by": "acme"}
FILE: Final = {
    "id": "file-1", "object": "file", "bytes": 1, "created_at": 1, "filename": "upload", "purpose": "batch",
    "status": "processed",
}  # fmt: skip
PROMPT: Final[dict[str, Any]] = {
    "model": "gpt-example", "messages": [{"role": "user", "content": "Grüße — how high is the tide?"}],
}  # fmt: skip
COMPLETION: Final = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-example",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Höher. 🌊"}}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}  # fmt: skip
REFUSED: Final = {"error": {"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"}}
THROTTLED: Final = {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}
DONE: Final = event("[DONE]")


def piece(text: str) -> bytes:
    """Return one event of a streamed completion."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return event({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-example",
        "choices": [choice],
    })  # fmt: skip


def throttled(*lines: str) -> bytes:
    """Return a 429 with these header lines."""
    return says(THROTTLED, 429, *lines)
