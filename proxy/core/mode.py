"""Policies that refuse calls, or only count what they would have refused: as configured, or as an operator says."""

from collections.abc import Callable, Mapping
from typing import Literal

from proxy.core.call import Policy

ModeName = Literal["enforce", "report"]


class Moded(Policy):
    """A policy with a `mode`. A layer's own `__init__` calls this one last, because it takes the mode at once."""

    _enforce: bool

    def __init__(self, configured: ModeName) -> None:
        self._configured = configured
        self._override: ModeName | None = None
        self.take_mode(enforce=configured == "enforce")

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """`report` and `enforce` hold the mode, `auto` takes that back."""
        return {
            "report": lambda: self._hold_mode("report"),
            "enforce": lambda: self._hold_mode("enforce"),
            "auto": lambda: self._hold_mode(None),
        }

    @property
    def overrides(self) -> tuple[str, ...]:
        """The mode in which an operator holds it."""
        return () if self._override is None else (self._override,)

    def take_mode(self, *, enforce: bool) -> None:
        """Refuse from now on, or only count; told at every change, so that no call has to ask."""
        self._enforce = enforce

    def mode(self) -> dict[str, object]:
        """Tell the mode in force, and the override only where there is one, for the snapshot."""
        override = self._override
        return {"mode": self._configured} if override is None else {"mode": override, "override": override}

    def _hold_mode(self, override: ModeName | None) -> None:
        self._override = override
        self.take_mode(enforce=(override or self._configured) == "enforce")
