"""The bounded pool of one provider's connections: last in, first out, so that spare ones age and close."""

import asyncio
from collections.abc import Callable
from typing import Final

from pydantic import Field

from proxy.core.units import Duration, Frozen
from proxy.edge.upstream.http1 import Connection

FRESH_S: Final = 1.0  # a call that can't be repeated takes no connection that has idled longer


class PoolConfig(Frozen):
    """The connections to one provider."""

    max_connections: int = Field(1024, ge=1, le=100_000, description="Connections open at the same time.")
    max_idle: int = Field(64, ge=0, le=100_000, description="Idle connections kept.")
    idle: Duration = Field(30.0, gt=0, description="Time after which an idle connection is closed.")
    max_age: Duration = Field(300.0, gt=0, description="Age after which one is not used again; follows DNS changes.")


class Pool:
    """The connections that are free, and the count of all."""

    def __init__(self, config: PoolConfig, now: Callable[[], float]) -> None:
        self._config = config
        self._now = now
        self._idle: list[Connection] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        self._usable_from = -float("inf")
        self.open = 0

    @property
    def idle(self) -> int:
        """How many connections are free."""
        return len(self._idle)

    def reserve(self) -> bool:
        """Count a connection that is about to be opened, so that a burst can't pass the bound while it dials.

        When all are open, the one that has idled longest makes room. Returns: whether it may be opened.
        """
        if self.open >= self._config.max_connections:
            if not self._idle:
                return False
            self._idle[0].close()
        self.open += 1
        return True

    def take(self, now: float, *, repeatable: bool) -> Connection | None:
        """Return the freshest usable connection, None when there is none.

        repeatable: whether the call may be sent again should the connection turn out to be stale.
        """
        config, idle = self._config, self._idle
        while idle:
            connection = idle[-1]
            idle_s = now - connection.idle_since
            if idle_s > config.idle or now - connection.born_at > config.max_age:
                connection.close()  # takes itself out of the list
            elif not repeatable and idle_s > FRESH_S:
                return None
            elif connection.has_unread():
                # Bytes or an end that the loop has not seen yet. It will see them, and close the connection;
                # after a mere TLS session ticket it stays, for a later call.
                idle.insert(0, idle.pop())
                return None
            else:
                return idle.pop()
        return None

    def put(self, connection: Connection) -> None:
        """Take back a connection after a clean exchange."""
        if self._closed or connection.born_at < self._usable_from or len(self._idle) >= self._config.max_idle:
            connection.close()
            return
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._config.idle, self._sweep)

    def forget(self, connection: Connection) -> None:
        """Hear that a connection is gone."""
        self.open -= 1
        if connection in self._idle:
            self._idle.remove(connection)

    def _sweep(self) -> None:
        self._sweeper = None
        now = self._now()
        for connection in [one for one in self._idle if now - one.idle_since >= self._config.idle]:
            connection.close()
        if self._idle:
            self._sweeper = asyncio.get_running_loop().call_later(self._config.idle, self._sweep)

    def retire(self) -> None:
        """Use no connection again that was begun before now: free ones close at once, busy ones after their call."""
        self._usable_from = self._now()
        for connection in list(self._idle):
            connection.close()

    def close(self) -> None:
        """Close the free connections now and the busy ones after their exchange."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._idle):
            connection.close()
