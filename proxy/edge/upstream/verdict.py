"""The beginning of an answer's body, for rules that judge by it: taken without keeping the caller from its stream."""

from functools import lru_cache
from typing import Final

from proxy.core.call import Reply, field_value
from proxy.edge.prefixed import beginning_of
from proxy.sansio.classify import MOST_BYTES
from proxy.sansio.coding import decode_beginning

WITHIN_S: Final = 0.25
"""The longest wait for a beginning: a body that comes more slowly is judged by what is here of it."""

# Events and rows that come one by one, and are wanted one by one.
_TRICKLING: Final = (b"event-stream", b"ndjson", b"jsonl", b"json-seq", b"stream+json")


async def plain_beginning(reply: Reply) -> bytes:
    """Return the first `MOST_BYTES` of the body without content coding, and leave the reply as if it was not read.

    Returns: b"" for what is neither JSON nor XML nor text, and for streams of events.
    """
    content_type = field_value(reply.headers, b"content-type")
    if content_type is not None and not _is_readable(content_type[:100]):
        return b""
    beginning = await beginning_of(reply, MOST_BYTES, WITHIN_S)
    encoding = field_value(reply.headers, b"content-encoding")
    return beginning[:MOST_BYTES] if encoding is None else decode_beginning(beginning, encoding, MOST_BYTES)


@lru_cache(maxsize=256)
def _is_readable(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    if any(word in kind for word in _TRICKLING):
        return False
    return not kind or kind.startswith(b"text/") or b"json" in kind or b"xml" in kind
