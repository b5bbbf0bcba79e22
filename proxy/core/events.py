"""What happens, as frozen dataclasses. To add one: a class here, a case in `edge/observe/metrics.py`."""

from dataclasses import dataclass
from typing import Literal

from proxy.core.call import Call, Reply
from proxy.core.errors import Source


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is over: answered, failed or abandoned.

    provider: configured name, `-` when the request named none. reply: None when the caller left before
    one. reason: the error's reason, empty for a provider's answer. ended_at: monotonic instant.
    error: what cut a body short after its head had gone out, empty otherwise.
    """

    provider: str
    call: Call
    reply: Reply | None
    source: Source
    reason: str
    ended_at: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """Another attempt follows. cause: `connect`, `dropped`, `timeout`, `throttled`, or the status as text.

    account: whose leg it is, here and below; "" for the provider's own.
    """

    provider: str
    cause: str
    attempt: int
    wait_s: float
    account: str = ""


@dataclass(frozen=True, slots=True)
class RetryDenied:
    """An attempt that would have helped was not made. why: `budget`, `wait_too_long`."""

    provider: str
    why: Literal["budget", "wait_too_long"]
    account: str = ""


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """The breaker moved. until_s: seconds until the next probe, 0 unless open."""

    provider: str
    old: str
    new: str
    why: str
    until_s: float
    account: str = ""


@dataclass(frozen=True, slots=True)
class PauseStarted:
    """The provider asked us to stop for `seconds`.

    hinted: by a header, not by our own default. why: `exhausted` for a hold, because a quota is used up.
    """

    provider: str
    seconds: float
    hinted: bool
    why: Literal["throttled", "exhausted"] = "throttled"
    account: str = ""


@dataclass(frozen=True, slots=True)
class WouldRefuse:
    """A policy in `mode: report` let a call pass that it would have refused."""

    provider: str
    section: str
    reason: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class SecretRead:
    """A secret was read again. result: `loaded`, `unchanged` is never told, `failed` keeps the last good one."""

    provider: str
    ref: str
    result: Literal["loaded", "failed"]
    problem: str = ""
    account: str = ""


Which = Literal["only", "new", "old"]
"""A live secret: the only one, or of two the new one or the one that it replaces."""


@dataclass(frozen=True, slots=True)
class CredentialHeld:
    """The provider refuses a credential, and it is left alone for `seconds`.

    secret: where two are live, the other one is used meanwhile. refusals: in a row.
    """

    provider: str
    account: str
    secret: Which
    refusals: int
    seconds: float


@dataclass(frozen=True, slots=True)
class TokenFetched:
    """An access token was fetched or minted. result: `failed` keeps the former one while it is valid.

    problem: why it failed, without any part of an answer that could hold a secret. expires_in_s: of the new token.
    """

    provider: str
    account: str
    result: Literal["fetched", "failed"]
    expires_in_s: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ConfigRead:
    """The configuration was read again. result: `loaded`, or `refused` with the problems."""

    result: Literal["loaded", "refused"]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acted:
    """Somebody used the admin listener to change something.

    provider: "" where it concerns them all. action: such as `breaker.open`, `reload`. result: `refused` when the token
    was missing or wrong, `failed` with the problem. peer: the address that it came from. value: what the action was
    given, such as a level.
    """

    provider: str
    action: str
    result: Literal["done", "refused", "failed"]
    peer: str
    account: str = ""
    value: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request was refused before it became a call (malformed bytes, too many connections)."""

    reason: str
    status: int


@dataclass(frozen=True, slots=True)
class DrainStarted:
    """tidegate is going down: readiness fails, calls in flight may end within `timeout_s`."""

    in_flight: int
    timeout_s: float


Event = (
    CallEnded | RetryScheduled | RetryDenied | BreakerChanged | PauseStarted | WouldRefuse | SecretRead
    | CredentialHeld | TokenFetched | ConfigRead | Acted | RequestRefused | DrainStarted
)  # fmt: skip
