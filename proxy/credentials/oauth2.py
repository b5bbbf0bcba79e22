"""The scheme `oauth2`: an access token that tidegate fetches for itself (RFC 6749), instead of a long-lived secret."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import orjson

from proxy.core.call import Call, Header, Headers, Reply
from proxy.core.outcome import Outcome
from proxy.core.runtime import Runtime
from proxy.credentials.given import Given
from proxy.credentials.grant_config import OAuth2Config
from proxy.credentials.grants import grant_of
from proxy.credentials.scheme import Scheme, SlotOf
from proxy.credentials.tokens import TokenSource
from proxy.sansio.templates import compile_template, path_of

_PLACEHOLDER: Final = "placeholder"
_PLACEHOLDER_S: Final = 3600


class OAuth2(Scheme):
    """Sends `Authorization: Bearer TOKEN` with a token that is fetched once for all calls.

    An SDK that fetches one for itself, where the profile's token_path says, gets a placeholder.
    """

    Config: ClassVar[Any] = OAuth2Config
    waits = True

    def __init__(self, config: OAuth2Config, slot_of: SlotOf, runtime: Runtime) -> None:
        given = Given(config, slot_of)
        super().__init__(given.slots, runtime, headers=(config.header,))
        self._name = config.header.encode()
        self._before = f"{config.prefix} " if config.prefix else ""
        self._wall = runtime.wall
        self._source = TokenSource(grant_of(config, given), runtime, given.slots)
        self._text = ""
        self._field: Header = (self._name, b"")
        path = runtime.profile.token_path
        self._token_path = None if path is None else compile_template(path)

    def answer(self, call: Call) -> Reply | None:
        """Return a placeholder token to an SDK that asks for one; the real one is put in its place later."""
        if self._token_path is None or call.method != "POST" or not self._token_path.fullmatch(path_of(call.target)):
            return None
        expires_at = datetime.fromtimestamp(self._wall() + _PLACEHOLDER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = orjson.dumps(
            {
                "access_token": _PLACEHOLDER,
                "token_type": "Bearer",
                "expires_in": _PLACEHOLDER_S,
                "token": _PLACEHOLDER,  # GitHub's words for the same
                "expires_at": expires_at,
            }
        )
        headers: Headers = [(b"Content-Type", b"application/json"), (b"Cache-Control", b"no-store")]
        reply = Reply(200, b"OK", [*headers, (b"Content-Length", b"%d" % len(body))], body)
        reply.own = True
        reply.outcome = Outcome.IGNORED  # it says nothing of the provider, which has not seen the call
        return reply

    async def prepare(self, call: Call) -> None:
        """Wait for the token. Raises: CredentialMissing, TokenUnavailable, DeadlineExceeded."""
        await self._source.ready(call)

    def inject(self, sent: Call, place: int, call: Call) -> None:  # noqa: ARG002 - the token alone decides
        """Put the header where the caller's first credential stood, or else last.

        Raises: TokenUnavailable when the token has ended since `prepare`.
        """
        if not self._source.good():
            raise self._source.unavailable(1.0)
        sent.headers.insert(place, self._current())

    def _current(self) -> Header:
        text = self._source.text
        if text is not self._text:
            self._text = text
            self._field = (self._name, f"{self._before}{text}".encode())
        return self._field

    def rejected(self, sent: Call) -> bool:
        """Give the token up, unless it has been replaced since, or it was fetched a moment ago."""
        return self._current() not in sent.headers or self._source.rejected()

    def resume(self) -> None:
        """Let the next call that lacks a token ask for one."""
        self._source.resume()

    def adopt(self, old: Scheme) -> None:
        """Go on with the token, and with a fetch that is under way; the next one uses the new endpoint."""
        if isinstance(old, OAuth2):
            endpoint = self._source.endpoint
            self._source = old._source  # noqa: SLF001 - one of its own kind
            self._source.endpoint = endpoint

    def snapshot(self) -> dict[str, object]:
        """Tell until when the token is good."""
        return self._source.snapshot()
