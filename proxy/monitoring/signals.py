"""The rows that tell whether something is wrong, and with whom: overview, golden signals."""

from typing import Final

from proxy.monitoring.panels import ALARM, WARNING, Graph, Panel, Query, Row, Stat, Steps
from proxy.monitoring.queries import (
    LEG,
    NOW,
    answered_share,
    count,
    highest,
    lowest,
    quantile,
    rate,
    series,
    state,
    total,
    whole,
)
from proxy.monitoring.tables import Column, Table

UID: Final = "tidegate"
"""By which Grafana knows the dashboard: a newer one takes the place of the former."""

_FEW: Final = 6  # tiles that can be read from afar
_AVAILABLE: Final[Steps] = ((None, "red"), (0.95, "orange"), (0.99, "yellow"), (0.999, "green"))
_PAUSED: Final[Steps] = ((None, "text"), (60, "red"))
_FAILING: Final[Steps] = ((None, "green"), (0.05, "red"))
_BY_CODE: Final = {"2": "green", "3": "blue", "4": "yellow", "5": "red", "0": "text"}
_ONLY_THIS: Final = (
    f"/d/{UID}?${{datasource:queryparam}}&${{job:queryparam}}&${{instance:queryparam}}"
    "&var-provider=${__value.text}&${__url_time_range}"
)
_FIRING: Final = (
    'ALERTS_FOR_STATE{alertname=~"Tidegate.*",provider=~"$provider|",job=~"$job|"}'
    ' and ignoring (alertstate) ALERTS{alertstate="firing"}'
)
_OPEN: Final = highest(state("breaker_state", 'state="open"'), LEG)
_PAUSED_S: Final = highest(state("pause_remaining_seconds"), "provider")
_REFUSED: Final = f"{highest(state('credential_held'), f'{LEG}, secret')} == 1"
_NOT_READY: Final = f"{whole('ready')} == 0"
_MISCONFIGURED: Final = f"{whole('config_last_reload_successful')} == 0"
# A token that ended says nothing: it is fetched again when a call needs one.
_UNFETCHED: Final = f"""{rate(series("token_fetches_total", 'result="failed"'), "provider", "15m")} > 0"""
_ENDING: Final = f"{lowest(series('certificate_expiry_timestamp_seconds'), LEG)} - time() < 7 * 86400"
_CALLS: Final = rate(series("requests_total"), "provider", NOW)
# Above 0, because a percentile of no calls is no number.
_P50_S, _P95_S = (quantile(share, "request_duration_seconds", "provider", NOW) + " > 0" for share in (0.5, 0.95))


def overview() -> Row:
    """Return what is looked at first: what is wrong now, and with which provider."""
    return Row("Overview", (*_troubles(), *_worst(), _providers(), _alerts()))


def _troubles() -> tuple[Panel, ...]:
    return (
        _trouble("Alerts firing", "Alerts of `tidegate rules`; the table below names them.", count(_FIRING)),
        _trouble(
            "Circuits open",
            "Providers and accounts to which at least one sidecar sends nothing but a probe now and then.",
            count(f"{_OPEN} == 1"),
        ),
        _trouble(
            "Providers paused",
            "Providers that asked for a pause (429, or 503 with a time), or whose quota is used up.",
            count(f"{_PAUSED_S} > 0"),
            WARNING,
        ),
        _trouble(
            "Credentials in trouble",
            "Secrets that a provider refuses, access tokens that can't be fetched, certificates with a week left.",
            f"{count(_REFUSED)} + {count(_UNFETCHED)} + {count(_ENDING)}",
        ),
        _trouble(
            "Overrides on",
            "Policies that an operator opened, closed or set to report, and did not take back.",
            count(f"{highest(state('operator_override'), f'{LEG}, section')} == 1"),
            WARNING,
        ),
        _trouble(
            "Sidecars in trouble",
            "Sidecars that are not ready, and sidecars that refused the present configuration and go on with the last.",
            f"{count(_NOT_READY)} + {count(_MISCONFIGURED)}",
        ),
    )


def _trouble(title: str, text: str, expr: str, steps: Steps = ALARM) -> Panel:
    return Stat(title=title, text=text, queries=(Query(expr),), steps=steps, width=4, height=4)


def _worst() -> tuple[Panel, ...]:
    return (
        Stat(
            title="Availability, lowest",
            text="Share of calls of the last five minutes that ended well, of those that provider and network owed.",
            queries=(Query(f"bottomk({_FEW}, {answered_share('provider', NOW)})", "{{provider}}"),),
            unit="percentunit", most=1, decimals=2, steps=_AVAILABLE, height=5,
        ),
        Stat(
            title="Calls per second, most",
            text="Calls of the last five minutes, whatever became of them.",
            queries=(Query(f"topk({_FEW}, {_CALLS})", "{{provider}}"),),
            unit="reqps", height=5,
        ),
        Stat(
            title="p95 latency, highest",
            text="95 % of the calls of the last five minutes took no longer, waiting and retries included.",
            queries=(Query(f"topk({_FEW}, {_P95_S})", "{{provider}}"),),
            unit="s", height=5,
        ),
    )  # fmt: skip


def _providers() -> Panel:
    refused = rate(series("requests_total", 'source="sidecar"'), "provider", NOW)
    return Table(
        title="Providers",
        text="Every provider in the last five minutes. A click on a name shows that provider alone, in all panels.",
        width=24,
        height=9,
        keys={"provider": "Provider"},
        leads={"Provider": _ONLY_THIS},
        columns=(
            Column("Availability", answered_share("provider", NOW), "percentunit", _AVAILABLE, 2),
            Column("Calls/s", _CALLS, "reqps"),
            Column("p50", _P50_S, "s"),
            Column("p95", _P95_S, "s"),
            Column("Refused by tidegate/s", refused, "reqps"),
            Column("Retries/s", rate(series("retries_total"), "provider", NOW), "reqps"),
            Column("In flight", total(series("in_flight"), "provider")),
            Column("Waiting", total(series("queue_depth"), "provider")),
            Column("Open circuits", total(series("breaker_state", 'state="open"'), "provider"), steps=ALARM),
            Column("Paused for", highest(series("pause_remaining_seconds"), "provider"), "s", _PAUSED),
        ),
        worst="Availability",
        descending=False,
    )


def _alerts() -> Panel:
    return Table(
        title="Alerts",
        text="What fires of the rules that `tidegate rules` writes; empty where Prometheus has not loaded them.",
        width=24,
        height=6,
        keys={"alertname": "Alert", "severity": "Severity", "provider": "Provider", "path": "Path"},
        columns=(
            Column("Since", f"1000 * max by (alertname, severity, provider, path) ({_FIRING})", "dateTimeFromNow"),
        ),
        worst="Since",
        runbook="README",
    )


def golden() -> Row:
    """Return traffic, errors, latency and saturation."""
    return Row("Golden signals", (*_traffic(), *_errors(), *_latency(), *_saturation()))


def _traffic() -> tuple[Panel, ...]:
    return (
        Graph(
            title="Calls",
            text="Calls per second, whatever became of them.",
            queries=(Query(rate(series("requests_total"), "provider"), "{{provider}}"),),
            unit="reqps",
        ),
        Graph(
            title="Answers by status and source",
            text="Who answered: provider, tidegate in its place (sidecar), or nobody (network). 0: the caller left.",
            queries=(Query(rate(series("requests_total"), "code, source"), "{{code}} {{source}}"),),
            unit="reqps", stacked=True, colours=_BY_CODE,
        ),
        Graph(
            title="Bytes",
            text="Body bytes to and from the providers.",
            queries=(
                Query(rate(series("request_bytes_total"), "provider"), "{{provider}} sent"),
                Query(rate(series("response_bytes_total"), "provider"), "{{provider}} received"),
            ),
            unit="Bps",
        ),
    )  # fmt: skip


def _errors() -> tuple[Panel, ...]:
    refused = series("requests_total", 'source="sidecar"')
    failed = series("requests_total", 'source="network"'), series("requests_total", 'source="provider"', 'code=~"5.."')
    mistaken = series("requests_total", 'source="provider"', 'code=~"4.."')
    by_cause = "{{provider}} {{code}} {{reason}}"
    return (
        Graph(
            title="Share of failed calls",
            text="What provider and network failed, of the calls that they owed an answer; dashed: 5 %, which alerts.",
            queries=(Query(f"1 - {answered_share('provider')}", "{{provider}}"),),
            unit="percentunit", most=1, steps=_FAILING, width=12, runbook="error-rate-high",
        ),
        Graph(
            title="Failed calls",
            text="The provider's 5xx, and what the network did instead of an answer.",
            queries=tuple(Query(rate(one, "provider, code, reason"), by_cause) for one in failed),
            unit="reqps", width=12,
        ),
        Graph(
            title="Refused by tidegate",
            text="Calls that did not leave, by reason: own limits, open circuits, pauses, deadlines, missing secrets.",
            queries=(Query(rate(refused, "provider, reason"), "{{provider}} {{reason}}"),),
            unit="reqps", width=12,
        ),
        Graph(
            title="Refused by the provider",
            text="4xx by status: 401 and 403 speak of the credential, 429 of the limit, the rest of the caller's code.",
            queries=(Query(rate(mistaken, "provider, code"), "{{provider}} {{code}}"),),
            unit="reqps", width=12,
        ),
    )  # fmt: skip


def _latency() -> tuple[Panel, ...]:
    text = "{0} % of calls took no longer, waiting and retries included. Estimated within the histogram's buckets."
    percentiles = tuple(
        Graph(
            title=f"Latency p{share * 100:.0f}",
            text=text.format(f"{share * 100:.0f}"),
            queries=(Query(quantile(share, "request_duration_seconds", "provider"), "{{provider}}"),),
            unit="s",
        )
        for share in (0.5, 0.95, 0.99)
    )
    calls = rate(series("request_duration_seconds_count"))
    phases, waited, own = (series(f"{name}_seconds_sum") for name in ("upstream_duration", "limiter_wait", "overhead"))
    whole_s = rate(series("request_duration_seconds_sum"))
    rest = f"clamp_min({whole_s} - {rate(phases)} - {rate(waited)} - {rate(own)}, 0)"
    return (
        *percentiles,
        Graph(
            title="Where the time of a call goes",
            text="Seconds of an average call: phases of its last attempt, tidegate's own work, and waiting. The rest:"
            " the queue of the bulkhead, earlier attempts, and what is between them.",
            queries=(
                Query(f"{rate(phases, 'phase')} / on () group_left () ({calls} > 0)", "{{phase}}"),
                Query(f"{rate(waited)} / ({calls} > 0)", "limiter"),
                Query(f"{rate(own)} / ({calls} > 0)", "tidegate"),
                Query(f"{rest} / ({calls} > 0)", "rest"),
            ),
            unit="s", stacked=True,
        ),
    )  # fmt: skip


def _saturation() -> tuple[Panel, ...]:
    return (
        Graph(
            title="In flight",
            text="Calls that hold one of `bulkhead.in_flight` places, over all sidecars.",
            queries=(Query(total(series("in_flight"), "provider"), "{{provider}}"),),
        ),
        Graph(
            title="Waiting",
            text="Calls that wait for a place or for a token of the rate limit, over all sidecars.",
            queries=(Query(total(series("queue_depth"), LEG), "{{provider}} {{account}}"),),
            runbook="bulkhead-full",
        ),
    )
