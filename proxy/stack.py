"""The order of the policies, with the reason for each place, and how a provider's stack is built from them."""

from collections.abc import Callable
from typing import Any, Final, cast

from proxy.core.call import Handler, Policy
from proxy.core.runtime import Runtime
from proxy.policies.breaker import Breaker
from proxy.policies.bulkhead import Bulkhead
from proxy.policies.credential import Credential
from proxy.policies.deadline import Deadline
from proxy.policies.rate_limit import RateLimit
from proxy.policies.retry import Retry
from proxy.policies.timeout import Timeout

PER_CALL: Final[tuple[type[Policy], ...]] = (
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
# then Send, the provider's engine


def build(section: Callable[[str], Any], runtime: Runtime, send: Handler) -> tuple[Handler, list[Policy]]:
    """Wrap `send` in the policies, innermost last; a section that is off (False) is an absent layer.

    section: gives the validated Config of a section, or False.
    Returns: the top of the stack, and its layers from the outside in.
    """
    handler = send
    layers: list[Policy] = []
    for policy in reversed(PER_CALL + PER_UPSTREAM):
        config = section(policy.section)
        if config is not False:
            handler = layer = cast(Any, policy)(handler, config, runtime)
            layers.insert(0, layer)
    return handler, layers
