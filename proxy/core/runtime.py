"""What a layer gets besides its settings and the next handler. Nothing else enters a layer."""

from collections.abc import Callable
from dataclasses import dataclass

from proxy.core.events import Event
from proxy.core.profile import Profile
from proxy.core.secret import SecretRef, SecretSlot


@dataclass(frozen=True, slots=True)
class Runtime:
    """The surroundings of one provider's stack.

    now: monotonic seconds on the loop's own clock. wall: unix seconds, for dates and tokens only.
    random: uniform in [0, 1). emit: hand an event to log and metrics; never blocks, never raises.
    secret: the slot that holds the current value behind a reference.
    """

    provider: str
    profile: Profile
    now: Callable[[], float]
    wall: Callable[[], float]
    random: Callable[[], float]
    emit: Callable[[Event], None]
    secret: Callable[[SecretRef], SecretSlot]
