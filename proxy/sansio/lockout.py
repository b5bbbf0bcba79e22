"""When somebody who keeps failing is not listened to for a while, so that guessing is slow and its noise bounded."""

from collections import OrderedDict
from typing import Final

MOST_FAILURES: Final = 10
WITHIN_S: Final = 60.0
LOCKED_S: Final = 60.0
_MOST_NAMES: Final = 1024


class Lockout:
    """Counts failures by name, such as a caller's address. All instants are monotonic seconds.

    Ten failures within a minute, and the name is locked for a minute; then it begins without a past. Of more than
    1,024 names the one not heard of for longest is forgotten.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, int]] = OrderedDict()  # when it all began to count, and failures

    def left_s(self, name: str, now: float) -> float:
        """Tell the seconds for which a name is still locked, 0.0 when it is not."""
        since, failures = self._known.get(name, (now, 0))
        return max(0.0, since + LOCKED_S - now) if failures >= MOST_FAILURES else 0.0

    def failed(self, name: str, now: float) -> bool:
        """Hear of a failure of a name that is not locked. Returns: whether that locks it."""
        since, failures = self._known.pop(name, (now, 0))
        if now - since >= WITHIN_S:
            since, failures = now, 0
        locks = failures + 1 == MOST_FAILURES
        self._known[name] = (now if locks else since, failures + 1)
        if len(self._known) > _MOST_NAMES:
            self._known.popitem(last=False)
        return locks

    def succeeded(self, name: str) -> None:
        """Forget what a name did before."""
        self._known.pop(name, None)
