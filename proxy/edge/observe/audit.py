"""The audit log: one record for each call to a provider and for each action of an operator, in a chain of hashes."""

import logging
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import orjson

from proxy import __version__
from proxy.core.call import Call, field_value
from proxy.core.events import Acted, CallEnded, Event
from proxy.core.profile import Profile
from proxy.core.secret import SecretSlot
from proxy.edge.observe.console import printable
from proxy.edge.observe.ledger import Ledger
from proxy.edge.observe.lines import Lines
from proxy.edge.observe.writer import Writer
from proxy.sansio.chain import Digest, sha256

_GATHER_S: Final = 0.1
_CLOSE_S: Final = 2.0
_LONGEST_NAME: Final = 128
_UNNAMED: Final = "-"  # the provider of a call that named none

_OF_CALL: Final = (
    "account", "provider", "method", "path", "status", "source", "reason", "outcome", "attempts", "request_bytes",
    "response_bytes", "request_id", "provider_request_id", "idempotency_key", "error",
)  # fmt: skip
"""What a record has of a call's log line."""

_OF_ACTION: Final = ("action", "provider", "account", "value", "result", "peer", "problem")


class Settings(Protocol):
    """The `audit:` section."""

    @property
    def file(self) -> str:
        """Where records go."""

    @property
    def max_size(self) -> int:
        """Bytes after which a new part begins."""

    @property
    def keep(self) -> int:
        """Older parts that are kept."""

    @property
    def caller(self) -> str | None:
        """The request header that names the caller, in lower case."""


class Audit:
    """Hands records to a thread of its own, which chains and writes them; what it can't take is counted.

    redact: takes every secret out. wall: unix seconds. records: how many are in the file.
    Raises: OSError, ValueError as `Ledger` does. Nothing later blocks or raises.
    """

    def __init__(self, settings: Settings, redact: Callable[[bytes], bytes], wall: Callable[[], float]) -> None:
        self.records = 0
        self._redact = redact
        self._wall = wall
        self._run = secrets.token_hex(4)
        self._caller: bytes | None = None
        self._keys: Sequence[SecretSlot] | None = None
        self._lines = Lines()
        self._problem = ""
        self._told = 0  # lost records that a mark in the file tells of
        self._ledger = Ledger(settings.file, settings.max_size, settings.keep)
        self._writer = Writer(self._write, linger_s=_GATHER_S)

    @property
    def dropped(self) -> int:
        """Records that are not in the file: it could not be written, or not fast enough."""
        return self._writer.dropped

    def configure(self, settings: Settings, profiles: Mapping[str, Profile], keys: Iterable[SecretSlot]) -> None:
        """Take new settings, the providers' profiles by name, and the key's slots; the first time, begin."""
        self._ledger.max_bytes, self._ledger.keep = settings.max_size, settings.keep
        self._caller = None if settings.caller is None else settings.caller.encode()
        self._lines.configure(profiles)
        begins = self._keys is None
        self._keys = tuple(keys)
        if begins:
            digest = "hmac-sha256" if self._keys else "sha256"
            self._put("began", {"version": __version__, "digest": digest})

    def observe(self, event: Event) -> None:
        """Record a call to a provider, or an action."""
        if isinstance(event, CallEnded):
            if event.provider != _UNNAMED:
                self._put("call", self._of_call(event))
        elif isinstance(event, Acted):
            known = {name: getattr(event, name) for name in _OF_ACTION}
            self._put("action", {name: value for name, value in known.items() if value})

    def close(self) -> bool:
        """Write what waits, up to 2 s; False when the disk is too slow for that."""
        self._put("ended", {})
        done = self._writer.close(_CLOSE_S)
        if done:
            self._ledger.close()
        return done

    def _of_call(self, event: CallEnded) -> dict[str, object]:
        line = self._lines.of(event, self._wall(), "info")
        record: dict[str, object] = {name: line[name] for name in _OF_CALL if name in line}
        if self._caller is not None and (caller := self._name_of_caller(event.call, self._caller)):
            record["caller"] = caller
        return record

    def _put(self, event: str, record: dict[str, object]) -> None:
        whole = {"ts": self._lines.timestamp(self._wall()), "run": self._run, "event": event, **record}
        try:
            self._writer.put(orjson.dumps(whole, option=orjson.OPT_APPEND_NEWLINE))
        except TypeError:  # a lone surrogate, as in a file name that is not UTF-8
            speakable = {key: str(value).encode("utf-8", "backslashreplace").decode() for key, value in whole.items()}
            self._writer.put(orjson.dumps(speakable, option=orjson.OPT_APPEND_NEWLINE))

    def _name_of_caller(self, call: Call, header: bytes) -> str | None:
        """Return what the caller calls itself, as far as it is fit to be written; None when it says nothing."""
        value = field_value(call.headers, header)
        if value is None:
            return None
        if len(value) > _LONGEST_NAME:
            value = self._redact(value)[:_LONGEST_NAME]  # half a secret would not be recognised afterwards
        return printable(value.decode("utf-8", "backslashreplace"))

    def _digest(self) -> Digest | None:
        if not self._keys:
            return sha256
        return next((slot.secret.sign for slot in self._keys if slot.secret is not None), None)

    def _write(self, data: bytes) -> int:
        """Write records, on the thread. Returns: how many are lost."""
        records = self._redact(data).splitlines()
        lost = self._writer.dropped - self._told
        digest = self._digest()
        if digest is None:  # plain hashes would look as if nobody had asked for more
            written, problem = 0, "audit.key can't be read"
        else:
            written = self._ledger.append(records, digest, {"lost": lost} if lost else {})
            problem = self._ledger.problem
        if written:
            self._told += lost
        self.records += written
        self._tell(problem)
        return len(records) - written

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            log = logging.getLogger("tidegate.audit")
            if problem:
                log.error("the audit log can't be written: %s; records are lost until that is mended", problem)
            else:
                log.warning("the audit log is written again; its next record tells how many were lost")
