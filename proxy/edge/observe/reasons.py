"""The closed list of reasons, read from the tree of errors, so that it can't fall behind."""

from collections.abc import Iterator
from typing import Final

from proxy.core.errors import DeadlineExceeded, TidegateError, UpstreamFailed
from proxy.core.events import CallEnded
from proxy.core.outcome import Outcome

# Looking a member or its value up in the class is slow, and every call is judged here.
_OK: Final = Outcome.OK
_OUTCOMES: Final = {outcome: outcome.value for outcome in Outcome}


def outcomes_by_reason() -> dict[str, str]:
    """Return what each reason says about the provider; its keys are all reasons that an error can give."""
    return {kind.reason: kind.outcome.value for kind in _kinds(TidegateError) if hasattr(kind, "reason")}


def reasons_under(parent: type[TidegateError]) -> frozenset[str]:
    """Return the reasons of all errors of a branch, such as `Misused`, the caller's mistakes."""
    return frozenset(kind.reason for kind in _kinds(parent))


def outcome_of(event: CallEnded) -> str:
    """Return what a call says about the provider: the verdict on its reply, or where there is none the error's own."""
    reply = event.reply
    if reply is None or (event.reason and reply.outcome is _OK):
        return _BY_REASON.get(event.reason, "ignored")
    return _OUTCOMES[reply.outcome]


def _kinds(parent: type[TidegateError]) -> Iterator[type[TidegateError]]:
    for kind in parent.__subclasses__():
        yield kind
        yield from _kinds(kind)


_BY_REASON: Final = outcomes_by_reason()

FAILURES: Final = reasons_under(UpstreamFailed) | {DeadlineExceeded.reason}
"""What a caller got in place of an answer that was owed, as rules, dashboard and console count it."""
