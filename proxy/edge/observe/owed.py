"""Whose doing a call's end was: the provider's, who owes it, or somebody else's, and then whose."""

from typing import Final, Literal, get_args

from proxy.core.errors import BodyTimeout, CallerGone, DeadlineExceeded, Misused
from proxy.core.events import CallEnded
from proxy.core.outcome import Outcome
from proxy.edge.observe.reasons import outcomes_by_reason, reasons_under

Why = Literal["sidecar", "caller", "throttled", "credential", "quota", "ignored"]
"""Why a call is no evidence for or against the provider."""

WHYS: Final[tuple[Why, ...]] = get_args(Why)

_OUTCOMES: Final[dict[Outcome, Why]] = {
    Outcome.REFUSED: "caller",
    Outcome.THROTTLED: "throttled",
    Outcome.UNAUTHORISED: "credential",
    Outcome.EXHAUSTED: "quota",
    Outcome.IGNORED: "ignored",
}
_BY_REASON: Final = outcomes_by_reason()
_CALLERS: Final = reasons_under(Misused)
_LEFT: Final = frozenset({CallerGone.reason, BodyTimeout.reason})
_NO_FAILURE: Final = frozenset({"throttled", "unauthorised"})  # causes of attempts that another one followed


def exclusion(event: CallEnded) -> Why | None:
    """Say why a call that did not simply succeed counts for no objective; None where the provider failed it.

    What the caller saw decides, and so what came of the last attempt.
    """
    reply = event.reply
    if event.source == "sidecar" or reply is None:
        return _of_ours(event)
    if reply.outcome is not Outcome.OK:
        return _OUTCOMES.get(reply.outcome)
    if event.source == "network" or _BY_REASON.get(event.error) == Outcome.FAILED.value:
        return None
    # The head was good. A deadline that cuts a body is ours: a long answer is no failure.
    return "ignored" if event.error in _LEFT else "sidecar"


def _of_ours(event: CallEnded) -> Why | None:
    if event.reason == DeadlineExceeded.reason and _let_it_pass(event):
        return None
    if not event.reason or event.reason in _LEFT:  # without a reason tidegate answered in the provider's place
        return "ignored"
    return "caller" if event.reason in _CALLERS else "sidecar"


def _let_it_pass(event: CallEnded) -> bool:
    """Say whether a deadline passed because of the provider.

    Either the engine says so, because the last attempt had a fair time after all of it was sent; or attempts that
    failed before had taken most of the time. A caller that allows a few milliseconds, or that is slow to send its
    body, spends nobody's budget.
    """
    if event.reply is not None and event.reply.outcome is Outcome.FAILED:
        return True
    record = event.call.record
    failing_s = sum(one.duration_s for one in record.earlier if one.cause not in _NO_FAILURE)
    return failing_s > (event.ended_at - record.started_at) / 2
