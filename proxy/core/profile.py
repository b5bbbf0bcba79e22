"""What a provider is: facts about it, as data. The catalogue fills these; a user may override them."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from proxy.core.units import Frozen

Lower = Annotated[str, AfterValidator(str.lower)]
"""A header field name; compared in lower case."""


def _compilable(pattern: str) -> str:
    try:
        re.compile(pattern.encode())
    except (re.error, OverflowError, RecursionError) as error:  # none is a ValueError, which pydantic would report
        raise ValueError(f"not a regular expression: {error}") from None
    return pattern


Regex = Annotated[str, AfterValidator(_compilable)]
"""A regular expression in Python's syntax, over bytes; a broken one is a configuration error."""


class Rule(Frozen):
    """Matches an answer by status and, when given, by one header's value."""

    status: int = Field(ge=100, le=599)
    header: Lower | None = None
    equals: str | None = None  # absent: the header need only be there


class Reset(Frozen):
    """A header that tells when the provider accepts calls again, and how to read it.

    unit: `seconds` and `milliseconds` are waits; `epoch` and `epoch_ms` are instants; `date` is an HTTP
    date, `rfc3339` an ISO one; `duration` is a text such as 6m0s; `auto` takes seconds or an HTTP date.
    when_zero: another header that must be 0 for this one to count (the exhausted dimension).
    """

    header: Lower
    unit: Literal["auto", "seconds", "milliseconds", "epoch", "epoch_ms", "date", "rfc3339", "duration"] = "auto"
    when_zero: Lower | None = None


class Idempotency(Frozen):
    """The header by which this provider recognises a repeated call, and the methods where it counts."""

    header: Lower | None = "idempotency-key"
    methods: tuple[str, ...] = ("POST", "PATCH")


class SecretPattern(Frozen):
    """The shape of this provider's secrets. `contains`: texts of which at least one is in every match;
    they are searched first, because that is many times cheaper than the pattern.
    """

    pattern: Regex
    contains: tuple[str, ...] = Field(min_length=1)

    def compiled(self) -> re.Pattern[bytes]:
        """Return the pattern over bytes."""
        return re.compile(self.pattern.encode())


class Sdk(Frozen):
    """How an SDK is pointed at tidegate; `{base}` stands for the provider's address on the sidecar."""

    python: str | None = None
    node: str | None = None
    env: str | None = None


class Profile(Frozen):
    """Everything tidegate knows about one provider.

    title, docs, notes: for people. dot_segments: whether the provider's paths may hold `.` and `..`.
    strip_headers, strip_query: every place where a credential of this provider can sit; the caller's own
    are removed there. throttled, exhausted, unauthorised: what means which verdict beyond the plain
    statuses (429, none, 401). should_retry: a header by which the provider says true or false.
    resets: read in order, the longest wait counts. request_id: the provider's own id of a call, for the log.
    throttled_means_unprocessed is deliberately absent: a POST is never sent twice without a key.
    """

    title: str = ""
    docs: str = ""
    notes: tuple[str, ...] = ()
    dot_segments: bool = False
    strip_headers: tuple[Lower, ...] = ()
    strip_query: tuple[str, ...] = ()
    throttled: tuple[Rule, ...] = (Rule(status=429),)
    exhausted: tuple[Rule, ...] = ()
    unauthorised: tuple[Rule, ...] = (Rule(status=401),)
    should_retry: Lower | None = None
    resets: tuple[Reset, ...] = (
        Reset(header="retry-after"),
        Reset(header="retry-after-ms", unit="milliseconds"),
    )
    idempotency: Idempotency = Idempotency()
    request_id: Lower | None = None
    secret_patterns: tuple[SecretPattern, ...] = ()
    sdk: Sdk = Sdk()
