"""Decides how long one attempt may take."""

from collections.abc import Awaitable

from pydantic import Field

from proxy.core.call import Call, Handler, Policy, Reply
from proxy.core.errors import DeadlineExceeded
from proxy.core.runtime import Runtime
from proxy.core.units import Duration, Frozen


class Timeout(Policy):
    """Sets the limits of one attempt on the call; the engine arms a timer only where it has to wait."""

    section = "timeout"

    class Config(Frozen):
        """connect: seconds to dial, TLS included. attempt: from now to the answer's head. body_idle: between
        two pieces of a body.
        """

        connect: Duration = Field(default=3.5, gt=0)  # outlives two lost SYNs, which are sent again after 1 s and 2 s
        attempt: Duration = Field(default=10.0, gt=0)
        body_idle: Duration = Field(default=30.0, gt=0)

    def __init__(self, inner: Handler, config: Config, runtime: Runtime) -> None:
        self.inner = inner
        self._connect_s = config.connect
        self._attempt_s = config.attempt
        self._body_idle_s = config.body_idle
        self._now = runtime.now

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """Set the limits and pass the call on.

        Raises: DeadlineExceeded when the deadline of the whole call has passed already.
        """
        now = self._now()
        if now >= call.deadline_at:
            raise DeadlineExceeded("the deadline of the call passed before this attempt could be sent")
        call.connect_s = self._connect_s
        call.attempt_until = min(now + self._attempt_s, call.deadline_at)
        call.body_idle_s = self._body_idle_s
        return self.inner(call)
