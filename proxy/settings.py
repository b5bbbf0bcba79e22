"""The configuration file as models: every section, key and default of it, and the only place that lists them."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    create_model,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from proxy.core.call import Policy
from proxy.core.profile import Lower, Profile
from proxy.core.units import Duration, Frozen, Listen, ListenSpec, Size
from proxy.edge.upstream.pool import PoolConfig
from proxy.sansio.hosts import HostRule
from proxy.stack import PER_CALL, PER_UPSTREAM

BUILTIN_MOCK: Final = "builtin:mock"
RESERVED: Final = frozenset({"tidegate"})
PROVIDER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?")
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """Where a provider lies. host: lower case, without brackets. prefix: put before every path, no final slash."""

    scheme: Literal["https", "http", "builtin"]
    host: str
    port: int
    prefix: str = ""

    def __str__(self) -> str:
        if self.scheme == "builtin":
            return BUILTIN_MOCK
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.prefix}"


_PORTS: Final = {"https": 443, "http": 80}


def parse_base_url(text: object) -> BaseUrl:
    """Read a provider's base URL: scheme, host, port and path prefix, nothing else (RFC 3986).

    Raises: ValueError, whose message repeats no part of the URL, because userinfo and query hold secrets.
    """
    if text == BUILTIN_MOCK:
        return BaseUrl("builtin", "mock", 0)
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("not a base URL: write https://host/prefix")
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise ValueError("not a base URL: its host or port is not valid; write https://host:port") from None
    scheme: Literal["https", "http"] = "http" if parts.scheme == "http" else "https"
    if parts.scheme not in _PORTS or not text.partition(":")[2].startswith("//"):
        raise ValueError("not a base URL: it begins with https://")
    if "@" in parts.netloc:
        raise ValueError("holds a user name or password; write it without, and put the secret into credential")
    if "?" in text or "#" in text:
        raise ValueError("holds a query or fragment; write scheme, host and path only")
    if not (_is_ipv6(host) if "[" in parts.netloc else _HOST.fullmatch(host) and len(host) <= 253):
        raise ValueError("not a base URL: its host is not valid; write https://host")
    prefix = parts.path.rstrip("/")
    if not _PREFIX.fullmatch(prefix) or any(part in {".", ".."} for part in prefix.split("/")):
        raise ValueError("not a base URL: its path is not valid; write plain segments such as /v2")
    if port == 0:
        raise ValueError("not a base URL: port 0 can't be dialled")
    return BaseUrl(scheme, host, port or _PORTS[scheme], prefix)


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.IPv6Address(text).scope_id is None
    except ValueError:
        return False


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


def _provider_name(text: str) -> str:
    if not PROVIDER_NAME.fullmatch(text) or text in RESERVED:
        raise ValueError(
            "not a provider name: write small letters, digits and hyphens, beginning with no hyphen"
            " (it is a path and a host label); tidegate is reserved"
        )
    return text


def _text(kind: type, parse: Callable[[object], Any], *examples: str) -> tuple[Any, ...]:
    """Make the annotations of a value that is written as text and kept parsed."""
    return (
        BeforeValidator(lambda value: value if isinstance(value, kind) else parse(value)),
        PlainSerializer(str, return_type=str),
        WithJsonSchema({"type": "string", "examples": list(examples)}),
    )


BaseUrlSpec = Annotated[BaseUrl, *_text(BaseUrl, parse_base_url, "https://billing.example.com")]
RequiredHeaderSpec = Annotated[
    RequiredHeader, *_text(RequiredHeader, parse_required_header, "X-Tidegate", "X-Tidegate: 1")
]
HostName = Annotated[str, AfterValidator(_host_name)]
ProviderName = Annotated[str, AfterValidator(_provider_name)]


class OrOff:
    """Lets a section be `off` instead of a mapping; YAML reads that word as false."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let False through, and leave everything else to the section's model."""
        return core_schema.no_info_wrap_validator_function(
            lambda value, inner: False if value is False else inner(value), handler(source)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Offer the words by which editors and YAML 1.2 spell it."""
        return {"anyOf": [handler(schema), {"enum": [False, "off"], "description": "Leaves the policy out."}]}


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


class Admin(Frozen):
    """The listener with health, metrics and live state."""

    listen: ListenSpec = Field(Listen("127.0.0.1", 4781), description="host:port or unix:/path.")
    hosts: tuple[HostName, ...] = Field((), description="Further names that callers may put into Host.")


class Log(Frozen):
    """What the log looks like, and what it may hold beyond the usual."""

    format: Literal["json", "console"] = Field("json", description="JSON lines, or short lines for people.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least important line written.")
    headers: tuple[Lower, ...] = Field((), description="Request headers whose values may be logged.")
    query: tuple[str, ...] = Field((), description="Query parameters whose values may be logged.")
    file: str | None = Field(None, min_length=1, description="Where to write; standard output if absent.")


class Upstream(Frozen):
    """What a provider's entry holds besides one key per policy; `Provider` adds those."""

    preset: str | None = Field(None, description="Catalogue entry beneath this one, where the key names none.")
    base_url: BaseUrlSpec = Field(description="https://host/prefix; http:// for this machine only.")
    listen: ListenSpec | None = Field(None, description="A port of its own, for SDKs that take no path.")
    allow_private: bool = Field(False, description="Allow host names that resolve to private addresses.")
    allow_cleartext: bool = Field(False, description="Allow http:// to other machines.")
    trace: Literal["restart", "pass"] = Field("restart", description="What becomes of the caller's traceparent.")
    pool: PoolConfig = Field(PoolConfig(), description="The connections to this provider.")
    profile: Profile = Field(Profile(), description="What this provider is: facts, not wishes.")

    def section(self, name: str) -> Any:
        """Return the Config of the policy `name`, or False where it is off."""
        return getattr(self, name)


def _section(policy: type[Policy]) -> tuple[Any, Any]:
    config: Any = policy.Config  # a model, or a union of them
    if isinstance(config, type) and not any(field.is_required() for field in policy.Config.model_fields.values()):
        return Annotated[config, OrOff()], policy.Config()
    return Annotated[config, OrOff()], False  # nothing can be assumed: a credential needs at least a reference


if TYPE_CHECKING:
    Provider = Upstream  # mypy can't see the keys that the policies bring; `section` reads them
else:
    Provider = create_model(
        "Provider",
        __base__=Upstream,
        __doc__="One provider: where it lies, and every policy on the way to it.",
        **{policy.section: _section(policy) for policy in PER_CALL + PER_UPSTREAM},
    )


class Settings(Frozen):
    """The whole file."""

    egress: Egress = Field(Egress(), description="The listener that the service calls.")
    admin: Admin = Field(Admin(), description="The listener with health, metrics and live state.")
    log: Log = Field(Log(), description="What the log looks like.")
    drain_timeout: Duration = Field(25.0, description="Time that calls in flight get to end at shutdown.")
    drain_delay: Duration = Field(0.0, description="Time between failing readiness and closing the listeners.")
    providers: dict[ProviderName, Provider] = Field({}, description="The APIs behind tidegate, by name.")
