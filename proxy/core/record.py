"""What happened to a call: how often it was sent, where its time went, and why, for log, metrics and traces."""

from dataclasses import dataclass
from typing import Final, NamedTuple

_MOST_NOTES: Final = 32


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that another one followed. Times in seconds.

    at_s: when it began, counted from the call's own beginning. duration_s: until its answer began, or it failed.
    status: None where no answer came. cause: as in `RetryScheduled`. wait_s: how long the next one was put off.
    """

    at_s: float
    duration_s: float
    status: int | None
    cause: str
    wait_s: float
    dns_s: float
    connect_s: float
    tls_s: float
    first_byte_s: float


class Note(NamedTuple):
    """Why something happened to a call. at_s: counted from its beginning. section: of the policy that says so."""

    at_s: float
    section: str
    text: str


class Record:
    """What happened during one logical call, for log and metrics. Times in seconds.

    attempts: sends, whether or not a byte went out. receive_s: until a small request body was here. queue_s,
    limiter_s, backoff_s: time spent waiting in bulkhead, rate limiter and retry. dns_s, connect_s, tls_s,
    first_byte_s, body_s: phases of the last attempt; the first three are 0.0 where a pooled connection was used.
    upstream_s: all attempts together. attempt_at, answered_at: monotonic instants at which the last attempt began and
    the last reply's head was here. request_bytes, response_bytes: body bytes to and from the provider.
    earlier: the attempts before the last one. notes: why it was no plain call; both are empty for almost all.
    """

    __slots__ = (
        "answered_at", "attempt_at", "attempts", "backoff_s", "body_s", "connect_s", "dns_s", "earlier", "first_byte_s",
        "limiter_s", "notes", "queue_s", "receive_s", "request_bytes", "response_bytes", "started_at", "tls_s",
        "upstream_s",
    )  # fmt: skip

    def __init__(self, started_at: float) -> None:
        self.started_at = self.answered_at = self.attempt_at = started_at
        self.earlier: tuple[Attempt, ...] = ()
        self.notes: tuple[Note, ...] = ()
        self.attempts = self.request_bytes = self.response_bytes = 0
        self.receive_s = self.queue_s = self.limiter_s = self.backoff_s = 0.0
        self.dns_s = self.connect_s = self.tls_s = self.first_byte_s = self.body_s = self.upstream_s = 0.0

    def note(self, now: float, section: str, text: str) -> None:
        """Remember why something happened, for whoever asks later; only where a call is held up, repeated or refused.

        now: monotonic instant. The first 32 are kept.
        """
        if len(self.notes) < _MOST_NOTES:
            self.notes = (*self.notes, Note(now - self.started_at, section, text))

    def repeated(self, now: float, status: int | None, cause: str, wait_s: float) -> None:
        """Keep the attempt that has just ended, because another one follows."""
        phases = (self.dns_s, self.connect_s, self.tls_s, self.first_byte_s)
        began_s, took_s = self.attempt_at - self.started_at, now - self.attempt_at
        self.earlier = (*self.earlier, Attempt(began_s, took_s, status, cause, wait_s, *phases))

    def overhead_s(self, ended_at: float) -> float:
        """Return the seconds that were tidegate's own: neither the provider's nor spent waiting; never below 0."""
        waited_s = self.receive_s + self.queue_s + self.limiter_s + self.backoff_s
        own_s = ended_at - self.started_at - self.upstream_s - waited_s
        return own_s if own_s > 0.0 else 0.0  # noqa: FURB136  # max() takes twice as long, and every call is here
