"""Ended calls as the tests of log and metrics need them."""

from typing import Literal

from proxy.core.call import NO_BODY, Call, Headers, Reply
from proxy.core.events import CallEnded
from proxy.core.outcome import Outcome
from proxy.core.record import Record

Source = Literal["provider", "sidecar", "network"]


def make_ended(
    status: int | None = 200,
    *,
    provider: str = "stripe",
    method: str = "GET",
    target: bytes = b"/v1/charges",
    source: Source = "provider",
    reason: str = "",
    error: str = "",
    sent: Headers | None = None,
    received: Headers | None = None,
    outcome: Outcome = Outcome.OK,
    **record: float,
) -> CallEnded:
    """Build a call of half a second that began at 100; keywords beyond the named ones go into its record."""
    times = Record(100.0)
    times.attempts = 1
    for name, value in record.items():
        setattr(times, name, value)
    call = Call(provider, method, target, sent or [], NO_BODY, times)
    call.request_id = "req-1"
    reply = None if status is None else Reply(status, b"", received or [], b"")
    if reply is not None:
        reply.outcome = outcome
    return CallEnded(provider, call, reply, source, reason, 100.5, error)
