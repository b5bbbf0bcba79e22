"""The sections of the configuration file that concern the whole process and no provider."""

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from proxy.addresses import as_text
from proxy.core.profile import Lower
from proxy.core.secret import SecretRefs
from proxy.core.units import Duration, Frozen, Listen, ListenSpec, Size
from proxy.credentials.scheme import FieldName
from proxy.sansio.hosts import HostRule

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CREDENTIALS: Final = frozenset({
    "authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token",
})  # fmt: skip
_COLLECTOR: Final = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")


@dataclass(frozen=True, slots=True)
class RequiredHeader:
    """A header without which a request is refused. name: lower case. value: None when any will do."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}: {self.value}"


def parse_required_header(text: object) -> RequiredHeader:
    """Read `Name` or `Name: value`; raises ValueError when the name is no field name (RFC 9110 section 5.1)."""
    name, colon, value = text.partition(":") if isinstance(text, str) else ("", "", "")
    if not _TOKEN.fullmatch(name) or not value.isprintable() or (colon and not value.strip()):
        raise ValueError("not a header: write a name, or 'Name: value' in quotes")
    return RequiredHeader(name.lower(), value.strip() if colon else None)


def _host_name(text: str) -> str:
    HostRule([text])
    return text.lower()


def _collector(text: str) -> str:
    if not _COLLECTOR.fullmatch(text):
        raise ValueError("not a collector's address: write http://host:4318 or https://host/path")
    return text.rstrip("/")


def _caller_header(name: str) -> str:
    if not _TOKEN.fullmatch(name) or name in _CREDENTIALS:
        raise ValueError("not a header that can name the caller: write one such as x-caller, and none with a secret")
    return name


RequiredHeaderSpec = Annotated[
    RequiredHeader, *as_text(RequiredHeader, parse_required_header, "X-Tidegate", "X-Tidegate: 1")
]
HostName = Annotated[str, AfterValidator(_host_name)]
CollectorUrl = Annotated[str, AfterValidator(_collector)]
CallerHeader = Annotated[Lower, AfterValidator(_caller_header)]


class Egress(Frozen):
    """The listener that the service calls."""

    listen: ListenSpec = Field(Listen("127.0.0.1", 4780), description="host:port or unix:/path.")
    allow_remote: bool = Field(False, description="Allow addresses that other machines can reach.")
    require_header: RequiredHeaderSpec | None = Field(None, description="Refuse requests without this header.")
    allow_browsers: bool = Field(False, description="Serve requests that come from browser pages.")
    hosts: tuple[HostName, ...] = Field((), description="Further names that callers may put into Host.")
    max_connections: int = Field(1000, ge=1, le=1_000_000, description="Connections served at the same time.")
    header_timeout: Duration = Field(10.0, gt=0, description="Time in which a request's head must arrive.")
    idle_timeout: Duration = Field(75.0, gt=0, description="Time after which an idle connection is closed.")
    body_timeout: Duration = Field(30.0, gt=0, description="Longest wait for the next piece of a request body.")
    replay_limit: Size = Field(64 * 1024, description="Request bytes kept so that an attempt can be repeated.")
    reuse_port: bool = Field(False, description="Let a second process listen too, to hand over without a gap.")


class Admin(Frozen):
    """The listener with health, metrics, console and live state."""

    listen: ListenSpec = Field(Listen("127.0.0.1", 4781), description="host:port or unix:/path.")
    hosts: tuple[HostName, ...] = Field((), description="Further names that callers may put into Host.")
    token: SecretRefs | None = Field(None, description="What actions ask for; without it there are none.")
    protect: Literal["actions", "all"] = Field(
        "actions", description="What asks for the token: actions, or all but the probes and /metrics."
    )
    recent_calls: int = Field(512, ge=0, le=100_000, description="Calls kept to look at; 0 keeps none.")

    @model_validator(mode="after")
    def _something_to_ask_for(self) -> Self:
        if self.protect == "all" and self.token is None:
            raise ValueError("protect: all lets nobody in without a token: write one such as env:TIDEGATE_ADMIN_TOKEN")
        return self


class Sampling(Frozen):
    """Which of many successful calls get a line; failures, refusals and state changes always do."""

    first: int = Field(100, ge=0, description="Lines of a second that are written in any case.")
    every: int = Field(100, ge=1, description="Beyond those, one line of so many is written.")


class Log(Frozen):
    """What the log looks like, and what it may hold beyond the usual."""

    format: Literal["json", "console"] = Field("json", description="JSON lines, or short lines for people.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least important line written.")
    headers: tuple[Lower, ...] = Field((), description="Request and answer headers whose values may be logged.")
    query: tuple[str, ...] = Field((), description="Query parameters whose values may be logged.")
    file: str | None = Field(None, min_length=1, description="Where to write; standard output if absent.")
    sample: Sampling | None = Field(None, description="Thins out the lines of successful calls under load.")


class Audit(Frozen):
    """One record per call and per action, chained by hashes, in a file of its own."""

    file: str = Field(min_length=1, description="Where to append; older parts become FILE.1, FILE.2 and so on.")
    max_size: Size = Field(100 * 1024 * 1024, ge=64 * 1024, description="Size at which a new part begins.")
    keep: int = Field(10, ge=1, le=10_000, description="Older parts that are kept.")
    caller: CallerHeader | None = Field(None, description="Request header that names the caller.")
    key: SecretRefs | None = Field(None, description="Makes the chain an HMAC, which needs the key to forge.")


class Tracing(Frozen):
    """Spans for OpenTelemetry, over OTLP and HTTP."""

    endpoint: CollectorUrl = Field(description="The collector, such as http://127.0.0.1:4318.")
    sample: float = Field(0.0, ge=0, le=1, description="Share of calls traced that come without a trace.")
    service: str = Field("tidegate", min_length=1, description="The spans' service.name.")
    headers: dict[FieldName, SecretRefs] = Field({}, description="Headers that the collector asks for; whole values.")
    allow_cleartext: bool = Field(False, description="Allow http:// to a collector on another machine.")


class SecretReading(Frozen):
    """How secrets are read that neither a file nor a variable holds."""

    exec: bool = Field(False, description="Allow exec: references, which run a command for a secret.")
    exec_timeout: Duration = Field(10.0, gt=0, le=60, description="Time after which such a command is ended.")
    exec_ttl: Duration = Field(300.0, ge=1, description="Time after which it is run again.")
