"""What a layer gets besides its settings and the next handler. Nothing else enters a layer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from proxy.core.call import Handler
from proxy.core.events import Event
from proxy.core.profile import Profile
from proxy.core.secret import SecretRef, SecretSlot


@dataclass(frozen=True, slots=True)
class Runtime:
    """The surroundings of one provider's stack.

    now: monotonic seconds on the loop's own clock. wall: unix seconds, for dates and tokens only.
    random: uniform in [0, 1). emit: hand an event to log and metrics; never blocks, never raises.
    secret: the slot that holds the current value behind a reference.
    account: the account whose leg this is, "" for the provider's own. authority, base_path: the Host value and what
    stands before every target, as the provider sees them; signatures cover both.
    protect: tell the redactor a secret that was made here (a token), before anything can show it.
    reread: look at the secrets' files now, and not at the next turn of the watch.
    generations: the secrets that this leg uses, each with how often it has changed; equal while none does.
    endpoint: a handler that sends calls to another address of the provider (its token endpoint), with timeout, retry,
    breaker and connections of its own; takes the URL of its root and the profile that judges its answers.
    """

    provider: str
    profile: Profile
    now: Callable[[], float]
    wall: Callable[[], float]
    random: Callable[[], float]
    emit: Callable[[Event], None]
    secret: Callable[[SecretRef], SecretSlot]
    account: str
    authority: bytes
    base_path: bytes
    protect: Callable[[str], None]
    reread: Callable[[], Awaitable[None]]
    generations: Callable[[], tuple[tuple[SecretRef, int], ...]]
    endpoint: Callable[[str, Profile], Handler]
