"""How a process goes: callers leave one after the other, calls under way end, and a second signal ends them at once."""

import asyncio
import signal
from typing import Final, Protocol

from proxy.settings import Settings

GRACE_S: Final = 1.0
"""How long an idle connection is left open once it is to go: a request may be on its way."""

_HANDSHAKE_S: Final = 0.1  # in which a connection that was begun is accepted, before its listener closes
_LOOK_S: Final = 0.02


class Draining(Protocol):
    """The listeners, as far as they drain; see `Listeners`."""

    @property
    def connections(self) -> int:
        """Callers' connections open now."""

    def begin_to_drain(self) -> None:
        """Close each connection with its next answer."""

    def repel(self) -> bool:
        """Leave new callers to the other process; says whether there is one to leave them to."""

    def stop_accepting(self) -> None:
        """Close the sockets."""

    def close_idle(self) -> None:
        """Close the connections that wait for a request."""


async def drain(listeners: Draining, signals: "asyncio.Queue[signal.Signals]", settings: Settings) -> None:
    """Return when no connection is left, when `drain_timeout` is over, or when a second signal to end has come."""
    now = asyncio.get_running_loop().time
    again = asyncio.ensure_future(_told_again(signals))
    listeners.begin_to_drain()
    idle_until = now() + GRACE_S
    # Callers that do not know yet are served while readiness already fails.
    await asyncio.wait([again], timeout=settings.drain_delay)
    if listeners.repel():
        await asyncio.wait([again], timeout=_HANDSHAKE_S)
    listeners.stop_accepting()
    ends_at = now() + settings.drain_timeout
    # Connections are waited for, not calls: a call is over when its last bytes are with the transport.
    while listeners.connections and now() < ends_at and not again.done():
        await asyncio.wait([again], timeout=_LOOK_S)
        if now() >= idle_until:
            listeners.close_idle()
    again.cancel()
    await asyncio.wait([again])


async def _told_again(signals: "asyncio.Queue[signal.Signals]") -> None:
    while await signals.get() is signal.SIGHUP:
        continue  # nothing is read again on the way down
