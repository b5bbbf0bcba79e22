"""How many retries a provider can be asked to bear, so that retries don't keep a sick one down."""

from proxy.core.outcome import Outcome

_COSTS = {Outcome.THROTTLED: 5.0}
_TRANSIENT_COST = 14.0


def retry_cost(outcome: Outcome) -> float:
    """Say what a retry after that outcome takes from the budget: 5 tokens when throttled, else 14.

    In a steady state throttled calls thereby cause at most 1/5, failing ones 1/14 of extra load.
    """
    return _COSTS.get(outcome, _TRANSIENT_COST)


class RetryBudget:
    """A bucket of tokens shared by all calls to one provider; retries pay from it, successes fill it.

    capacity: tokens when full, as at the start. per_second: tokens that come back by themselves; without
    them a provider that is called once an hour would stay without retries long after one bad day.

    Source: AWS SDKs' standard retry mode; the trickle and the refund of all costs of a call are ours.
    """

    def __init__(self, capacity: float, per_second: float) -> None:
        self._capacity = self._tokens = float(capacity)
        self._per_second = per_second
        self._filled_at = float("inf")  # nothing trickles until the first token has been taken

    def admit(self, cost: float, now: float) -> bool:
        """Decide whether a retry may be made, and take its cost if so."""
        self._tokens, self._filled_at = self.tokens(now), now
        if cost > self._tokens:
            return False
        self._tokens -= cost
        return True

    def record(self, spent: float) -> None:
        """Hear of a call that succeeded. spent: what its retries cost, which comes back; 0 for a first try."""
        if self._tokens < self._capacity:
            self._tokens = min(self._capacity, self._tokens + (spent or 1.0))

    def tokens(self, now: float) -> float:
        """Return what is in the bucket."""
        trickle = max(0.0, now - self._filled_at) * self._per_second
        return min(self._capacity, self._tokens + trickle)
