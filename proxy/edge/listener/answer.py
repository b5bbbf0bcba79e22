"""The one place that turns an error into an answer: problem+json (RFC 9457), Proxy-Status (RFC 9209)."""

import math
from collections.abc import Callable

import orjson

from proxy.core.call import Headers, Reply
from proxy.core.errors import RateLimited, TidegateError

_REASONS = {
    400: b"Bad Request", 403: b"Forbidden", 404: b"Not Found", 408: b"Request Timeout",
    413: b"Request Entity Too Large", 421: b"Misdirected Request",
    429: b"Too Many Requests", 500: b"Internal Server Error", 502: b"Bad Gateway", 503: b"Service Unavailable",
    504: b"Gateway Timeout", 505: b"HTTP Version Not Supported",
}  # fmt: skip


def answer(error: TidegateError, provider: str, request_id: str, redact: Callable[[bytes], bytes]) -> Reply:
    """Return the reply that tells the caller what happened, whose fault it is and when to come back.

    redact: takes every known secret out of the body.
    """
    problem: dict[str, object] = {
        "type": f"urn:tidegate:problem:{error.reason}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "provider": provider,
        "reason": error.reason,
        "request_id": request_id,
        # Some SDKs look for an error here alone, and take an answer without one for a success, whatever its status
        # (stripe-node 23.1.0, RequestSender.js).
        "error": {"type": "api_error", "code": error.reason, "message": error.detail},
    }
    headers: Headers = [(b"Content-Type", b"application/problem+json")]
    headers.append((b"Proxy-Status", b"tidegate; error=%b" % error.proxy_status.encode()))
    if error.retry_after_s is not None:
        retry_after_s = max(1, math.ceil(error.retry_after_s))
        problem["retry_after"] = retry_after_s
        headers.append((b"Retry-After", b"%d" % retry_after_s))
        if isinstance(error, RateLimited):
            headers += _rate_limit_fields(error, retry_after_s)
    body = redact(orjson.dumps(problem))
    headers.append((b"Content-Length", b"%d" % len(body)))
    reply = Reply(error.status, _REASONS[error.status], headers, body)
    reply.outcome = error.outcome  # of one deadline the engine knows that the provider let it pass
    return reply


def _rate_limit_fields(error: RateLimited, reset_s: int) -> Headers:
    # draft-ietf-httpapi-ratelimit-headers: windows in whole seconds; a limit with any other can't be told truly.
    named = {limit: f'"{limit}"' for limit in error.limits if limit.window_s.is_integer()}
    if not named:
        return []
    policy = ", ".join(f"{name};q={limit.count};w={int(limit.window_s)}" for limit, name in named.items())
    fields: Headers = [(b"RateLimit-Policy", policy.encode())]
    if error.tightest in named:
        fields.append((b"RateLimit", f"{named[error.tightest]};r={error.remaining};t={reset_s}".encode()))
    return fields
