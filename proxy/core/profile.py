"""What a provider is: facts about it, as data. The catalogue fills these; a user may override them."""

import re
from datetime import date
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from proxy.core.units import Frozen, RateSpec

Lower = Annotated[str, AfterValidator(str.lower)]
"""A header field name; compared in lower case."""

_TEMPLATE = re.compile(r"/(?:[^{}*?#]|\{[a-z_]+\})*\*?")
_LABEL: Final = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_PORT: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?")


def _compilable(pattern: str) -> str:
    try:
        re.compile(pattern.encode())
    except (re.error, OverflowError, RecursionError) as error:  # none is a ValueError, which pydantic would report
        raise ValueError(f"not a regular expression: {error}") from None
    return pattern


def parse_template(text: str) -> str:
    """Return a path template as it is. Raises: ValueError when it is none."""
    if not _TEMPLATE.fullmatch(text):
        raise ValueError(
            "not a path template: write /fixed/{one_segment}/parts, * at the end for any rest, and no query"
        )
    return text


def _host_port(text: str) -> str:
    if not _HOST_PORT.fullmatch(text):
        raise ValueError(
            "not a host name: write it without scheme and path, such as files.example.com or a.example:8443"
        )
    return text.lower()


Regex = Annotated[str, AfterValidator(_compilable)]
"""A regular expression in Python's syntax, over bytes; a broken one is a configuration error."""

Template = Annotated[str, AfterValidator(parse_template)]
"""A path in which `{name}` stands for one segment and a final `*` for any rest; without the query."""

HostPort = Annotated[
    str, AfterValidator(_host_port), WithJsonSchema({"type": "string", "pattern": f"^{_HOST_PORT.pattern}$"})
]
"""A host name, and a port where URLs name one: `storage.example.com`, `files.example.com:8443`."""

FieldPath = Annotated[str, Field(pattern=r"^[^.\[\]]*(\[\])?(\.[^.\[\]]+(\[\])?)*$", min_length=1)]
"""A place in a JSON document: `error.code`, `links[].href` (every element), `[].properties.token` (a list on top)."""


class Rule(Frozen):
    """Matches an answer by its status and, when given, by one of header, field and body.

    field: a place in a JSON body. body: searched in the first 16 KiB. equals, matches: the whole value of header
    or field, without regard to case, or a pattern found in it; neither: it need only be there.
    """

    status: int = Field(ge=100, le=599)
    header: Lower | None = None
    field: FieldPath | None = None
    body: Regex | None = None
    equals: str | None = None
    matches: Regex | None = None

    @property
    def reads_body(self) -> bool:
        """Whether the answer's body is needed to tell."""
        return self.field is not None or self.body is not None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if sum(place is not None for place in (self.header, self.field, self.body)) > 1:
            raise ValueError("write one of header, field and body; for two conditions write the stricter one")
        if self.equals is not None and self.matches is not None:
            raise ValueError("write equals or matches, not both")
        return self


class Reset(Frozen):
    """A header that tells when the provider accepts calls again, and how to read it.

    unit: `seconds` and `milliseconds` are waits; `epoch` and `epoch_ms` are instants; `date` is an HTTP
    date, `rfc3339` an ISO one; `duration` is a text such as 6m0s; `auto` takes seconds or an HTTP date.
    when_zero: another header that must be 0 for this one to count (the exhausted dimension).
    """

    header: Lower
    unit: Literal["auto", "seconds", "milliseconds", "epoch", "epoch_ms", "date", "rfc3339", "duration"] = "auto"
    when_zero: Lower | None = None


class Operation(Frozen):
    """Some of a provider's calls. methods: in capitals. path: a template."""

    methods: tuple[str, ...] = ("POST",)
    path: Template = "/*"


class Idempotency(Frozen):
    """The key by which this provider recognises a repeated call, and the calls where it counts.

    header, field, query: where the key stands; one of them, or none when the provider knows no key. field: at the
    top of a JSON body. methods, paths: the calls that take one; no path: all. mint: whether tidegate makes a key
    where the caller sent none. max_length: characters. retention: how long the provider remembers, for people.
    """

    header: Lower | None = "idempotency-key"
    field: str | None = None
    query: str | None = None
    methods: tuple[str, ...] = ("POST", "PATCH")
    paths: tuple[Template, ...] = ()
    mint: bool = False
    max_length: int = Field(default=255, ge=16)
    retention: str = ""


class SecretPattern(Frozen):
    """The shape of this provider's secrets. `contains`: texts of which at least one is in every match;
    they are searched first, because that is many times cheaper than the pattern.
    """

    pattern: Regex
    contains: tuple[str, ...] = Field(min_length=1)

    def compiled(self) -> re.Pattern[bytes]:
        """Return the pattern over bytes."""
        return re.compile(self.pattern.encode())


class Tested(Frozen):
    """The versions of the SDKs with which the lines of `Sdk` were run."""

    python: str | None = None
    node: str | None = None


class Sdk(Frozen):
    """How an SDK is pointed at tidegate; `{base}` stands for the provider's address on the sidecar.

    placeholder: what the SDK must be given in place of the secret, and where it may not be any text.
    """

    python: str | None = None
    node: str | None = None
    env: str | None = None
    placeholder: str = "placeholder"
    tested: Tested = Tested()


class Urls(Frozen):
    """Absolute URLs in answers that lead back to the provider, and so past the sidecar.

    headers: fields that hold them. fields: places in JSON bodies. hosts: further host names that mean this provider.
    """

    headers: tuple[Lower, ...] = ("link", "location", "content-location")
    fields: tuple[FieldPath, ...] = ()
    hosts: tuple[HostPort, ...] = ()


class Version(Frozen):
    """The header by which a caller chooses the API's version; tidegate adds none."""

    header: Lower
    value: str


class Published(Frozen):
    """A limit that the provider publishes. what: whom and what it counts."""

    limit: RateSpec
    what: str


class Webhook(Frozen):
    """How this provider signs what it sends. scheme: the recipe's name. dedupe: header, or body field, that names an
    event. tolerance: seconds that a signature stays good, None where it has no time.
    """

    scheme: str
    header: Lower | None = None
    timestamp: Lower | None = None
    tolerance: int | None = None
    dedupe: str | None = None
    docs: str = ""


class Verified(Frozen):
    """When and how a block of the profile was last compared with its source."""

    date: date
    how: str


class Profile(Frozen):
    """Everything tidegate knows about one provider.

    title, docs, status_page, notes: for people. unverified: what is assumed without a good source. verified: by block.
    unsupported: why tidegate can't serve this provider yet; then a configuration that names it is refused.
    hosts: further addresses by name (`eu`, `sandbox`), chosen with `host:`; `{name}` in one is filled from `vars:`.
    dot_segments: whether the provider's paths may hold `.` and `..`.
    strip_headers, strip_query: every place where a credential of this provider can sit; the caller's own
    are removed there. throttled, exhausted, unauthorised, failed, refused: what means which verdict beyond the plain
    statuses (429, none, 401, 5xx, 4xx). renewal: when a quota comes back, where no header tells.
    should_retry: a header by which the provider says true or false, and by which its SDKs can be told to stop.
    resets: read in order, the longest wait counts. published: limits. request_id: the provider's own id of a call,
    for the log. attempt_header: by which an SDK tells how often it has tried. repeatable: POSTs that only read.
    paths: templates, so that a log line shows `/v1/charges/{id}`. secret_paths: templates whose `{secret}` is one.
    sensitive_query, sensitive_fields: what holds a secret or personal data, and is never shown.
    pass_headers: answer fields without which an SDK does not work. token_path: where SDKs fetch access tokens; they
    get a placeholder there, because tidegate fetches the real one.
    throttled_means_unprocessed is deliberately absent: a POST is never sent twice without a key.
    """

    title: str = ""
    docs: str = ""
    status_page: str = ""
    notes: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    verified: dict[str, Verified] = {}
    unsupported: str = ""
    hosts: dict[str, str] = {}
    version: Version | None = None
    dot_segments: bool = False
    strip_headers: tuple[Lower, ...] = ()
    strip_query: tuple[str, ...] = ()
    throttled: tuple[Rule, ...] = (Rule(status=429),)
    exhausted: tuple[Rule, ...] = ()
    unauthorised: tuple[Rule, ...] = (Rule(status=401),)
    failed: tuple[Rule, ...] = ()
    refused: tuple[Rule, ...] = ()
    renewal: Literal["utc_day", "utc_month"] | None = None
    should_retry: Lower | None = None
    resets: tuple[Reset, ...] = (
        Reset(header="retry-after"),
        Reset(header="retry-after-ms", unit="milliseconds"),
    )
    published: tuple[Published, ...] = ()
    idempotency: Idempotency = Idempotency()
    repeatable: tuple[Operation, ...] = ()
    request_id: Lower | None = None
    attempt_header: Lower | None = None
    paths: tuple[Template, ...] = ()
    secret_paths: tuple[Template, ...] = ()
    sensitive_query: tuple[str, ...] = ()
    sensitive_fields: tuple[str, ...] = ()
    secret_patterns: tuple[SecretPattern, ...] = ()
    pass_headers: tuple[Lower, ...] = ()
    urls: Urls = Urls()
    token_path: Template | None = None
    webhook: Webhook | None = None
    sdk: Sdk = Sdk()
