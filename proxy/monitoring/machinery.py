"""The rows that tell what tidegate does about it: breaker, limiter, retries, and what that costs."""

from typing import Final

from proxy.monitoring.panels import Graph, Panel, Query, Row, Timeline
from proxy.monitoring.queries import (
    LEG,
    highest,
    increase,
    lowest,
    quantile,
    rate,
    series,
    standard,
    state,
    total,
    whole,
)
from proxy.monitoring.tables import Column, Table

_WHO: Final = "{{provider}} {{account}}"
_LANES: Final = {0: ("closed", "green"), 1: ("half open", "yellow"), 2: ("open", "red")}


def policies() -> Row:
    """Return breaker, limiter, pauses, and what a policy in report mode or an operator changes in them."""
    return Row("Breaker and limiter", (*_circuits(), *_limits(), *_changed()))


def _circuits() -> tuple[Panel, ...]:
    opened, probing = (state("breaker_state", f'state="{name}"') for name in ("open", "half_open"))
    return (
        Timeline(
            title="Circuits",
            text="The worst state of any sidecar: open refuses all calls, half open lets probes through.",
            queries=(Query(highest(f"2 * {opened} or {probing}", LEG), _WHO),),
            states=_LANES,
            width=12,
            height=9,
            runbook="breaker-open",
        ),
        Graph(
            title="Sidecars with an open circuit",
            text="One alone: look at that sidecar's network. All of them: it is the provider.",
            queries=(Query(f"{total(opened, LEG)} > 0", _WHO),),
            width=12,
            height=9,
            decimals=0,
            runbook="breaker-open",
        ),
    )


def _limits() -> tuple[Panel, ...]:
    return (
        Graph(
            title="Tokens left",
            text="Calls that may go out at once by each limit, of the sidecar that has least; at 0 calls wait.",
            queries=(Query(lowest(state("limiter_tokens"), f"{LEG}, limit"), f"{_WHO} {{{{limit}}}}"),),
            runbook="limiter-saturated",
        ),
        Graph(
            title="Waiting for the limiter, p95",
            text="Most calls should not wait; near `rate_limit.max_wait` they begin to be refused.",
            queries=(Query(quantile(0.95, "limiter_wait_seconds", "provider"), "{{provider}}"),),
            unit="s",
            runbook="limiter-saturated",
        ),
        Graph(
            title="Pauses",
            text="How long the provider's pauses still last, of the sidecar that waits longest.",
            queries=(Query(f"{highest(state('pause_remaining_seconds'), 'provider')} > 0", "{{provider}}"),),
            unit="s",
            runbook="provider-paused",
        ),
        Graph(
            title="New pauses and holds",
            text="Answers that began a pause (429, or 503 with a time), and quotas that were used up.",
            queries=(
                Query(f"{increase(state('pauses_total'), 'provider')} > 0", "{{provider}} pause"),
                Query(f"{increase(state('quota_holds_total'), 'provider')} > 0", "{{provider}} quota"),
            ),
            decimals=0,
        ),
    )


def _changed() -> tuple[Panel, ...]:
    return (
        Graph(
            title="Would have been refused",
            text="What policies in report mode let through; before `mode: enforce`, this should be what is meant.",
            queries=(Query(rate(state("would_refuse_total"), "provider, section"), "{{provider}} {{section}}"),),
            unit="reqps",
        ),
        Table(
            title="Overrides of operators",
            text="They hold until they are taken back (`POLICY.auto`) or the sidecar restarts.",
            keys={"provider": "Provider", "account": "Account", "section": "Policy", "state": "Set to"},
            columns=(
                Column(
                    "Sidecars",
                    f"{total(state('operator_override'), f'{LEG}, section, state')} > 0",
                ),
            ),
            worst="Sidecars",
            runbook="operator-override",
        ),
    )


def retries() -> Row:
    """Return retries by cause, and those that were not made."""
    tried, calls = (rate(series(name), "provider") for name in ("retries_total", "requests_total"))
    return Row(
        "Retries",
        (
            Graph(
                title="Retries by cause",
                text="A status, or: connect (no connection), dropped (no answer), timeout, throttled, unauthorised.",
                queries=(Query(rate(state("retries_total"), "provider, cause"), "{{provider}} {{cause}}"),),
                unit="reqps",
            ),
            Graph(
                title="Further attempts per call",
                text="Attempts beyond one per call; in the long run the retry budget keeps them below 20 %.",
                queries=(Query(f"{tried} / ({calls} > 0)", "{{provider}}"),),
                unit="percentunit",
            ),
            Graph(
                title="Retries not made",
                text="budget: too much failed already; wait_too_long: the deadline would have passed.",
                queries=(Query(rate(state("retries_denied_total"), "provider, why"), "{{provider}} {{why}}"),),
                unit="reqps",
                runbook="retry-budget-empty",
            ),
            Graph(
                title="Retry budget",
                text="Tokens of the sidecar that has least; below what a retry costs, none is made.",
                queries=(Query(lowest(state("retry_budget_tokens"), LEG), _WHO),),
                runbook="retry-budget-empty",
            ),
        ),
        collapsed=True,
    )


def overhead() -> Row:
    """Return what tidegate itself costs."""
    cpu, calls = rate(standard("process_cpu_seconds_total")), rate(whole("requests_total"))
    return Row(
        "Own overhead",
        (
            Graph(
                title="Own time of a call",
                text="Neither the provider's nor spent waiting. Usually below 1 ms; more where the sidecar lacks CPU.",
                queries=tuple(
                    Query(quantile(share, "overhead_seconds", ""), f"p{share * 100:.0f}") for share in (0.5, 0.95, 0.99)
                ),
                unit="s",
                runbook="overhead-high",
            ),
            Graph(
                title="Own time of a call, p99 by provider",
                text="Signing, masks and rewriting cost more with some providers than with others.",
                queries=(Query(quantile(0.99, "overhead_seconds", "provider"), "{{provider}}"),),
                unit="s",
                runbook="overhead-high",
            ),
            Graph(
                title="CPU per call",
                text="CPU time of all sidecars by all their calls; high while those are few, as some work is its own.",
                queries=(Query(f"{cpu} / ({calls} > 0)", "CPU per call"),),
                unit="s",
            ),
        ),
        collapsed=True,
    )
