"""The rows about the sidecars themselves: credentials, and the processes."""

from typing import Final

from proxy.monitoring.panels import ALARM, Bars, Graph, Panel, Query, Row, Stat, Steps
from proxy.monitoring.queries import LEG, highest, increase, lowest, rate, series, standard, state, total, whole
from proxy.monitoring.tables import Column, Table

_EACH: Final = "provider, account, secret"
_KEYS: Final = {"provider": "Provider", "account": "Account"}
_WEEK: Final[Steps] = ((None, "red"), (86400, "orange"), (7 * 86400, "green"))


def credentials() -> Row:
    """Return what ends, what is refused, and what was read again."""
    held = f"{highest(state('credential_held'), _EACH)} == 1"
    tokens, certificates = (
        f"{lowest(state(f'{kind}_expiry_timestamp_seconds'), LEG)} - time()" for kind in ("credential", "certificate")
    )
    used_s = f"time() - ({highest(state('credential_last_used_timestamp_seconds'), _EACH)} > 0)"
    return Row(
        "Credentials",
        (
            Table(
                title="Certificates",
                text="How long the client certificate of each leg still holds.",
                keys=_KEYS,
                columns=(Column("Ends in", certificates, "dtdurations", _WEEK),),
                worst="Ends in",
                descending=False,
                runbook="certificate-expiring",
            ),
            Table(
                title="Access tokens",
                text="Fetched anew in time while there are calls; what has ended was not needed, or can't be fetched.",
                keys=_KEYS,
                columns=(Column("Ends in", tokens, "dtdurations"),),
                worst="Ends in",
                descending=False,
                runbook="token-renewal-failing",
            ),
            Bars(
                title="Live secrets, last used",
                text="Of two live secrets, how long ago each was sent. The old one may go once it is no longer used.",
                queries=(Query(used_s, "{{provider}} {{account}} {{secret}}"),),
                unit="s",
            ),
            Graph(
                title="Refused secrets",
                text="Secrets that the provider refuses again and again, and that are left alone for a while.",
                queries=(Query(held, "{{provider}} {{account}} {{secret}}"),),
                decimals=0,
                runbook="credential-refused",
            ),
            _tokens(),
            _secrets(),
        ),
        collapsed=True,
    )


def _tokens() -> Panel:
    return Graph(
        title="Access tokens fetched",
        text="By result; `failed` keeps the former token while it holds.",
        queries=(Query(increase(series("token_fetches_total"), "provider, result"), "{{provider}} {{result}}"),),
        decimals=0,
    )


def _secrets() -> Panel:
    reloads = increase(series("credential_reloads_total"), "provider, result")
    return Graph(
        title="Secrets read again",
        text="By result; `failed` keeps the last good secret in use.",
        queries=(Query(f"{reloads} > 0", "{{provider}} {{result}}"),),
        decimals=0,
        runbook="secret-unreadable",
    )


def processes() -> Row:
    """Return how the sidecars fare: versions, configuration, memory, CPU, connections, lost lines."""
    return Row("Sidecars", (*_fleet(), *_resources(), *_records()), collapsed=True)


def _fleet() -> tuple[Panel, ...]:
    refused = f"{total(whole('config_last_reload_successful'), 'instance')} == 0"
    return (
        Stat(
            title="Sidecars by version",
            text="More than one version while a new one rolls out.",
            queries=(Query("count by (version) (" + whole("build_info") + ")", "{{version}}"),),
            height=5,
        ),
        Stat(
            title="Ready, draining",
            text="Sidecars that take calls, and sidecars on their way down.",
            queries=(Query(total(whole("ready")), "ready"), Query(total(whole("draining")), "draining")),
            height=5,
        ),
        Stat(
            title="Refused configurations",
            text="Sidecars that go on with the last good configuration; `tidegate check` names the mistake.",
            queries=(Query(f"count({refused}) or vector(0)", "sidecars"),),
            steps=ALARM,
            height=5,
            runbook="config-reload-failed",
        ),
    )


def _resources() -> tuple[Panel, ...]:
    memory, files = (standard(f"process_{name}") for name in ("resident_memory_bytes", "open_fds"))
    cpu = f"rate({standard('process_cpu_seconds_total')}[$__rate_interval])"
    limit = standard("process_max_fds")
    return (
        _spread("Memory", "Resident memory of a sidecar; it should stay flat.", memory, "bytes"),
        _spread("CPU", "Cores that a sidecar uses; it has one event loop, so that 1 is full.", cpu, "short"),
        _spread("Callers connected", "Connections of the services.", whole("connections"), "short"),
        _spread("Files open", "Share of the file descriptors that are allowed.", f"{files} / {limit}", "percentunit"),
    )


def _spread(title: str, text: str, values: str, unit: str) -> Panel:
    """Return a graph of the highest and the average sidecar, which stays readable with hundreds of them."""
    queries = Query(f"max ({values})", "highest"), Query(f"avg ({values})", "average")
    return Graph(title=title, text=text, queries=queries, unit=unit, width=6)


def _records() -> tuple[Panel, ...]:
    lost = {"log_dropped": "log lines", "audit_dropped": "audit records", "spans_dropped": "spans"}
    return (
        Graph(
            title="Lost",
            text="Records that could not be written or sent in time; calls never wait for them.",
            queries=tuple(Query(rate(whole(f"{name}_total")), what) for name, what in lost.items()),
            unit="cps",
            width=6,
            runbook="log-dropped",
        ),
        Graph(
            title="Left out on purpose",
            text="Lines of successful calls that `log.sample` leaves out.",
            queries=(Query(rate(whole("log_sampled_total")), "log lines"),),
            unit="cps",
            width=6,
        ),
        Graph(
            title="Refused before they were calls",
            text="Malformed requests, too many connections, and requests that name no provider.",
            queries=(
                Query(rate(whole("requests_refused_total"), "reason"), "{{reason}}"),
                Query(rate(whole("requests_total", 'provider="-"'), "reason"), "{{reason}}"),
            ),
            unit="reqps",
            width=6,
        ),
        Graph(
            title="Actions and reloads",
            text="What operators did on the admin listener, and configurations that were read.",
            queries=(
                Query(f"{increase(whole('admin_actions_total'), 'action, result')} > 0", "{{action}} {{result}}"),
                Query(f"{increase(whole('config_reloads_total'), 'result')} > 0", "configuration {{result}}"),
            ),
            decimals=0,
            width=6,
        ),
    )
