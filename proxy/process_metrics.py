"""What Prometheus reads about the process itself: is it ready, is it going down, did it take its configuration."""

from collections.abc import Callable, Sequence

from proxy.edge.observe.metrics import Metrics
from proxy.process import Process


def tell_process(metrics: Metrics, process: Process, readiness: Callable[[], Sequence[str]]) -> None:
    """Let the metrics tell the process as it stands at each scrape. readiness: what keeps it from being ready."""
    metrics.also("tidegate_ready", "1 while /readyz says yes.", lambda: not readiness())
    metrics.also("tidegate_draining", "1 once tidegate goes down.", lambda: process.draining)
    metrics.also(
        "tidegate_config_last_reload_successful",
        "0 while the file that is there was refused, and an older configuration is at work.",
        lambda: not process.problems,
    )
    metrics.also(
        "tidegate_config_last_reload_timestamp_seconds",
        "When the configuration that is at work was read.",
        lambda: process.read_ts,
    )
