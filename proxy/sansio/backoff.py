"""How long to wait before another attempt when the provider does not say."""

_LAST_DOUBLING = 62  # far beyond any cap; keeps 2**n from overflowing a float


class Backoff:
    """Full jitter: a uniform share of a wait that doubles up to a cap.

    base_s: first wait after a transient failure; throttled_base_s: first wait after the provider asked us to
    slow down; cap_s: no wait is longer. Seconds.

    Source: AWS SDKs' standard retry mode of November 2026.
    """

    def __init__(self, base_s: float, throttled_base_s: float, cap_s: float) -> None:
        self._base_s = base_s
        self._throttled_base_s = throttled_base_s
        self._cap_s = cap_s

    def wait_s(self, failures: int, throttled: bool, random: float) -> float:
        """Say how long to wait after so many failed attempts.

        failures: 1 or more. throttled: whether the last one was. random: uniform in [0, 1).
        Returns: seconds in [0, cap).
        """
        base_s = self._throttled_base_s if throttled else self._base_s
        return random * min(self._cap_s, base_s * 2.0 ** min(failures - 1, _LAST_DOUBLING))
