"""What the parts of one running sidecar look at together."""

import asyncio
import signal
from dataclasses import dataclass, field
from pathlib import Path

from proxy.config import Loaded
from proxy.edge.notify import notify


@dataclass(slots=True)
class Process:
    """The process as it stands. started_ts, read_ts: unix seconds of the start and of the last good configuration.

    problems: why the latest reload was refused; empty when it was not. signals: what it has been told to do.
    """

    path: Path
    loaded: Loaded
    started_ts: float
    read_ts: float
    started: bool = False
    draining: bool = False
    problems: tuple[str, ...] = ()
    signals: "asyncio.Queue[signal.Signals]" = field(default_factory=asyncio.Queue)

    def begin(self) -> None:
        """Note that calls are taken, and tell the service manager."""
        self.started = True
        notify("READY=1")

    def end(self) -> None:
        """Note that it drains, and tell the service manager."""
        self.draining = True
        notify("STOPPING=1")

    def tick(self) -> None:
        """Tell the service manager that the event loop is alive; within the unit's WatchdogSec."""
        notify("WATCHDOG=1")
