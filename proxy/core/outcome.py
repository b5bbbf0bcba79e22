"""The one verdict on what came of an attempt; retry, breaker, pacing, credential and metrics all read it."""

from enum import Enum


class Outcome(Enum):
    """What an attempt says about the provider.

    Only FAILED is evidence of ill health (facts: a 429 that trips a breaker turns pacing into an outage).
    """

    OK = "ok"
    FAILED = "failed"  # 5xx, timeout, connection or protocol error
    THROTTLED = "throttled"  # the provider asks us to slow down
    UNAUTHORISED = "unauthorised"  # the credential was refused
    EXHAUSTED = "exhausted"  # quota or billing: waiting a little does not help
    REFUSED = "refused"  # any other 4xx: the caller's request was refused
    IGNORED = "ignored"  # cancellations and our own refusals: no evidence at all
