"""W3C trace context at the trust boundary: restart the trace, so that internal ids stay inside.

Trace Context Level 2, section 3.4 ("restart trace"): new trace id, no tracestate; baggage goes too.
"""

import random
import re
from typing import Final

from proxy.core.call import Headers

_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?")
_STATE: Final = (b"tracestate", b"baggage")


def restart_trace(headers: Headers) -> Headers:
    """Return the headers with a new trace id and parent in place of the caller's, flags kept; the rest as it was.

    An invalid traceparent is removed, as if none had been sent.
    """
    restarted: Headers = []
    for name, value in headers:
        key = name.lower()
        if key == b"traceparent":
            match = _TRACEPARENT.fullmatch(value)
            if match is not None and not value.startswith(b"ff"):
                fresh = random.getrandbits(128) | 1, random.getrandbits(64) | 1, match[1]
                restarted.append((name, b"00-%032x-%016x-%b" % fresh))
        elif key not in _STATE:
            restarted.append((name, value))
    return restarted
