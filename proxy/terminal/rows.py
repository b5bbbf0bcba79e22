"""From the state of a running tidegate to what `tidegate top` shows: plain text with how grave it is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from proxy.edge.observe.console import printable
from proxy.sansio.error_budget import BURNS

FINE, QUIET, ODD, GRAVE = 0, -1, 1, 2
"""How grave: as it should be, nothing to tell, worth a look, trouble."""

_SLA_BREACH: Final = 0.05  # of the calls failed: the alert's own threshold
_LITTLE: Final = 0.25
_MOST_OVERSPENT: Final = -9.99  # a figure that says no more than this needs no more room
_MONTH_S: Final = 30 * 86400.0
_WIDEST_NAME: Final = 24
_UNITS: Final = ((86400.0, "d"), (3600.0, "h"), (60.0, "m"))


class Cell(NamedTuple):
    """What stands in a row, and how grave it is."""

    text: str
    grave: int = FINE


class Row(NamedTuple):
    """One provider. grave: of its gravest cell."""

    cells: tuple[Cell, ...]
    grave: int


COLUMNS: Final = (
    ("provider", 0), ("calls/s", 1), ("p50", 6), ("p95", 2), ("p99", 7), ("failed", 0), ("breaker", 0), ("budget", 3),
    ("burn", 4), ("limiter", 5), ("in flight", 3), ("pause", 2), ("credential", 1),
)  # fmt: skip
"""Titles, and what goes first where there is no room: the highest number."""

_NOTHING: Final = Cell("-", QUIET)
Told = Mapping[str, Any]


def rows(state: Told) -> list[Row]:
    """Return one row per provider, trouble first, then by name."""
    told = [_row(one, _number(state, "now_ts") or 0.0) for one in _maps(state, "providers")]
    return sorted(told, key=lambda row: (-max(row.grave, FINE), row.cells[0].text))


def headlines(state: Told) -> Iterator[Cell]:
    """Yield what concerns the whole process, one line each."""
    up_s = (_number(state, "now_ts") or 0.0) - (_number(state, "started_ts") or 0.0)
    draining, ready = state.get("draining") is True, state.get("ready") is True
    word = "draining" if draining else "ready" if ready else "not ready"
    about = [f"tidegate {_text(state, 'version')}", word, f"up {lasting(up_s)}"]
    about.append(f"{_number(state, 'connections') or 0:.0f} connections")
    yield Cell(" · ".join(about), FINE if word == "ready" else GRAVE)
    if not draining:
        yield from (Cell(f"not ready: {printable(str(one))}", GRAVE) for one in _list(state, "readiness"))
    problems = _list(_map(state, "config"), "problems")
    yield from (Cell(f"configuration refused: {printable(str(one))}", GRAVE) for one in problems)
    if dropped := _number(_map(state, "log"), "dropped"):
        yield Cell(f"{dropped:.0f} log lines were dropped", ODD)


def _row(one: Told, now_ts: float) -> Row:
    sections, latency = _map(one, "sections"), _map(one, "latency")
    accounts = _map(sections, "accounts")
    legs = {"": sections, **{name: _map(accounts, name) for name in accounts}}
    cells = (
        Cell(_text(one, "name")[:_WIDEST_NAME]),
        _rate(latency),
        *(Cell(_took(_number(latency, key))) for key in ("p50_s", "p95_s", "p99_s")),
        _failed(latency),
        _gravest(_breaker(account, leg) for account, leg in legs.items()),
        *_objectives(_maps(one, "slo")),
        _gravest(_limiter(leg) for leg in legs.values()),
        _in_flight(sections),
        _gravest(_pause(leg) for leg in legs.values()),
        _gravest(_credential(leg, now_ts) for leg in legs.values()),
    )
    return Row(cells, max(cell.grave for cell in cells))


def _gravest(cells: Iterator[Cell]) -> Cell:
    return max(cells, key=lambda cell: cell.grave, default=_NOTHING)


def _rate(latency: Told) -> Cell:
    rate = _number(latency, "rate")
    return Cell(f"{rate:.1f}") if rate else _NOTHING


def _failed(latency: Told) -> Cell:
    failed = _number(latency, "failed")
    if failed is None:
        return _NOTHING
    return Cell(f"{failed:.1%}", GRAVE if failed >= _SLA_BREACH else ODD if failed else FINE)


def _breaker(account: str, leg: Told) -> Cell:
    breaker = _map(leg, "breaker")
    state = _text(breaker, "state")
    if not state:
        return _NOTHING
    whose = f"{printable(account)}: " if account else ""
    if forced := _text(breaker, "forced"):
        return Cell(f"{whose}forced {forced}", GRAVE if forced == "open" else ODD)
    if state == "open":
        opens_for_s = _number(breaker, "opens_for_s")
        return Cell(f"{whose}open {lasting(opens_for_s)}" if opens_for_s else f"{whose}open, probe due", GRAVE)
    return Cell(f"{whose}{state}", ODD) if state != "closed" else Cell(state)


def _objectives(told: Sequence[Told]) -> tuple[Cell, Cell]:
    """Return the least budget and the worst burn of all objectives."""
    budgets = [left for one in told if (left := _number(one, "budget_remaining")) is not None]
    if not budgets:
        return _NOTHING, _NOTHING
    least = min(budgets)
    figure = f"<{_MOST_OVERSPENT:.0%}" if least < _MOST_OVERSPENT else f"{least:.0%}"
    budget = Cell(figure, GRAVE if least <= 0 else ODD if least < _LITTLE else FINE)
    burns = [_map(one, "burn") for one in told]
    known = [(rate, window) for burn in burns for window in burn if (rate := _number(burn, window)) is not None]
    worst = max(known, key=lambda one: one[0], default=None)  # of equals the first, which is the shortest window
    if worst is None or not worst[0]:
        return budget, _NOTHING
    return budget, Cell(f"{worst[0]:.1f}x {printable(worst[1])}", max(map(_burning, told)))


def _burning(objective: Told) -> int:
    """Return how grave the alert is that an objective's burn raises."""
    burn, window_s = _map(objective, "burn"), _number(objective, "window_s") or _MONTH_S
    raised = (
        one for one in BURNS
        if min(_number(burn, one.long) or 0.0, _number(burn, one.short) or 0.0) >= one.factor(window_s)
    )  # fmt: skip
    return max((GRAVE if one.severity == "page" else ODD for one in raised), default=FINE)


def _limiter(leg: Told) -> Cell:
    limiter = _map(leg, "rate_limit")
    fills = [_fill(one) for one in _maps(limiter, "limits")]
    waiting = _number(limiter, "waiting") or 0
    if not fills and not waiting:
        return _NOTHING
    text = f"{min(fills):.0%}" if fills else ""
    return Cell(f"{text} {waiting:.0f} wait".strip(), ODD) if waiting else Cell(text)


def _fill(limit: Told) -> float:
    count, tokens = _text(limit, "limit").partition("/")[0], _number(limit, "tokens") or 0.0
    return tokens / int(count) if count.isdecimal() and int(count) else 0.0


def _in_flight(sections: Told) -> Cell:
    bulkhead = _map(sections, "bulkhead")
    in_flight, queued = _number(bulkhead, "in_flight"), _number(bulkhead, "queued") or 0
    if not in_flight:
        return _NOTHING
    return Cell(f"{in_flight:.0f}+{queued:.0f}", ODD) if queued else Cell(f"{in_flight:.0f}")


def _pause(leg: Told) -> Cell:
    limiter = _map(leg, "rate_limit")
    paused_s = _number(limiter, "paused_s") or 0.0
    if not paused_s:
        return _NOTHING
    return Cell(f"{'held ' if limiter.get('held') else ''}{lasting(paused_s)}", GRAVE if limiter.get("held") else ODD)


def _credential(leg: Told, now_ts: float) -> Cell:
    credential = _map(leg, "credential")
    if not credential:
        return _NOTHING
    live = _maps(credential, "live")
    if any(one.get("loaded") is False for one in _maps(credential, "secrets")):
        return Cell("missing", GRAVE)
    if held_s := max((_number(one, "held_s") or 0.0 for one in live), default=0.0):
        return Cell(f"held {lasting(held_s)}", GRAVE)
    if _text(credential, "token_problem"):
        return Cell("no token" if _text(credential, "token") == "none" else "token fails", GRAVE)
    if any(_number(one, "refusals") for one in live):
        return Cell("refused", ODD)
    expires_ts = _number(credential, "expires_ts")
    return Cell("ok") if expires_ts is None else Cell(f"ok {lasting(max(0.0, expires_ts - now_ts))}")


def lasting(seconds: float) -> str:
    """Write a time at a glance: `59s`, `3m`, `2h`, `5d`."""
    for unit_s, unit in _UNITS:
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"


def _took(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds >= 1:
        return f"{seconds:.1f}s"
    return f"{seconds * 1000:.0f}ms" if seconds >= 0.01 else f"{seconds * 1000:.1f}ms"


# What another version tells may look otherwise, and must not end the display.


def _map(value: Told, key: str) -> Told:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _list(value: Told, key: str) -> list[Any]:
    found = value.get(key)
    return found if isinstance(found, list) else []


def _maps(value: Told, key: str) -> list[Told]:
    return [one for one in _list(value, key) if isinstance(one, dict)]


def _number(value: Told, key: str) -> float | None:
    found = value.get(key)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _text(value: Told, key: str) -> str:
    found = value.get(key)
    return printable(found) if isinstance(found, str) else ""
