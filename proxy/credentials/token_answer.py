"""What a token endpoint answered: a token, or why there is none, told without any part of a secret."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from proxy.core.call import Reply
from proxy.sansio.tokens import LIFE_MAX_S, life_s

MOST_BYTES: Final = 64 * 1024

_SENDABLE: Final = re.compile(r"[!-~]+")
_WORD: Final = re.compile(r"[a-z]+(?:_[a-z]+)*")  # RFC 6749 section 5.2; nothing that could hold a secret
_LONGEST_WORD: Final = 40
_BUSY_STATUSES: Final = frozenset({408, 425, 429})
_BUSY_WORDS: Final = frozenset({"temporarily_unavailable", "server_error", "slow_down", "internal_failure"})


@dataclass(frozen=True, slots=True)
class Granted:
    """A token. life_s: seconds that it lives. refresh_token: the next one, "" when the one used stays."""

    text: str
    life_s: float
    refresh_token: str


class GrantFailed(Exception):
    """There is no token. refused: the endpoint said no, and will say so again. hint_s: what it asks us to wait."""

    def __init__(self, problem: str, *, refused: bool = False, hint_s: float = 0.0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.refused = refused
        self.hint_s = hint_s


async def read_answer(reply: Reply) -> bytes:
    """Return the whole body. Raises: GrantFailed above 64 KiB, and what reading raises."""
    pieces, size = [reply.body], len(reply.body)
    try:
        while reply.stream is not None and size <= MOST_BYTES and (piece := await reply.stream.read()):
            pieces.append(piece)
            size += len(piece)
    finally:
        reply.discard()  # harmless when it has ended
    if size > MOST_BYTES:
        raise GrantFailed("the token endpoint's answer is larger than 64 KiB")
    return b"".join(pieces)


def parse_granted(status: int, body: bytes, token_key: str, default_life_s: float, wall: float) -> Granted:
    """Read the token from an answer (RFC 6749 section 5.1).

    token_key: where it stands. default_life_s: for an answer that does not tell. wall: unix seconds, for one that
    tells an instant (GitHub's `expires_at`). Raises: GrantFailed.
    """
    document = _object(body)
    text = document.get(token_key)
    if not 200 <= status < 300 or not isinstance(text, str) or not text:
        raise _failure(status, document)
    if not _SENDABLE.fullmatch(text):
        raise GrantFailed("the token endpoint gave a token that no header can carry")
    try:
        seconds = life_s(document.get("expires_in"), _until(document.get("expires_at"), wall) or default_life_s)
    except ValueError as error:
        raise GrantFailed(f"the token endpoint {error}") from None
    refresh_token = document.get("refresh_token")
    return Granted(text, seconds, refresh_token if isinstance(refresh_token, str) else "")


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _failure(status: int, document: dict[str, Any]) -> GrantFailed:
    word = document.get("error")
    if not isinstance(word, str) or len(word) > _LONGEST_WORD or not _WORD.fullmatch(word):
        word = ""
    busy = status >= 500 or status in _BUSY_STATUSES or word in _BUSY_WORDS
    what = f"answered {status}" + (f" ({word})" if word else "" if status >= 300 else " without a token")
    todo = "" if busy else "; check the credential's settings and secrets"
    return GrantFailed(f"the token endpoint {what}{todo}", refused=not busy)


def _until(told: object, wall: float) -> float:
    """Return the seconds until an ISO instant, 0.0 for anything else. Raises: ValueError when it has passed."""
    if not isinstance(told, str):
        return 0.0
    try:
        seconds = datetime.fromisoformat(told).timestamp() - wall
    except (ValueError, OverflowError):
        return 0.0
    return life_s(seconds, LIFE_MAX_S)
