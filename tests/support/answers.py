"""What came back to a caller, cut into answers by a parser that is not ours."""

from collections.abc import Iterable
from dataclasses import dataclass

import h11
import orjson


@dataclass(frozen=True)
class Answer:
    """One final answer. headers: as on the wire, in order; ended: whether its body is complete."""

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    ended: bool

    def values(self, name: str) -> list[bytes]:
        """Return the values of a field, whatever its case."""
        return [value for key, value in self.headers if key.lower() == name.lower().encode()]

    @property
    def names(self) -> list[bytes]:
        """The field names in order."""
        return [name for name, _ in self.headers]

    @property
    def problem(self) -> dict[str, object]:
        """The problem+json body of an answer of tidegate's own."""
        problem = orjson.loads(self.body)
        assert isinstance(problem, dict)
        return problem

    @property
    def closes(self) -> bool:
        """Whether it says that the connection closes behind it."""
        return b"close" in self.values("connection")


def split(raw: bytes, methods: Iterable[str] = ("GET",)) -> list[Answer]:
    """Cut the bytes into one answer per method.

    Raises: AssertionError for bytes beyond the last answer, h11.RemoteProtocolError for anything malformed.
    """
    answers = []
    for method in methods:
        if not raw:
            break
        answer, raw = _first(raw, method)
        answers.append(answer)
    assert raw == b"", f"more than was asked for: {raw[:200]!r}"
    return answers


def only(raw: bytes, method: str = "GET") -> Answer:
    """Return the one answer that the bytes hold."""
    (answer,) = split(raw, [method])
    return answer


def _first(raw: bytes, method: str) -> tuple[Answer, bytes]:
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    parser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(raw)
    head, body = None, b""
    while True:
        event = parser.next_event()
        if isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif event is h11.NEED_DATA or isinstance(event, h11.EndOfMessage):
            break
    assert head is not None, f"no whole head: {raw[:200]!r}"
    if event is h11.NEED_DATA and _ends_with_the_connection(head):
        event = h11.EndOfMessage()
    fields = [(bytes(name), bytes(value)) for name, value in head.headers.raw_items()]
    answer = Answer(head.status_code, bytes(head.reason), fields, body, isinstance(event, h11.EndOfMessage))
    return answer, parser.trailing_data[0] if answer.ended and parser.their_state is h11.DONE else b""


def _ends_with_the_connection(head: h11.Response) -> bool:
    framing = {bytes(name).lower() for name, _ in head.headers} & {b"content-length", b"transfer-encoding"}
    return not framing
