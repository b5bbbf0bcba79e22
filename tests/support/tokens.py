"""An access token's source at work on the virtual loop, with a scripted token endpoint."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

from proxy.core.call import Call, Handler, Reply
from proxy.core.events import Event
from proxy.core.profile import Profile
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.credentials.given import Given
from proxy.credentials.grant_config import OAuth2Config
from proxy.credentials.grants import grant_of
from proxy.credentials.tokens import TokenSource
from tests.support.script import Script, Step, make_call, make_reply, make_runtime

SECRET = "sk_test_example"
CLIENT = {"grant": "client_credentials", "client_id": "app", "client_secret": "env:KEY", "client_auth": "body"}


def token(text: str, expires_in: object = 3600, **more: object) -> Reply:
    return make_reply(200, body=json.dumps({"access_token": text, "expires_in": expires_in, **more}).encode())


def numbered(expires_in: object = 3600) -> Callable[[Call], Reply]:
    """Make an endpoint's step that gives tok_1, tok_2 and so on."""
    given = iter(range(1, 10_000))
    return lambda _: token(f"tok_{next(given)}", expires_in)


class Place:
    """A source with its endpoint, its secret, and what was told. skipped_s: by which its clock is put ahead."""

    def __init__(self, *steps: Step, secret: str | None = SECRET, **written: object) -> None:
        self.endpoint = Script(*steps)
        self.events: list[Event] = []
        self.protected: list[str] = []
        self.asked: list[tuple[str, Profile]] = []
        self.slot = SecretSlot(SecretRef("env", "KEY"))
        if secret is not None:
            self.slot.put(Secret(secret))
        config = OAuth2Config.model_validate({
            "scheme": "oauth2", "token_url": "https://auth.example.com/token", **(written or CLIENT)
        })  # fmt: skip
        kept = Given(config, lambda _: self.slot)
        runtime = make_runtime(self.events)
        self._plain = runtime.now
        self.skipped_s = 0.0
        own = replace(runtime, now=self.now, protect=self.protected.append, endpoint=self._open)
        self.source = TokenSource(grant_of(config, kept), own, kept.slots)

    def _open(self, url: str, profile: Profile) -> Handler:
        self.asked.append((url, profile))
        return self.endpoint

    def now(self) -> float:
        return self._plain() + self.skipped_s

    async def token(self, deadline_s: float = 60.0) -> str:
        """Return what a call would carry."""
        call = make_call()
        call.deadline_at = self.now() + deadline_s
        await self.source.ready(call)
        assert self.source.good()
        return self.source.text

    @property
    def fetches(self) -> int:
        return len(self.endpoint.sends)


async def settled() -> None:
    """Let what was begun in the background come to its end."""
    while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - the loop's time is virtual
        await asyncio.sleep(0.01)
