"""One call through a fresh Retry over a script."""

from typing import Any

from proxy.core.call import Call, Reply
from proxy.core.errors import TidegateError
from proxy.core.events import Event
from proxy.policies.retry import Retry
from tests.support.script import Script, Step, make_call, make_runtime
from tests.support.virtual import run


class Play:
    """Plays the call at once; reply or error: what the caller got."""

    def __init__(self, *steps: Step, call: Call | None = None, **config: Any) -> None:
        self.call = call or make_call()
        self.script = Script(*steps)
        self.events: list[Event] = []
        self.policy = Retry(self.script, Retry.Config(**config), make_runtime(self.events))
        self.reply: Reply | None = None
        self.error: TidegateError | None = None
        run(self._play())

    async def _play(self) -> None:
        try:
            self.reply = await self.policy(self.call)
        except TidegateError as error:
            self.error = error

    @property
    def status(self) -> int | None:
        return None if self.reply is None else self.reply.status
