"""The scheme `body`: the secret in fields of a JSON or form body, as PostHog, Segment and Mixpanel want it."""

from collections.abc import Callable
from typing import Annotated, Final, Literal, NoReturn, Self

from pydantic import Field, model_validator

from proxy.core.call import Call, field_value, field_values
from proxy.core.errors import BadRequest, BodyTooLarge
from proxy.core.profile import FieldPath
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRefs
from proxy.core.units import Size
from proxy.credentials.scheme import Scheme, SchemeConfig, SlotOf, reveal, whole_body
from proxy.sansio.coding import canonical, decode, decode_beginning, encode
from proxy.sansio.forms import edit_form_field, replace_form_field
from proxy.sansio.idempotency import replace_body
from proxy.sansio.json_fields import insert_first, replace

_FORM: Final = b"application/x-www-form-urlencoded"
_MOST_BYTES: Final = 1024 * 1024


class BodyFields(Scheme):
    """Replaces whatever stands in the fields by the secret; every other byte of the body is kept.

    A body without any of the fields goes through as it is. One that can't be read is refused, because the caller's
    placeholder must never reach the provider.
    """

    waits = True

    class Config(SchemeConfig):
        """fields: places in a JSON body, `api_key` or `[].properties.token`; of a form those that are plain names.
        value: where the secret lies. add: put it into the first of the fields when the body has none of them.
        form_json: a form's field whose value is the JSON text (Mixpanel's `data`). most: bytes of a body, unpacked.
        """

        scheme: Literal["body"]
        fields: tuple[FieldPath, ...] = Field(min_length=1, max_length=16)
        value: SecretRefs
        add: bool = False
        form_json: str | None = Field(default=None, min_length=1)
        most: Annotated[Size, Field(gt=0, le=64 * _MOST_BYTES)] = _MOST_BYTES

        @model_validator(mode="after")
        def _adds_to_the_top(self) -> Self:
            if self.add and (self.form_json or not _is_plain(self.fields[0])):
                raise ValueError(
                    "add works at the top of a body: let the first field be a plain name, and no form_json"
                )
            return self

        @property
        def changes(self) -> frozenset[str]:
            """Where the credential goes."""
            return frozenset({"body"})

    def __init__(self, config: Config, slot_of: SlotOf, runtime: Runtime) -> None:
        self._value = slot_of(config.value)
        super().__init__((self._value,), runtime)
        self._fields = config.fields
        self._plain = tuple(path for path in config.fields if _is_plain(path))
        self._add = config.add
        self._form_json = (config.form_json or "").encode()
        self._most_bytes = config.most

    @property
    def places(self) -> tuple[str, ...]:
        """Say where the credential goes, for people: `body field NAME`."""
        return tuple(f"body field {path}" for path in self._fields)

    async def prepare(self, call: Call) -> None:
        """Wait for the whole body. Raises: BodyTooLarge, and what reading the body raises."""
        await whole_body(call, self._most_bytes)

    def inject(self, sent: Call, place: int, call: Call) -> None:  # noqa: ARG002 - another part may have edited the body
        """Put the secret into the body, packed as it was. Raises: CredentialMissing, BadRequest, BodyTooLarge."""
        secret = reveal(self._value)
        packed = sent.body.whole
        if not packed:
            return
        encoding = b",".join(field_values(sent.headers, b"content-encoding"))  # two fields are one list (RFC 9110 5.3)
        data = decode(packed, encoding, self._most_bytes)
        if data is None:
            self._refuse_packed(packed, encoding, sent.provider)
        edited = self._edited(data, secret)
        if edited is None and _is_form(sent):
            edited = self._edited_form(data, secret)
        if edited is None:
            raise BadRequest(
                f"the credential of {sent.provider} stands in the body, and this one can't be read:"
                " send JSON or a form, as its Content-Type says"
            )
        if edited is not data:
            replace_body(sent, encode(edited, encoding))

    def _edited(self, data: bytes, secret: str) -> bytes | None:
        """Return the JSON text with the secret in it, None when it is no JSON."""
        edited = replace(data, self._fields, lambda _: secret)
        if edited is data and self._add:
            return insert_first(data, self._fields[0], secret) or data
        return edited

    def _edited_form(self, data: bytes, secret: str) -> bytes | None:
        """Return the form with the secret in it, None when the field that should be JSON is none."""
        value = secret.encode()
        edited = data
        for name in self._plain:
            edited = replace_form_field(edited, name.encode(), value)
        if edited is data and self._add:
            edited = replace_form_field(data, self._fields[0].encode(), value, add=True)
        if not self._form_json:
            return edited
        broken: list[bytes] = []
        edited = edit_form_field(edited, self._form_json, self._in_json(secret, broken))
        return None if broken else edited

    def _in_json(self, secret: str, broken: list[bytes]) -> Callable[[bytes], bytes | None]:
        def new(value: bytes) -> bytes | None:
            edited = self._edited(value, secret)
            if edited is None:
                broken.append(value)
            return None if edited is value else edited

        return new

    def _refuse_packed(self, packed: bytes, encoding: bytes, provider: str) -> NoReturn:
        what = f"the credential of {provider} stands in the body, and this one"
        if canonical(encoding) is None:
            raise BadRequest(
                f"{what} has a Content-Encoding that can't be undone: send gzip, deflate, zstd, br or none"
            )
        if len(decode_beginning(packed, encoding, self._most_bytes + 1)) > self._most_bytes:
            raise BodyTooLarge(f"{what} is larger than {self._most_bytes} bytes when unpacked: send less at once")
        raise BadRequest(f"{what} is not what its Content-Encoding says: it is damaged or cut off")


def _is_plain(path: str) -> bool:
    return "." not in path and "[" not in path


def _is_form(call: Call) -> bool:
    kind = field_value(call.headers, b"content-type") or b""
    return kind.partition(b";")[0].strip().lower() == _FORM
