"""How the dashboard asks Prometheus: which series, of which sidecars, and added up by what."""

from typing import Final

from proxy.monitoring.promql import GOOD, OWED

RATE_INTERVAL: Final = "$__rate_interval"
"""What Grafana fits to the scrape interval and the width of a graph."""

NOW: Final = "5m"
"""What tiles and tables call the present."""

LEG: Final = "provider, account"
"""The labels that tell legs apart."""

_SIDECARS: Final = ('job=~"$job"', 'instance=~"$instance"')


def series(metric: str, *matchers: str) -> str:
    """Select a metric of the chosen providers."""
    return whole(metric, 'provider=~"$provider"', *matchers)


def state(metric: str, *matchers: str) -> str:
    """Select a metric of the chosen providers and of their token endpoints, which are called NAME/token."""
    return whole(metric, 'provider=~"$provider(/.+)?"', *matchers)


def whole(metric: str, *matchers: str) -> str:
    """Select a metric of the chosen sidecars, whatever the provider."""
    return f"tidegate_{metric}{{{','.join((*_SIDECARS, *matchers))}}}"


def standard(metric: str) -> str:
    """Select a metric that every program has, of the chosen sidecars alone. metric: the whole name."""
    return f"{metric}{{{','.join(_SIDECARS)}}}"


def rate(selected: str, by: str = "", window: str = RATE_INTERVAL) -> str:
    """Add up what counters gain per second. by: labels to keep."""
    return f"sum{_by(by)} (rate({selected}[{window}]))"


def increase(selected: str, by: str) -> str:
    """Add up what counters gain from one point of a graph to the next."""
    return f"sum{_by(by)} (increase({selected}[{RATE_INTERVAL}]))"


def total(selected: str, by: str = "") -> str:
    """Add up gauges."""
    return f"sum{_by(by)} ({selected})"


def highest(selected: str, by: str = "") -> str:
    """Return the highest of the sidecars' gauges."""
    return f"max{_by(by)} ({selected})"


def lowest(selected: str, by: str = "") -> str:
    """Return the lowest of the sidecars' gauges."""
    return f"min{_by(by)} ({selected})"


def count(found: str) -> str:
    """Return how many series there are, and 0 where there are none."""
    return f"(count({found}) or vector(0))"


def quantile(share: float, metric: str, by: str, window: str = RATE_INTERVAL) -> str:
    """Estimate a percentile from a histogram.

    by: labels to keep. `provider` must be among them where latencies are asked for: their buckets have bounds of each
    provider's own objectives, and different bounds can't be added up.
    """
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, {rate(series(f'{metric}_bucket'), labels, window)})"


def answered_share(by: str, window: str = RATE_INTERVAL) -> str:
    """Return the share of calls that came to a good end, of those for which provider and network owed one.

    Judged by status and reason, so that it can be told of every provider, as `tidegate rules` judges the error rate.
    What the sidecar refused, and what the provider refused as the caller's mistake (4xx, 501, 505), does not count.
    """
    owed, good = rate(series("requests_total", *OWED), by, window), rate(series("requests_total", *GOOD), by, window)
    # There is no series of good calls before the first one.
    return f"({good} or 0 * {owed}) / ({owed} > 0)"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""
