"""What the caller asks of one call by `Tidegate-*` fields; what is not understood is refused, not passed over."""

import difflib
from collections.abc import Callable, Collection
from typing import Final

from proxy.core.call import Call, Headers
from proxy.core.errors import BadRequest, UnknownAccount
from proxy.core.units import parse_duration


def steer(call: Call, fields: Headers, accounts: Collection[str] = ()) -> None:
    """Set what the caller wishes. accounts: those that the provider has.

    Raises: BadRequest for an unknown name, a value not understood, a name twice; UnknownAccount.
    """
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
    if call.account is not None and call.account not in accounts:
        raise _no_account(call, accounts, "names no account of this provider")


def require_account(call: Call, accounts: Collection[str]) -> None:
    """Refuse a call to a provider that has accounts only. Raises: UnknownAccount when the call names none."""
    if call.account is None:
        raise _no_account(call, accounts, "is missing, and this provider has no credential but its accounts'")


def _no_account(call: Call, accounts: Collection[str], what: str) -> UnknownAccount:
    call.account = None  # a name that is not ours stands in no log
    if not accounts:
        return UnknownAccount(f"Tidegate-Account: no accounts are configured for {call.provider}; leave it out")
    return UnknownAccount(f"Tidegate-Account {what}; name one of {', '.join(accounts)}")


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


def _account(call: Call, text: str) -> None:
    call.account = text


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
