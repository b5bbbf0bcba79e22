"""Decides by when the whole call must be over."""

from collections.abc import Awaitable

from pydantic import Field

from proxy.core.call import Call, Handler, Policy, Reply
from proxy.core.runtime import Runtime
from proxy.core.units import Duration, Frozen


class Deadline(Policy):
    """Sets `call.deadline_at`: the configured total, or what the caller asked for if that is sooner.

    There is no timer: whatever waits below looks at the deadline before it begins to wait, and the
    engine watches it while bytes move, those of the answer's body too.
    """

    section = "deadline"

    class Config(Frozen):
        """total: seconds for the whole call: every attempt, every wait, and the body of the answer."""

        total: Duration = Field(default=30.0, gt=0)

    def __init__(self, inner: Handler, config: Config, runtime: Runtime) -> None:
        self.inner = inner
        self._total_s = config.total
        self._now = runtime.now

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """Set the deadline and pass the call on."""
        call.deadline_at = min(call.deadline_at, call.record.started_at + self._total_s)
        return self.inner(call)
