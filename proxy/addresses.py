"""Where a provider lies: base URLs, and what fills the braces in their templates."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

BUILTIN_MOCK: Final = "builtin:mock"
_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?")
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")
_VAR: Final = re.compile(r"(?=.{1,512}$)(?!.*[^.]{64})[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*){0,7}")
_AUTHORITY: Final = re.compile(r"[a-z]+://([^/?#]*)")
_DOMAIN: Final = re.compile(r"[^.{}]*(\.[^.{}:]+){2,}(:[0-9]+)?")


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


def parse_var(value: object) -> str:
    """Read what stands for `{name}` in an address: one label or less, or several as in `xy12345.eu-central-1`.

    Several may only stand where `keeps_domain` allows. Raises: ValueError.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _VAR.fullmatch(text):
        raise ValueError("write letters, digits, - and _, such as acme; single dots may stand between")
    return text


def keeps_domain(template: str, name: str) -> bool:
    """Say whether `{name}` may have dots in this template: in the host, only before a domain that is written out."""
    authority = _AUTHORITY.match(template)
    _, brace, rest = authority[1].rpartition(f"{{{name}}}") if authority else ("", "", "")
    return not brace or _DOMAIN.fullmatch(rest.rpartition("}")[2]) is not None


def as_text(kind: type, parse: Callable[[object], Any], *examples: str) -> tuple[Any, ...]:
    """Return the annotations of a value that is written as text and kept parsed."""
    return (
        BeforeValidator(lambda value: value if isinstance(value, kind) else parse(value)),
        PlainSerializer(str, return_type=str),
        WithJsonSchema({"type": "string", "examples": list(examples)}),
    )


BaseUrlSpec = Annotated[BaseUrl, *as_text(BaseUrl, parse_base_url, "https://billing.example.com")]
VarSpec = Annotated[str, BeforeValidator(parse_var)]
