"""The scheme `jwt`: short-lived tokens that tidegate signs itself with the user's private key (RFC 7519)."""

from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from proxy.core.call import Call, Header, field_value
from proxy.core.errors import BadRequest
from proxy.core.events import TokenFetched
from proxy.core.runtime import Runtime
from proxy.core.secret import DocumentRefs
from proxy.core.units import Duration
from proxy.credentials.assertions import Algorithm, Assertions, require_libraries
from proxy.credentials.given import Given, Text
from proxy.credentials.scheme import FieldName, Prefix, Scheme, SchemeConfig, SlotOf, whole_body
from proxy.sansio.forms import replace_form_field
from proxy.sansio.idempotency import replace_body
from proxy.sansio.signing import header_part

_FORM: Final = b"application/x-www-form-urlencoded"
_MOST_BODY_BYTES: Final = 64 * 1024
_RENEW_S: Final = 50 * 60.0  # for a token that does not say when it ends; an hour is what providers give one
_ON_ITS_WAY_S: Final = 5.0  # `iat` and `exp` are whole seconds, and a call takes a while to arrive
_SLACK_S: Final = 60.0  # by which the wall clock may be set back before a token from the future is replaced


class Jwt(Scheme):
    """Sends `Authorization: Bearer TOKEN`, or the token in a form field.

    One token for all calls, signed anew when `renew` has passed or the key has changed, and never for a refusal alone:
    providers limit how often they take a new one (APNs: once in 20 minutes).
    """

    class Config(SchemeConfig):
        """How the token is made and where it goes. Texts may be plain or references.

        algorithm, private_key (PEM), key_id: sign it. issuer, subject, audience, claims: what it says, besides `iat`.
        lifetime: until its `exp`; absent, it has none. renew: how long one token is used. public_key_fingerprint:
        adds `.SHA256:` and the key's fingerprint to the issuer, as Snowflake wants it. header, prefix: where it goes;
        field: the field of a form that holds it instead (Apple's client_secret).
        """

        scheme: Literal["jwt"]
        algorithm: Algorithm
        private_key: DocumentRefs
        key_id: Text | None = None
        issuer: Text | None = None
        subject: Text | None = None
        audience: Text | None = None
        claims: dict[str, Text] = {}
        lifetime: Duration | None = Field(default=None, ge=30)
        renew: Duration | None = Field(default=None, gt=0)
        public_key_fingerprint: bool = False
        header: FieldName = "Authorization"
        prefix: Prefix | None = "Bearer"
        field: str | None = Field(default=None, min_length=1)

        @property
        def renew_s(self) -> float:
            """Seconds for which one token is used: four fifths of its life unless written."""
            if self.renew is not None:
                return self.renew
            return _RENEW_S if self.lifetime is None else self.lifetime * 0.8

        @model_validator(mode="after")
        def _makes_sense(self) -> Self:
            if self.lifetime is not None and self.renew_s > self.lifetime - _ON_ITS_WAY_S:
                raise ValueError("renew must be 5s shorter than lifetime, or else tokens are sent that are over")
            if self.public_key_fingerprint and self.issuer is None:
                raise ValueError("public_key_fingerprint adds to the issuer: write issuer, such as ACCOUNT.USER")
            if self.field is not None and {"header", "prefix"} & self.model_fields_set:
                raise ValueError("write field, or header and prefix, not both")
            require_libraries()
            return self

        @property
        def changes(self) -> frozenset[str]:
            """Where the credential goes."""
            return frozenset({"body" if self.field else header_part(self.header)})

    def __init__(self, config: Config, slot_of: SlotOf, runtime: Runtime) -> None:
        self._given = given = Given(config, slot_of)
        super().__init__(given.slots, runtime, headers=() if config.field else (config.header,))
        self._config = config
        self._runtime = runtime
        self._signer = Assertions(
            lambda: given.read(config.private_key), given.where(config.private_key), config.algorithm
        )
        self._renew_s = config.renew_s
        self._form_field = (config.field or "").encode()
        self._minted_ts = 0.0
        self._minted_of = -1
        self._text = ""
        self._field: Header = (config.header.encode(), b"")
        self.waits = config.field is not None

    @property
    def places(self) -> tuple[str, ...]:
        """Say where the token goes."""
        return (f"form field {self._config.field}",) if self._form_field else super().places

    async def prepare(self, call: Call) -> None:
        """Wait for the form. Raises: BodyTooLarge above 64 KiB, and what reading the body raises."""
        await whole_body(call, _MOST_BODY_BYTES)

    def inject(self, sent: Call, place: int, call: Call) -> None:  # noqa: ARG002 - another part may have edited the form
        """Put the token in. Raises: CredentialMissing, also for a key that can't sign; BadRequest."""
        age_s = self._runtime.wall() - self._minted_ts
        if not -_SLACK_S <= age_s < self._renew_s or self.generation != self._minted_of:
            self._mint()
        if not self._form_field:
            sent.headers.insert(place, self._field)
        elif form := sent.body.whole:
            _require_form(sent)
            replaced = replace_form_field(form, self._form_field, self._text.encode())
            if replaced is not form:
                replace_body(sent, replaced)

    def _mint(self) -> None:
        config, runtime = self._config, self._runtime
        generation, ts = self.generation, runtime.wall()
        key_id = None if config.key_id is None else self._given.read(config.key_id)
        text = self._signer.sign(self._claims(int(ts)), key_id)
        runtime.protect(text)
        before = f"{config.prefix} " if config.prefix else ""
        self._text, self._field = text, (config.header.encode(), f"{before}{text}".encode())
        self._minted_ts, self._minted_of = ts, generation
        lives_s = config.lifetime or self._renew_s
        runtime.emit(TokenFetched(runtime.provider, runtime.account, "fetched", lives_s))

    def _claims(self, ts: int) -> dict[str, Any]:
        config = self._config
        named = {"iss": config.issuer, "sub": config.subject, "aud": config.audience, **config.claims}
        claims: dict[str, Any] = {key: self._given.read(value) for key, value in named.items() if value is not None}
        if config.public_key_fingerprint:
            claims["iss"] += f".{self._signer.fingerprint()}"
        claims["iat"] = ts
        if config.lifetime is not None:
            claims["exp"] = ts + int(config.lifetime)
        return claims

    def rejected(self, sent: Call) -> bool:
        """Say whether the refused token has been replaced since; no new one is made for a refusal."""
        return not self._form_field and self._minted_of >= 0 and self._field not in sent.headers

    def adopt(self, old: Scheme) -> None:
        """Go on with the token of the one before."""
        if isinstance(old, Jwt):
            self._minted_ts, self._minted_of = old._minted_ts, old._minted_of  # noqa: SLF001 - one of its own kind
            self._text, self._field = old._text, old._field  # noqa: SLF001 - as above

    def snapshot(self) -> dict[str, object]:
        """Tell when the token ends, where it does."""
        if self._minted_of < 0 or self._config.lifetime is None:
            return {}
        return {"expires_ts": self._minted_ts + self._config.lifetime}


def _require_form(call: Call) -> None:
    kind = field_value(call.headers, b"content-type") or b""
    if kind.partition(b";")[0].strip().lower() != _FORM or field_value(call.headers, b"content-encoding"):
        raise BadRequest(
            f"the credential of {call.provider} is a field of a form: send it as {_FORM.decode()}, not compressed"
        )
