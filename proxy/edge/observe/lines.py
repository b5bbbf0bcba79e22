"""From an event to the fields of its log line: the allow-list of what a line may hold."""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal, get_args

from proxy.core.call import Call, Headers, Reply
from proxy.core.events import (
    Acted,
    BreakerChanged,
    CallEnded,
    ConfigRead,
    CredentialHeld,
    Event,
    PauseStarted,
    RetryDenied,
    RetryScheduled,
    SecretRead,
    TokenFetched,
)
from proxy.core.profile import Profile
from proxy.core.record import Attempt, Note, Record
from proxy.edge.observe.reasons import outcome_of
from proxy.sansio.masking import PathMask

Level = Literal["debug", "info", "warning", "error"]
Line = dict[str, object]

SEVERITY: Final[Mapping[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# Whoever puts these on the allow-list has not thought of what they hold.
_NEVER: Final = frozenset({b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"})
_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")  # a provider that sends back what it was sent writes no id


_ATTEMPT: Final = re.compile(rb"[A-Za-z0-9=;,. _-]{1,32}")  # such as 2, and attempt=2; max=3

_WAITS: Final = ("queue", "limiter", "backoff")
_PHASES: Final = ("dns", "connect", "tls", "body")
_ATTEMPT_PHASES: Final = ("dns", "connect", "tls", "first_byte")


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a provider's profile says about its calls' lines. request_id, attempt: fields' names, in lower case."""

    request_id: bytes | None
    attempt: bytes | None
    path: PathMask


class Lines:
    """Decides what the log says about an event.

    headers: names of header fields that may be shown. query: query keys whose values may be shown.
    """

    def __init__(self, headers: Iterable[str] = (), query: Iterable[str] = ()) -> None:
        self._shown = frozenset(name.lower().encode() for name in headers) - _NEVER
        self._query = frozenset(query)
        self._known: Mapping[str, _Facts] = {}
        self._unknown = self._facts(Profile())
        self._instant = (-1, "")  # the last millisecond and its text; a tuple, because other threads write lines too

    def configure(self, profiles: Mapping[str, Profile]) -> None:
        """Learn the providers' profiles: their own ids of a call, their SDKs' attempts, their paths."""
        self._known = {provider: self._facts(profile) for provider, profile in profiles.items()}

    def _facts(self, profile: Profile) -> _Facts:
        names = (profile.request_id, profile.attempt_header)
        request_id, attempt = (None if name is None else name.encode() for name in names)
        return _Facts(request_id, attempt, PathMask(profile, self._query))

    def of(self, event: Event, ts: float, level: Level) -> Line:
        """Return the fields of the event's line; `ts` in unix seconds."""
        if isinstance(event, CallEnded):
            return self._call(event, ts, level)
        kind = type(event)
        line: Line = {"ts": self.timestamp(ts), "level": level, "event": _NAMES[kind]}
        for name in _FIELDS[kind]:
            value = getattr(event, name)
            if value == "" and name == "account":
                continue  # the provider's own
            line[name] = round(value, 3) if isinstance(value, float) else value
        return line

    def timestamp(self, ts: float) -> str:
        """Write unix seconds as RFC 3339 in UTC with milliseconds."""
        instant = int(ts * 1000)
        known, text = self._instant
        if instant != known:
            second, millis = divmod(instant, 1000)
            text = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{millis:03}Z"
            self._instant = (instant, text)
        return text

    def _call(self, event: CallEnded, ts: float, level: Level) -> Line:
        call, reply = event.call, event.reply
        record = call.record
        facts = self._known.get(event.provider, self._unknown)
        line: Line = {
            "ts": self.timestamp(ts),
            "level": level,
            "event": "call",
            "request_id": call.request_id,
            "provider": event.provider,
            "method": call.method,
            "path": facts.path(call.target),
            "status": None if reply is None else reply.status,
            "source": event.source,
            "reason": event.reason,
            "attempts": record.attempts,
            "outcome": outcome_of(event),
            "duration_ms": int((event.ended_at - record.started_at) * 1e6 + 0.5) / 1e3,
            "overhead_ms": int(record.overhead_s(event.ended_at) * 1e6 + 0.5) / 1e3,
            "upstream_ms": int(record.upstream_s * 1e6 + 0.5) / 1e3,
            "first_byte_ms": int(record.first_byte_s * 1e6 + 0.5) / 1e3,
            "request_bytes": record.request_bytes,
            "response_bytes": record.response_bytes,
        }
        if record.receive_s:
            line["receive_ms"] = _ms(record.receive_s)
        if record.queue_s or record.limiter_s or record.backoff_s:
            line.update({f"{name}_ms": _ms(getattr(record, f"{name}_s")) for name in _WAITS})
            if record.attempts:
                line["attempt_ms"] = _ms(record.attempt_at - record.started_at)  # else the last one began at once
        if record.connect_s or record.body_s:  # neither a new connection nor a body that came later: all are zero
            line.update({f"{name}_ms": _ms(getattr(record, f"{name}_s")) for name in _PHASES})
        if event.error:
            line["error"] = event.error
        if call.trace is not None:
            line["trace_id"] = call.trace.trace_id
        if record.notes or record.earlier:
            _add_story(line, record)
        self._add_names(line, facts, call, reply)
        return line

    def _add_names(self, line: Line, facts: _Facts, call: Call, reply: Reply | None) -> None:
        if call.account is not None:
            line["account"] = call.account
        if call.minted_key:
            line["idempotency_key"] = call.minted_key
        if facts.attempt is not None:
            _add(line, "sdk_attempt", call.headers, facts.attempt, _ATTEMPT)
        if reply is not None:
            if facts.request_id is not None:
                _add(line, "provider_request_id", reply.headers, facts.request_id, _ID)
            if self._shown:
                line["headers"] = {"request": self._allowed(call.headers), "response": self._allowed(reply.headers)}

    def _allowed(self, headers: Headers) -> list[tuple[str, str]]:
        shown = self._shown
        return [(_text(name), _text(value)) for name, value in headers if name.lower() in shown]


def level_of(event: Event) -> Level:
    """Decide how loud an event is: a cut stream or a refused credential is an error, a failure or refusal a warning."""
    if type(event) is CallEnded:  # first and by type, because it comes with every call
        if event.error:
            return "error"
        reply = event.reply
        return "warning" if reply is not None and (reply.status >= 500 or event.reason) else "info"
    match event:
        case RetryScheduled():
            return "debug"
        case CredentialHeld():  # an open breaker closes again by itself; this needs somebody
            return "error"
        case (
            BreakerChanged(new="open")
            | Acted()
            | ConfigRead(result="refused")
            | PauseStarted()
            | RetryDenied()
            | SecretRead(result="failed")
        ):
            return "warning"
        case TokenFetched(problem=problem) if problem:  # failed, or the refresh token that came with it is not kept
            return "warning"
        case _:
            return "info"


def _add_story(line: Line, record: Record) -> None:
    if record.earlier:
        line["earlier"] = [_attempt(attempt) for attempt in record.earlier]
    if record.notes:
        line["notes"] = [_note(note) for note in record.notes]


def _attempt(attempt: Attempt) -> Line:
    told: Line = {
        "at_ms": _ms(attempt.at_s),
        "duration_ms": _ms(attempt.duration_s),
        "status": attempt.status,
        "cause": attempt.cause,
        "wait_ms": _ms(attempt.wait_s),
    }
    for phase in _ATTEMPT_PHASES:
        seconds = getattr(attempt, f"{phase}_s")
        if seconds > 0.0:
            told[f"{phase}_ms"] = _ms(seconds)
    return told


def _note(note: Note) -> Line:
    return {"at_ms": _ms(note.at_s), "section": note.section, "text": note.text}


def _add(line: Line, key: str, headers: Headers, wanted: bytes, sane: re.Pattern[bytes]) -> None:
    for name, value in headers:
        if name.lower() == wanted and sane.fullmatch(value):
            line[key] = value.decode()
            return


def _text(raw: bytes) -> str:
    # UTF-8 stays as it is, so that the redactor finds a secret with an umlaut in it; the rest becomes \xff.
    return raw.decode("utf-8", "backslashreplace")


def _ms(seconds: float) -> float:
    return int(seconds * 1e6 + 0.5) / 1e3  # half the time of round(), and as short in the log


def _snake(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")


_NAMES: Final[Mapping[type, str]] = {kind: _snake(kind.__name__) for kind in get_args(Event)}
_FIELDS: Final[Mapping[type, tuple[str, ...]]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in get_args(Event)
}
