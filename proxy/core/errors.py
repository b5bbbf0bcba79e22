"""The tree of errors. Each class says whose fault it is, what the caller is told and whether waiting helps.

`edge/listener/answer.py` is the one place that turns an error into an answer (RFC 9457, RFC 9209).
"""

from typing import ClassVar, Literal

from proxy.core.outcome import Outcome
from proxy.core.units import Rate

Source = Literal["provider", "sidecar", "network"]


class TidegateError(Exception):
    """Anything tidegate answers itself.

    status: HTTP status of the answer. reason: one of a closed list (metric label, log key, problem type).
    proxy_status: the RFC 9209 error type. retryable: whether another attempt may help.
    outcome: what it says about the provider. retry_after_s: seconds after which a new call may pass.
    """

    status: ClassVar[int]
    reason: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[Source] = "sidecar"
    proxy_status: ClassVar[str] = "http_request_denied"
    retryable: ClassVar[bool] = False
    outcome: Outcome = Outcome.IGNORED

    def __init__(self, detail: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class Refused(TidegateError):
    """tidegate itself declined the call; nothing was sent by the policy that raised it."""


class RateLimited(Refused):
    """The configured rate limit has no room in the time the caller can wait.

    limits: the configured limits, for the RateLimit fields. tightest: the one that has to be waited for longest.
    remaining: whole calls left in that one.
    """

    status, reason, title = 429, "rate_limited", "Rate limit of the sidecar reached"
    proxy_status = "http_request_denied"

    def __init__(
        self,
        detail: str,
        *,
        retry_after_s: float,
        limits: tuple[Rate, ...] = (),
        tightest: Rate | None = None,
        remaining: int = 0,
    ) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.limits = limits
        self.tightest = tightest
        self.remaining = remaining


class ProviderPaused(Refused):
    """The provider asked for a pause that outlasts what the caller can wait."""

    status, reason, title = 503, "provider_paused", "The provider asked for a pause"
    proxy_status = "destination_unavailable"


class CircuitOpen(Refused):
    """The breaker is open: the provider has been failing."""

    status, reason, title = 503, "circuit_open", "Circuit breaker open"
    proxy_status = "destination_unavailable"


class BulkheadFull(Refused):
    """Too many calls to this provider are in flight or waiting."""

    status, reason, title = 503, "bulkhead_full", "Too many calls in flight"
    proxy_status = "connection_limit_reached"


class DeadlineExceeded(Refused):
    """The deadline of the whole call passed.

    No evidence by itself, because a caller may set any deadline; the engine marks it FAILED when the
    provider had a fair time to answer.
    """

    status, reason, title = 504, "deadline_exceeded", "Deadline exceeded"
    proxy_status = "http_response_timeout"


class CredentialMissing(Refused):
    """The provider's secret could not be read."""

    status, reason, title = 503, "credential_missing", "Credential missing"
    proxy_status = "proxy_configuration_error"


class CredentialRefused(Refused):
    """The provider has refused the credential again and again; it is left alone for a while."""

    status, reason, title = 503, "credential_refused", "Credential refused by the provider"
    proxy_status = "proxy_configuration_error"


class TokenUnavailable(Refused):
    """No access token could be had from the provider's token endpoint.

    refused: it answered and refused the secret, so that another one that is live may do.
    """

    status, reason, title = 503, "token_unavailable", "No access token available"
    proxy_status = "destination_unavailable"

    def __init__(self, detail: str, *, retry_after_s: float | None = None, refused: bool = False) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.refused = refused


class QuotaExhausted(Refused):
    """The provider said that the quota is used up; calls are held until it is renewed, or for a while."""

    status, reason, title = 503, "quota_exhausted", "The provider's quota is used up"
    proxy_status = "destination_unavailable"


class InternalError(Refused):
    """A bug in tidegate; the log has the traceback."""

    status, reason, title = 500, "internal_error", "Internal error of the sidecar"
    proxy_status = "proxy_internal_error"


class DestinationRefused(Refused):
    """The provider's host name resolves to an address that tidegate must not dial, or its answer leads the caller to
    another provider on the sidecar.
    """

    status, reason, title = 502, "destination_refused", "Destination refused"
    proxy_status = "destination_ip_prohibited"


class UpstreamFailed(TidegateError):
    """The network or the provider failed. `sent`: whether any byte of the request may have gone out."""

    source = "network"
    retryable = True
    outcome = Outcome.FAILED
    sent: ClassVar[bool] = True


class ResolveFailed(UpstreamFailed):
    """The provider's host name could not be resolved."""

    status, reason, title = 502, "resolve_failed", "Host name could not be resolved"
    proxy_status = "dns_error"
    sent = False


class ConnectFailed(UpstreamFailed):
    """No connection could be made; no byte of the request went out."""

    status, reason, title = 502, "connect_failed", "Connection failed"
    proxy_status = "connection_refused"
    sent = False


class ConnectTimeout(UpstreamFailed):
    """The connection took longer than `timeout.connect`; no byte of the request went out."""

    status, reason, title = 504, "connect_timeout", "Connection timed out"
    proxy_status = "connection_timeout"
    sent = False


class TlsFailed(UpstreamFailed):
    """The TLS handshake or the certificate check failed; no byte of the request went out."""

    status, reason, title = 502, "tls_failed", "TLS failed"
    proxy_status = "tls_protocol_error"
    sent = False


class ConnectionDropped(UpstreamFailed):
    """The provider closed or reset the connection before the answer was complete."""

    status, reason, title = 502, "connection_dropped", "Connection dropped"
    proxy_status = "connection_terminated"


class ResponseTimeout(UpstreamFailed):
    """No answer within `timeout.attempt`, or no next piece of it within `timeout.body_idle`."""

    status, reason, title = 504, "response_timeout", "The provider did not answer in time"
    proxy_status = "http_response_timeout"


class UpstreamProtocolError(UpstreamFailed):
    """The provider's answer is not valid HTTP/1.1, or ambiguous in its framing."""

    status, reason, title = 502, "upstream_protocol_error", "Invalid answer from the provider"
    proxy_status = "http_protocol_error"


class Misused(TidegateError):
    """The caller's mistake."""

    proxy_status = "http_request_error"


class BadRequest(Misused):
    """The request is malformed, ambiguous or asks for what tidegate does not do."""

    status, reason, title = 400, "bad_request", "Bad request"


class BrowserRefused(Misused):
    """The request comes from a browser page, which must not spend the user's keys."""

    status, reason, title = 403, "browser_refused", "Requests from browser pages are refused"


class GuardMissing(Misused):
    """The header that `egress.require_header` asks for is missing."""

    status, reason, title = 403, "guard_missing", "Required header missing"


class UnknownProvider(Misused):
    """No provider of that name is configured."""

    status, reason, title = 404, "unknown_provider", "Unknown provider"


class MisdirectedHost(Misused):
    """The Host header is not one that this listener serves (DNS rebinding)."""

    status, reason, title = 421, "misdirected_host", "Host not served here"


class UnknownAccount(Misused):
    """`Tidegate-Account` is missing, or names no account of this provider."""

    status, reason, title = 400, "unknown_account", "Unknown account"


class BodyTooLarge(Misused):
    """The credential has to sign, or stand in, the body, and this one is larger than can be held for that."""

    status, reason, title = 413, "body_too_large", "Request body too large"


class CallerGone(Misused):
    """The caller left, or stopped sending its request body, before the call was over."""

    status, reason, title = 400, "caller_gone", "The caller's request ended early"


class BodyTimeout(Misused):
    """The caller did not send the next piece of its request body in time."""

    status, reason, title = 408, "request_timeout", "Request body timed out"


class HeadTimeout(Misused):
    """The caller took too long to send a request's head."""

    status, reason, title = 408, "request_timeout", "Request head timed out"


class VersionNotSupported(Misused):
    """Only HTTP/1.0 and HTTP/1.1 are served."""

    status, reason, title = 505, "version_not_supported", "HTTP version not supported"


class ConfigError(Exception):
    """What is wrong in a configuration file, one line per problem: `file:line: key: what, what to do`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
