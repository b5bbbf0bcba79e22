"""The scheme `path`: the secret as segments of the path, as in incoming-webhook URLs (Slack, Discord)."""

import re
from collections import deque
from typing import Annotated, Final, Literal
from urllib.parse import quote, unquote_to_bytes

from pydantic import AfterValidator, StringConstraints

from proxy.core.call import Call
from proxy.core.errors import CredentialMissing
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRefs
from proxy.credentials.scheme import Derived, Scheme, SchemeConfig, SlotOf, reveal

_TEMPLATE: Final = re.compile(r"(?:/(?:[^{}*?#/]+|\{(?!secret)[a-z_]+\}))*/\{secret\*?\}")
_NAME: Final = re.compile(r"\\\{[a-z_]+\\\}")
_SEGMENT_SAFE: Final = "!$&'()*+,;=:@"  # RFC 3986 section 3.3, besides the unreserved ones
_END: Final = r"(?=(?:\.(?:json|xml|csv))?(?:[/?#]|$))"  # Twilio: /Accounts/AC123.json


def _parse_template(text: str) -> str:
    if not _TEMPLATE.fullmatch(text):
        raise ValueError("not a template: write /fixed/{other}/{secret}, or {secret*} for a secret of several segments")
    return text


PathTemplate = Annotated[str, AfterValidator(_parse_template)]
"""How a path begins; `{secret}` or `{secret*}` ends it, and other names in braces stand for one segment each."""


class PathSegments(Scheme, Derived):
    """Replaces segments of the path by the secret. A path that does not begin as the template says is left alone.

    `{secret}` is one segment; an ending .json, .xml or .csv stays. `{secret*}` is as many as the secret has, or all
    that are left when the path has fewer. What follows them stays. Logs show the caller's path, never this one.
    """

    class Config(SchemeConfig):
        """template: how the path begins, such as /services/{secret*}. value: where the secret lies.

        placeholder: what callers write in its place; given, only that is replaced, and any other segment is theirs.
        """

        scheme: Literal["path"]
        template: PathTemplate
        value: SecretRefs
        placeholder: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]+$", max_length=128)] | None = None

        @property
        def changes(self) -> frozenset[str]:
            """Where the credential goes."""
            return frozenset({"path"})

    def __init__(self, config: Config, slot_of: SlotOf, runtime: Runtime) -> None:
        self._value = slot_of(config.value)
        Scheme.__init__(self, (self._value,), runtime)
        Derived.__init__(self, self.slots)
        self._template = config.template
        self._placeholder = config.placeholder
        self._before = config.template[: config.template.index("{secret")]
        self._several = config.template.endswith("*}")
        self._pattern = re.compile(b"")
        self._encoded = b""
        # The secret in the URLs of answers; after a rotation those to the last calls with the old one still come.
        self._repeated: deque[re.Pattern[bytes]] = deque(maxlen=2)
        self._shown = b""

    @property
    def places(self) -> tuple[str, ...]:
        """Say where the credential goes, for people: `path TEMPLATE`."""
        return (f"path {self._template}",)

    def derive(self) -> bytes:
        """Return the segments, percent-encoded. Raises: CredentialMissing, also for what can't stand in a path."""
        text = reveal(self._value)
        if not self._several:
            return self._segment(text)
        if "://" in text:
            raise CredentialMissing(
                f"the secret {self._value.ref} is a whole URL: leave only what follows {self._before}"
            )
        return b"/".join(self._segment(part) for part in text.strip("/").split("/"))

    def _segment(self, text: str) -> bytes:
        if text in ("", ".", ".."):
            raise CredentialMissing(f"the secret {self._value.ref} holds a segment that no path can hold: correct it")
        return quote(text, safe=_SEGMENT_SAFE).encode()

    def inject(self, sent: Call, place: int, call: Call) -> None:  # noqa: ARG002 - the path has a place of its own
        """Put the segments where the template says."""
        encoded = self.derived()
        if encoded is not self._encoded:
            self._learn(encoded)
        match = self._pattern.match(sent.target)
        if match is not None:
            sent.target = match[1] + encoded + sent.target[match.end() :]

    def conceal(self, url: bytes) -> bytes:
        """Put the caller's placeholder, or as many segments, where the URL repeats the secret's."""
        for repeated in self._repeated:
            url = repeated.sub(self._shown, url)
        return super().conceal(url)

    def _learn(self, encoded: bytes) -> None:
        self._encoded, self._pattern = encoded, self._compiled(encoded.count(b"/"))
        segments = encoded.split(b"/")
        spelt = b"/".join(_any_spelling(unquote_to_bytes(segment)) for segment in segments)
        self._repeated.append(re.compile(rb"(?<=/)%b%b" % (spelt, _END.encode())))
        self._shown = (self._placeholder or "/".join(["placeholder"] * len(segments))).encode()

    def _compiled(self, more: int) -> re.Pattern[bytes]:
        """Return the pattern of a path's beginning; more: segments of the secret after its first."""
        before = _NAME.sub("[^/?]+", re.escape(self._before))
        if self._placeholder is not None:
            place = re.escape(self._placeholder) + _END
        elif self._several:
            place = f"[^/?]+(?:/[^/?]+){{0,{more}}}"
        else:
            place = f"[^/?]+?{_END}"
        return re.compile(f"({before}){place}".encode())


def _any_spelling(segment: bytes) -> bytes:
    return b"".join(b"(?:%b|(?i:%%%02X))" % (re.escape(bytes((octet,))), octet) for octet in segment)
