"""Idempotency: gives a call the key by which the provider recognises it when it comes twice."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

from proxy.core.call import Call, Handler, Policy, Reply
from proxy.core.profile import Profile
from proxy.core.runtime import Runtime
from proxy.core.units import Frozen
from proxy.sansio.idempotency import IdempotencyKeys


class Idempotency(Policy):
    """Makes one key per logical call where the provider takes one and the caller sent none; all attempts carry it.

    Two calls of the caller, such as an SDK's own second attempt, are two logical calls: only a key of the SDK's own
    makes them one.
    """

    section = "idempotency"

    class Config(Frozen):
        """mint: whether a key is made where the profile says that the provider takes one."""

        mint: bool = True

    def __init__(self, inner: Handler, config: Config, runtime: Runtime, new_key: Callable[[], UUID] = uuid4) -> None:
        self.inner = inner
        self.config = config
        self._keys = IdempotencyKeys(runtime.profile)
        self._new_key = new_key

    @classmethod
    def needed(cls, config: Any, profile: Profile) -> bool:
        """Say whether keys are made at all: where not, no call should pay for the question."""
        return bool(config.mint) and profile.idempotency.mint

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """Put a key in where none is, and pass the call on."""
        keys = self._keys
        if keys.takes_key(call):
            call.minted_key = keys.put(call, str(self._new_key()))
        return self.inner(call)
