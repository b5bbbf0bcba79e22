"""TLS to a provider: whom it trusts, who it says it is, and what becomes of both when their files change."""

import base64
import binascii
import os
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic import model_validator as validator

from proxy.core.errors import CredentialMissing, TlsFailed
from proxy.core.events import Event, SecretRead
from proxy.core.secret import SecretRef, SecretSlot
from proxy.core.units import Frozen
from proxy.credentials.scheme import reveal
from proxy.sansio.x509 import certificates, ends_ts, pin_of

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_DIGEST_BYTES: Final = 32
_MOST_HOSTS: Final = 1000


def _pin(text: str) -> str:
    kind, _, digest = text.partition("/")
    try:
        size = len(base64.b64decode(digest, validate=True))
    except binascii.Error:
        size = 0
    if kind != "sha256" or size != _DIGEST_BYTES:
        raise ValueError("not a pin: write sha256/ and the base64 of the SHA-256 of the certificate's public key")
    return text


Pin = Annotated[str, AfterValidator(_pin)]
"""A certificate's public key, as `sha256/BASE64` (RFC 7469 section 2.4)."""

_AS_TEXT: Final = (
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["file:/etc/creds/client.pem"]}),
)
Pem = Annotated[SecretRef, PlainValidator(partial(SecretRef.parse, document=True)), *_AS_TEXT]
"""Where PEM lies; it is read again when it changes."""

Password = Annotated[SecretRef, PlainValidator(SecretRef.parse), *_AS_TEXT]
"""Where a key's password lies."""


class TlsConfig(Frozen):
    """How TLS with this provider differs from the usual."""

    ca: Pem | None = Field(None, description="The authorities to trust (PEM) in place of the system's.")
    client_certificate: Pem | None = Field(None, description="Our own certificate and its chain (PEM).")
    client_key: Pem | None = Field(None, description="Its key (PEM); absent: it stands beside the certificate.")
    client_key_password: Password | None = Field(None, description="What the key is encrypted with.")
    pins: tuple[Pin, ...] = Field(
        (), description="Keys of which the provider's certificate must have one; with Python 3.13, or one of its chain."
    )
    min_version: Annotated[
        Literal["1.2", "1.3"],
        BeforeValidator(lambda value: str(value) if isinstance(value, float) else value),  # as YAML reads it
        WithJsonSchema({"enum": ["1.2", "1.3", 1.2, 1.3]}),
    ] = Field("1.2", description="The oldest version of TLS to speak.")

    @validator(mode="after")
    def _complete(self) -> Self:
        if self.client_certificate is None and (self.client_key or self.client_key_password):
            raise ValueError("has a client_key and no client_certificate; write both")
        return self

    def references(self) -> dict[str, SecretRef]:
        """Return what lies in files, by key."""
        found = {key: getattr(self, key) for key in ("ca", "client_certificate", "client_key", "client_key_password")}
        return {key: ref for key, ref in found.items() if ref is not None}


class Unusable(ValueError):
    """A file of TLS can't be used. key: which. The text holds no part of it."""

    def __init__(self, key: str, ref: SecretRef, text: str) -> None:
        super().__init__(f"{ref}: {text}")
        self.key = key
        self.ref = ref


class SessionContext(ssl.SSLContext):
    """A verifying client context that resumes the last TLS session with a host (asyncio has no way to pass one)."""

    def __init__(self, *_: object) -> None:
        self._last: dict[str, ssl.SSLObject] = {}

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin a handshake, offering the last connection's session; a TLS 1.3 ticket came after its handshake."""
        last = self._last.get(kwargs.get("server_hostname", ""))
        kwargs["session"] = last and last.session
        return super().wrap_bio(*args, **kwargs)

    def keep(self, tls: ssl.SSLObject) -> None:
        """Offer this connection's session to the next one with the same host."""
        host = str(tls.server_hostname)
        if host not in self._last and len(self._last) >= _MOST_HOSTS:
            del self._last[next(iter(self._last))]
        self._last[host] = tls


class Tls:
    """The TLS context of one provider.

    Another one is made when a file has changed: sessions and connections of the two never mix. Files that do not go
    together, because one of them is still to come, leave the former context in use.
    """

    def __init__(
        self,
        config: TlsConfig,
        user: tuple[str, str] = ("-", ""),
        slot_of: Callable[[SecretRef], SecretSlot] = SecretSlot,
        emit: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self._config = config
        self._user = user
        self._emit = emit
        self._slots = {key: slot_of(ref) for key, ref in config.references().items()}
        self._pins = frozenset(config.pins)
        self._seen: list[int] | None = None
        self._context: SessionContext | None = None
        self._ends: dict[str, float] = {}
        self._problem = ""
        self.changes = bool(self._slots)
        self.renew()

    def renew(self) -> bool:
        """Look whether a file has changed, and make another context if so.

        Returns: whether one is in use now that replaces another. What keeps it from that is told once, as an event.
        """
        seen = [slot.generation for slot in self._slots.values()]
        if seen == self._seen:
            return False
        self._seen = seen
        had = self._context is not None
        try:
            if self._slots or self._pins:
                self._context = make_context(self._config, self._slots)
            else:
                self._context = _usual_context(self._config.min_version)
        except CredentialMissing as error:  # told by whoever reads the files
            self._problem = error.detail
            return False
        except Unusable as error:
            self._problem = str(error)
            text = str(error).removeprefix(f"{error.ref}: ")
            self._emit(SecretRead(self._user[0], str(error.ref), "failed", text, self._user[1]))
            return False
        self._problem = ""
        own = self._slots.get("client_certificate")
        self._ends = {} if own is None else {"certificate_expires_ts": ends_ts(certificates(reveal(own))[0])}
        return had

    def require(self) -> SessionContext:
        """Return the context for the next connection. Raises: CredentialMissing while there has been none."""
        if self._context is None:
            raise CredentialMissing(f"TLS with {self._user[0]} can't begin: {self._problem}")
        return self._context

    @property
    def missing(self) -> list[str]:
        """What keeps every connection from being made; nothing once there has been a context."""
        return [] if self._context is not None else [self._problem]

    def accept(self, tls: ssl.SSLObject, host: str) -> None:
        """Accept a connection whose handshake is done, and keep its session for the next one.

        Raises: TlsFailed when pins are set and it shows none of them.
        """
        # Only a session of a connection that was accepted here is ever resumed, and it shows no chain again.
        if self._pins and not tls.session_reused:
            found = [pin_of(certificate) for certificate in _chain(tls)]
            if self._pins.isdisjoint(found):
                raise TlsFailed(
                    f"the certificate of {host} has another key than tls.pins allow, {found[0]}; add that pin if the "
                    "provider says that it is the new one: if not, somebody else answers in its place"
                )
        cast(SessionContext, tls.context).keep(tls)  # the one that it was made with, whichever is in use by now

    def snapshot(self) -> dict[str, object]:
        """Tell what is wrong with the files, and when our own certificate ends, in unix seconds, where there is one."""
        problems = (self._problem, *(slot.problem for slot in self._slots.values()))
        return {"tls_problem": next(filter(None, problems), ""), **self._ends} if self._slots else {}


def make_context(config: TlsConfig, slots: dict[str, SecretSlot]) -> SessionContext:
    """Return a context that verifies certificate and host name, and shows our own certificate where there is one.

    slots: by key, what `config.references` names. Takes milliseconds.
    Raises: CredentialMissing while a file has never been read; Unusable.
    """
    context = SessionContext(ssl.PROTOCOL_TLS_CLIENT)  # verification is on in this protocol
    context.minimum_version = _VERSIONS[config.min_version]
    context.set_alpn_protocols(["http/1.1"])
    if "ca" in slots:
        _trust(context, slots["ca"])
    else:
        context.load_default_certs()
    if "client_certificate" in slots:
        _introduce(context, slots)
    return context


@cache
def _usual_context(min_version: Literal["1.2", "1.3"]) -> SessionContext:
    # One for all who trust the same: the system's roots take 25 ms and a megabyte in each context. Not for those with
    # pins, because a session that another accepted would spare the provider from showing its key.
    return make_context(TlsConfig(min_version=min_version), {})


def _trust(context: SessionContext, slot: SecretSlot) -> None:
    try:
        context.load_verify_locations(cadata=b"".join(certificates(reveal(slot))))
    except (ValueError, ssl.SSLError):
        raise Unusable("ca", slot.ref, "holds no certificates in PEM form that can be read") from None


def _introduce(context: SessionContext, slots: dict[str, SecretSlot]) -> None:
    certificate = slots["client_certificate"]
    key = slots.get("client_key", certificate)
    key_name = "client_key" if "client_key" in slots else "client_certificate"
    try:
        ends_ts(certificates(reveal(certificate))[0])
    except (ValueError, IndexError):
        raise Unusable("client_certificate", certificate.ref, "holds no certificate in PEM form") from None
    password = slots.get("client_key_password")

    def tell_password() -> str:  # else OpenSSL would ask on the terminal
        if password is None:
            raise Unusable(key_name, key.ref, "the key is encrypted; write tls.client_key_password")
        return reveal(password)

    if "PRIVATE KEY-----" not in reveal(key):
        raise Unusable(key_name, key.ref, "holds no private key in PEM form")
    try:
        with _unnamed_file(reveal(certificate)) as chain, _unnamed_file(reveal(key)) as keys:
            context.load_cert_chain(chain, keys, tell_password)
    except Unusable:
        raise
    except (OSError, ValueError) as error:  # ValueError: the password is longer than OpenSSL takes
        reason = error.reason if isinstance(error, ssl.SSLError) else getattr(error, "strerror", "password too long")
        apart = reason == "KEY_VALUES_MISMATCH"
        text = "is not the key of the client certificate" if apart else f"can't be used: {reason or 'no valid PEM'}"
        raise Unusable(key_name, key.ref, text) from None


@contextmanager
def _unnamed_file(text: str) -> Iterator[str]:
    """Give a path at which the text can be read while the block lasts: `ssl` loads keys from files only.

    The file lies in memory where the system can do that, and is open to nobody else anywhere.
    """
    with ExitStack() as stack:
        if sys.platform == "linux":
            file: Any = stack.enter_context(os.fdopen(os.memfd_create("tls"), "wb"))
            path = f"/proc/self/fd/{file.fileno()}"
        else:
            file = stack.enter_context(tempfile.NamedTemporaryFile())
            path = file.name
        file.write(text.encode())
        file.flush()
        yield path


def _chain(tls: ssl.SSLObject) -> list[bytes]:
    """Return the provider's certificate, and from Python 3.13 on those above it too."""
    verified: Callable[[], list[bytes]] | None = getattr(tls, "get_verified_chain", None)
    return verified() if verified is not None else [tls.getpeercert(binary_form=True) or b""]


def flaws(config: TlsConfig, slots: dict[str, SecretSlot], now_ts: float, soon_s: float) -> Iterator[tuple[str, str]]:
    """Find what is wrong with the files as they are now: key of the section, and text.

    now_ts: unix seconds. soon_s: how long before its end a certificate is told of. What can't be read is left out.
    """
    try:
        make_context(config, slots)
    except CredentialMissing:
        return
    except Unusable as error:
        yield error.key, str(error)
        return
    own = slots.get("client_certificate")
    if own is None:
        return
    left_s = ends_ts(certificates(reveal(own))[0]) - now_ts
    if left_s < soon_s:
        when = f"ends in {left_s / 86400:.0f} days" if left_s > 0 else "has expired"
        yield "client_certificate", f"the certificate in {own.ref} {when}; put a new one there, it is picked up live"
