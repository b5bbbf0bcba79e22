"""W3C trace context at the trust boundary: where a call stands in a trace, and what of that a provider is told.

Trace Context Level 2: section 3.2 (traceparent), section 3.4 ("restart trace", so that internal ids stay inside: new
trace id, no tracestate; baggage goes too).
"""

import random
import re
from typing import Final

from proxy.core.call import Headers, TraceContext

_TRACEPARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_PARENT: Final = b"traceparent"
_STATE: Final = (b"tracestate", b"baggage")
_SAMPLED: Final = 1


def follow(
    headers: Headers, share: float | None, *, traced: bool, restart: bool
) -> tuple[Headers, TraceContext | None]:
    """Return the headers for the provider, and where the call stands in a trace; None where it is in none.

    share: of the calls that come without a trace, how many begin one (0 to 1); None where no spans are made, and then
    no span of ours is named to anybody. traced: whether any of the headers is about traces. restart: whether the
    caller's ids stay inside.
    """
    trace = continued(headers) if traced else None
    if trace is None and share is not None:
        trace = _begun(share)
    if restart:
        return restart_trace(headers) if traced else headers, trace
    return headers if trace is None or share is None else pass_trace(headers, trace), trace


def continued(headers: Headers) -> TraceContext | None:
    """Return the trace that the caller is in, with an id for this call's own span; None where it named none.

    An invalid traceparent, or more than one, is as none (section 3.2.1).
    """
    parents = [value for name, value in headers if name.lower() == _PARENT]
    match = _TRACEPARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    if match is None:
        return None
    return TraceContext(match[1].decode(), match[2].decode(), _new_span(), bool(int(match[3], 16) & _SAMPLED))


def _begun(share: float) -> TraceContext | None:
    if random.random() >= share:  # noqa: S311 - a share of many, and no secret
        return None
    return TraceContext(f"{random.getrandbits(128) | 1:032x}", "", _new_span(), sampled=True)


def _new_span() -> str:
    return f"{random.getrandbits(64) | 1:016x}"


def restart_trace(headers: Headers) -> Headers:
    """Return the headers with a new trace id and parent in place of the caller's, flags kept; the rest as it was.

    An invalid traceparent is removed, as if none had been sent.
    """
    restarted: Headers = []
    for name, value in headers:
        key = name.lower()
        if key == _PARENT:
            match = _TRACEPARENT.fullmatch(value)
            if match is not None:
                fresh = random.getrandbits(128) | 1, random.getrandbits(64) | 1, match[3]
                restarted.append((name, b"00-%032x-%016x-%b" % fresh))
        elif key not in _STATE:
            restarted.append((name, value))
    return restarted


def pass_trace(headers: Headers, trace: TraceContext) -> Headers:
    """Return the headers with this call's own span as the provider's parent; tracestate and baggage stay.

    Where the caller's traceparent was no good, its tracestate goes with it: that is another trace's.
    """
    ours = f"00-{trace.trace_id}-{trace.span_id}-{'01' if trace.sampled else '00'}".encode()
    passed: Headers = []
    told = False
    for name, value in headers:
        key = name.lower()
        if key != _PARENT:
            if trace.parent_id or key != _STATE[0]:
                passed.append((name, value))
        elif not told:
            passed.append((name, ours))
            told = True
    return passed if told else [*passed, (_PARENT, ours)]
