"""Recording and alerting rules for exactly the providers that are configured, summed up over all replicas."""

import re
import shlex
from collections.abc import Iterator
from typing import Final

from proxy import __version__
from proxy.monitoring.budget_alerts import budget_groups
from proxy.monitoring.groups import Group
from proxy.monitoring.process_alerts import process_group
from proxy.monitoring.promql import Series
from proxy.monitoring.provider_alerts import provider_group
from proxy.settings import Settings

RUNBOOKS: Final = "deploy/runbooks"
"""Where the runbooks lie unless it is said: the folder in tidegate's own sources."""

_NO_NAME: Final = re.compile(r"[^a-z0-9]+")


def groups(settings: Settings, job: str = "") -> list[Group]:
    """Return the groups of rules: objectives, providers, and the sidecars themselves; an empty one is left out."""
    series = Series(job)
    found = [*budget_groups(settings, series), provider_group(settings, series), process_group(settings, series)]
    return [group for group in found if group.rules]


def render(settings: Settings, runbooks: str, *, kubernetes: bool = False, job: str = "") -> str:
    """Write the rules as YAML, in the same order each time.

    runbooks: folder or URL that the alerts link to. kubernetes: as a PrometheusRule of the Prometheus operator.
    job: counts only what this scrape job brings, where several services have sidecars; "" counts all.
    """
    return "\n".join(_lines(settings, runbooks, kubernetes=kubernetes, job=job)) + "\n"


def _lines(settings: Settings, runbooks: str, *, kubernetes: bool, job: str) -> Iterator[str]:
    options = [("--kubernetes", kubernetes), (f"--job {shlex.quote(job)}", job)]
    options.append((f"--runbooks {shlex.quote(runbooks)}", runbooks != RUNBOOKS))
    command = " ".join(("tidegate rules", *(text for text, is_set in options if is_set)))
    yield f"# Made by `{command}` of tidegate {__version__}."
    yield "# Make it anew when the configuration changes; what is edited here is lost then."
    yield "# yamllint disable rule:line-length"
    indent = "    " if kubernetes else "  "
    if kubernetes:
        name = "-".join(("tidegate", *filter(None, (_NO_NAME.sub("-", job.lower()).strip("-"),))))
        yield "apiVersion: monitoring.coreos.com/v1"
        yield "kind: PrometheusRule"
        yield f"metadata:\n  name: {name}\n  labels: {{app.kubernetes.io/name: tidegate}}"
        yield "spec:\n  groups:"
    else:
        yield "groups:"
    for group in groups(settings, job):
        yield from (f"{indent}{line}" if line else "" for line in group.written(runbooks, job))
