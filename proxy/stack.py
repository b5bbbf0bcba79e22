"""The order of the policies, with the reason for each place, and how a provider's stack is built from them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

from proxy.core.call import Call, Handler, Policy, Reply
from proxy.core.runtime import Runtime
from proxy.policies.breaker import Breaker
from proxy.policies.bulkhead import Bulkhead
from proxy.policies.credential import Credential
from proxy.policies.deadline import Deadline
from proxy.policies.idempotency import Idempotency
from proxy.policies.rate_limit import RateLimit
from proxy.policies.retry import Retry
from proxy.policies.timeout import Timeout

PER_CALL: Final[tuple[type[Policy], ...]] = (
    Idempotency,  # puts the provider's key in once, so that all attempts share it
    Deadline,  # bounds everything below that waits
    Bulkhead,  # one sick provider must not hold all of the process
)

PER_UPSTREAM: Final[tuple[type[Policy], ...]] = (
    Retry,  # outside breaker and limiter, because the provider counts every attempt
    Breaker,  # before the limiter: an open circuit must not burn a token
    RateLimit,  # the last wait before the wire
    Credential,  # after every wait, so that a short-lived token is fresh; works on a copy of the call
    Timeout,  # one attempt
)
# then Send, the upstream's engine

PER_ENDPOINT: Final[tuple[type[Policy], ...]] = (
    Retry,  # in the same order as above, for calls of tidegate's own such as those for an access token
    Breaker,
    Timeout,
)


def build(
    section: Callable[[str], Any],
    runtime: Runtime,
    send: Handler,
    policies: tuple[type[Policy], ...] = PER_CALL + PER_UPSTREAM,
) -> tuple[Handler, list[Policy]]:
    """Wrap `send` in the policies, innermost last; a section that is off (False) or not needed is an absent layer.

    section: gives the validated Config of a section, or False.
    Returns: the top of the stack, and its layers from the outside in.
    """
    handler = send
    layers: list[Policy] = []
    for policy in reversed(policies):
        config = section(policy.section)
        if config is not False and policy.needed(config, runtime.profile):
            handler = layer = cast(Any, policy)(handler, config, runtime)
            layers.insert(0, layer)
    return handler, layers


def joint(legs: Mapping[str | None, Handler]) -> Handler:
    """Return the handler between the two tuples where a provider has accounts: it picks the leg of a call's account.

    legs: by account, None for the provider's own. The listener has made sure that the account exists.
    """

    def pick(call: Call) -> Awaitable[Reply]:
        return legs[call.account](call)

    return pick


def take_over(layers: list[Policy], old: list[Policy]) -> None:
    """Let each layer go on with what the old one of the same section knew."""
    before = {layer.section: layer for layer in old}
    for layer in layers:
        if layer.section in before:
            layer.adopt(before[layer.section])


def keep_overrides(layers: list[Policy], old: list[Policy]) -> None:
    """Do to each layer what an operator did to the old one of the same section, and has not taken back."""
    before = {layer.section: layer for layer in old}
    for layer in layers:
        for name in before[layer.section].overrides if layer.section in before else ():
            layer.actions[name]()
