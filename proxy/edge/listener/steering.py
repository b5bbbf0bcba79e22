"""What the caller asks of one call by `Tidegate-*` fields; what is not understood is refused, not passed over."""

import difflib
from collections.abc import Callable
from typing import Final

from proxy.core.call import Call, Headers
from proxy.core.errors import BadRequest
from proxy.core.units import parse_duration


def steer(call: Call, fields: Headers) -> None:
    """Set what the caller wishes. Raises: BadRequest for an unknown name, a value not understood, a name twice."""
    seen: set[bytes] = set()
    for name, value in fields:
        key = name.lower()
        take = _WISHES.get(key)
        if take is None:
            raise BadRequest(f"this Tidegate-* header is not known; the nearest known one is {_nearest(key)}")
        if key in seen:
            raise BadRequest(f"{_NAMES[key]} stands twice in the request; send it once")
        seen.add(key)
        take(call, value.decode("latin-1"))


def _timeout(call: Call, text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise BadRequest(f"Tidegate-Timeout is {error}") from None
    if seconds <= 0:
        raise BadRequest("Tidegate-Timeout must be above zero")
    call.deadline_at = call.record.started_at + seconds


def _retry(call: Call, text: str) -> None:
    if text != "off":
        raise BadRequest("Tidegate-Retry takes the value off")
    call.retry = False


def _priority(_: Call, text: str) -> None:
    if text not in ("interactive", "batch"):
        raise BadRequest("Tidegate-Priority takes the values interactive and batch")


def _account(call: Call, _: str) -> None:
    raise BadRequest(f"Tidegate-Account: no accounts are configured for {call.provider}")


def _cache(_: Call, text: str) -> None:
    if text != "off":
        raise BadRequest("Tidegate-Cache takes the value off")


_WISHES: Final[dict[bytes, Callable[[Call, str], None]]] = {
    b"tidegate-timeout": _timeout,
    b"tidegate-retry": _retry,
    b"tidegate-priority": _priority,  # nothing ranks calls yet, nor keeps replies; a wish that holds anyway is no error
    b"tidegate-account": _account,
    b"tidegate-cache": _cache,
}
_NAMES: Final = {key: key.decode().title() for key in _WISHES}
_LONGEST: Final = 32  # characters compared; a stranger's name may have 16 KiB


def _nearest(key: bytes) -> str:
    written = key[:_LONGEST].decode("latin-1").title()
    return difflib.get_close_matches(written, _NAMES.values(), n=1, cutoff=0.0)[0]
