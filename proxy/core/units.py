"""Durations, sizes and rates as people write them in YAML."""

import ipaddress
import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")  # bounded: never infinite
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE: Final = re.compile(r"([0-9]{1,12})(B|KiB|MiB|GiB)")
_BYTES: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_RATE: Final = re.compile(r"([0-9]{1,9})\s*/\s*(\S+)")
_LISTEN: Final = re.compile(
    r"unix:(?P<path>/[^\x00-\x1f]*)"
    r"|(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)):(?P<port>[0-9]{1,5})"
)


class Frozen(BaseModel):
    """Base of every configuration model: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


def parse_duration(text: object) -> float:
    """Read a duration such as `250ms`, `3.5s`, `5m`, `1h` or `30d`.

    Returns: seconds.
    Raises: ValueError when the unit is missing or unknown; a bare number is refused because nobody
    can tell its unit.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("not a duration: write a number with its unit, such as 250ms, 30s or 5m")
    return float(match[1]) * _SECONDS[match[2]]


def format_duration(seconds: float) -> str:
    """Write seconds as `parse_duration` reads them, in the largest unit that stays a whole number."""
    for unit in ("d", "h", "m", "s"):
        count = seconds / _SECONDS[unit]
        if count >= 1 and math.isclose(count, round(count), abs_tol=1e-9):
            return f"{round(count)}{unit}"
    return f"{round(seconds * 1000, 3):g}ms" if 0 < seconds < 1 else f"{seconds:g}s"


def parse_size(text: object) -> int:
    """Read a size such as `64KiB` or `1MiB`.

    Returns: bytes.
    Raises: ValueError when the unit is missing or not one of B, KiB, MiB, GiB.
    """
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("not a size: write a whole number with its unit, such as 64KiB or 1MiB")
    return int(match[1]) * _BYTES[match[2]]


def format_size(size: int) -> str:
    """Write bytes as `parse_size` reads them."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}B"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` calls in any window of `window_s` seconds."""

    count: int
    window_s: float

    def __str__(self) -> str:
        return f"{self.count}/{format_duration(self.window_s)}"


def parse_rate(text: object) -> Rate:
    """Read a rate such as `100/1s` or `1000/1h`.

    Raises: ValueError when it is no count per duration, or either of the two is zero.
    """
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("not a rate: write a count per duration, such as 100/1s or 1000/1h")
    rate = Rate(int(match[1]), parse_duration(match[2]))
    if rate.count < 1 or rate.window_s <= 0:
        raise ValueError("not a rate: both the count and the window must be above zero")
    return rate


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a listener waits: `host` and `port` (0: any free one), or the unix socket `path`."""

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def dialled(self) -> str:
        """The host by which this machine reaches it: what stands for every address can't be dialled."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    @property
    def is_local(self) -> bool:
        """Say whether only this machine can reach it."""
        return bool(self.path) or is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Say whether a configured host is `localhost` or a literal loopback address; no name is looked up."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_listen(text: object) -> Listen:
    """Read a listen address: `127.0.0.1:4780`, `[::1]:4780`, `localhost:4780` or `unix:/path`.

    Raises: ValueError for anything else. A unix path is absolute and at most 107 bytes (unix(7)).
    """
    match = _LISTEN.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match["port"] or 0) > 65535:
        raise ValueError("not a listen address: write host:port such as 127.0.0.1:4780, or unix:/path")
    if match["path"]:
        if len(match["path"].encode()) > 107:
            raise ValueError("not a listen address: a unix socket's path has at most 107 bytes")
        return Listen("", 0, match["path"])
    host = (match["ipv6"] or match["host"]).lower()
    if match["ipv6"] or host.replace(".", "").isdigit():
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError("not a listen address: its host is no valid IP address") from None
    return Listen(host, int(match["port"]))


def _unless(kind: type, parse: Any) -> BeforeValidator:
    # A default in a Config class is already the parsed value; only text is parsed.
    return BeforeValidator(lambda value: value if type(value) is kind else parse(value))


Duration = Annotated[
    float,
    _unless(float, parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["250ms", "30s", "5m"]}),
]
"""Seconds as a float; written `250ms`, `30s`, `5m`."""

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_SIZE.pattern}$", "examples": ["64KiB", "1MiB"]}),
]
"""Bytes as an int; written `64KiB`. A default stands as an int because defaults are not validated."""

RateSpec = Annotated[
    Rate,
    _unless(Rate, parse_rate),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+/\d+(ms|s|m|h|d)$", "examples": ["100/1s", "1000/1h"]}),
]
"""A `Rate`; written `100/1s`."""

ListenSpec = Annotated[
    Listen,
    _unless(Listen, parse_listen),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["127.0.0.1:4780", "unix:/run/tidegate.sock"]}),
]
"""A `Listen`; written `host:port` or `unix:/path`."""
