from typing import Any

import pytest

from proxy.terminal.rows import COLUMNS, FINE, GRAVE, ODD, QUIET, Cell, headlines, lasting, rows

TITLES = [title for title, _ in COLUMNS]


def state(*providers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "version": "1.2",
        "now_ts": 1000.0,
        "started_ts": 400.0,
        "ready": True,
        "providers": list(providers),
        **more,
    }


def cell(title: str, **provider: Any) -> Cell:
    (row,) = rows(state({"name": "acme", **provider}))
    return row.cells[TITLES.index(title)]


def section(title: str, **sections: Any) -> Cell:
    return cell(title, sections=sections)


@pytest.mark.parametrize(
    ("breaker", "shown"),
    [
        ({"state": "closed"}, ("closed", FINE)),
        ({"state": "open", "opens_for_s": 12.2}, ("open 12s", GRAVE)),
        ({"state": "open", "opens_for_s": 0.0}, ("open, probe due", GRAVE)),
        ({"state": "half_open"}, ("half_open", ODD)),
        ({"state": "closed", "forced": "open"}, ("forced open", GRAVE)),
        ({"state": "open", "forced": "closed"}, ("forced closed", ODD)),
        ({}, ("-", QUIET)),
    ],
)
def test_the_breaker(breaker: dict[str, Any], shown: tuple[str, int]) -> None:
    assert section("breaker", breaker=breaker) == shown


def test_of_several_accounts_the_gravest_is_shown() -> None:
    accounts = {"eu": {"breaker": {"state": "open", "opens_for_s": 90}}, "us": {"breaker": {"state": "closed"}}}
    assert section("breaker", breaker={"state": "closed"}, accounts=accounts) == ("eu: open 2m", GRAVE)


@pytest.mark.parametrize(
    ("latency", "shown"),
    [
        ({"rate": 0.0, "failed": None, "p50_s": None}, ["-", "-", "-"]),
        ({"rate": 12.34, "failed": 0.0, "p50_s": 0.0042}, ["12.3", "4.2ms", "0.0%"]),
        ({"rate": 1, "failed": 0.05, "p50_s": 0.25}, ["1.0", "250ms", "5.0%"]),
        ({"rate": 1, "failed": 1, "p50_s": 12.0}, ["1.0", "12.0s", "100.0%"]),
    ],
)
def test_rate_latency_and_failures(latency: dict[str, Any], shown: list[str]) -> None:
    assert [cell(title, latency=latency).text for title in ("calls/s", "p50", "failed")] == shown


@pytest.mark.parametrize(("failed", "grave"), [(0.0, FINE), (0.01, ODD), (0.05, GRAVE)])
def test_failures_are_grave_from_five_percent_on(failed: float, grave: int) -> None:
    assert cell("failed", latency={"failed": failed}).grave == grave


def objective(budget: float | None, **burn: float | None) -> dict[str, Any]:
    return {"budget_remaining": budget, "burn": {key[1:]: value for key, value in burn.items()}}


def test_of_several_objectives_the_least_budget_and_the_worst_burn_are_shown() -> None:
    slo = [objective(0.9, _1h=1.0, _5m=0.5), objective(0.2, _1h=16.0, _5m=15.0), objective(None, _1h=None)]
    assert cell("budget", slo=slo) == ("20%", ODD)
    assert cell("burn", slo=slo) == ("16.0x 1h", GRAVE)


@pytest.mark.parametrize(
    ("burn", "grave"),
    [
        ({"_1h": 20.0, "_5m": 1.0}, FINE),  # it is over
        ({"_6h": 6.0, "_30m": 6.0}, GRAVE),
        ({"_3d": 1.0, "_6h": 1.0}, ODD),
        ({"_3d": 0.9, "_6h": 5.0}, FINE),
    ],
)
def test_a_burn_is_as_grave_as_the_alert_that_it_raises(burn: dict[str, float], grave: int) -> None:
    assert cell("burn", slo=[objective(0.5, **burn)]).grave == grave


def test_of_equal_burns_the_one_of_the_shortest_window_is_shown() -> None:
    assert cell("burn", slo=[objective(0.5, _5m=2.0, _30m=2.0, _6h=2.0)]).text == "2.0x 5m"


@pytest.mark.parametrize(("days", "grave"), [(7, GRAVE), (30, FINE)])
def test_what_spends_a_week_s_budget_fast_is_slow_for_a_month_s(days: int, grave: int) -> None:
    slo = objective(0.5, _1h=4.0, _5m=4.0) | {"window_s": days * 86400.0}
    assert cell("burn", slo=[slo]).grave == grave


@pytest.mark.parametrize(
    ("left", "shown"),
    [
        (1.0, ("100%", FINE)),
        (0.0, ("0%", GRAVE)),
        (-0.5, ("-50%", GRAVE)),
        (-9.99, ("-999%", GRAVE)),
        (-999.0, ("<-999%", GRAVE)),
    ],
)
def test_the_budget(left: float, shown: tuple[str, int]) -> None:
    assert cell("budget", slo=[objective(left)]) == shown
    assert cell("burn", slo=[objective(left)]) == ("-", QUIET)


@pytest.mark.parametrize(
    ("limiter", "shown"),
    [
        ({"limits": [{"limit": "100/1s", "tokens": 50}, {"limit": "10/1h", "tokens": 2}]}, ("20%", FINE)),
        ({"limits": [{"limit": "100/1s", "tokens": 0}], "waiting": 7}, ("0% 7 wait", ODD)),
        ({"limits": [], "waiting": 1}, ("1 wait", ODD)),
        ({"limits": [], "waiting": 0}, ("-", QUIET)),
    ],
)
def test_the_limiter_shows_its_fullest_limit_and_who_waits(limiter: dict[str, Any], shown: tuple[str, int]) -> None:
    assert section("limiter", rate_limit=limiter) == shown


def test_calls_in_flight_and_in_the_queue() -> None:
    assert section("in flight", bulkhead={"in_flight": 0, "queued": 0}) == ("-", QUIET)
    assert section("in flight", bulkhead={"in_flight": 3, "queued": 0}) == ("3", FINE)
    assert section("in flight", bulkhead={"in_flight": 64, "queued": 9}) == ("64+9", ODD)


def test_a_pause_and_a_hold() -> None:
    assert section("pause", rate_limit={"paused_s": 0.0}) == ("-", QUIET)
    assert section("pause", rate_limit={"paused_s": 30.0}) == ("30s", ODD)
    assert section("pause", rate_limit={"paused_s": 3600.0, "held": True}) == ("held 1h", GRAVE)


@pytest.mark.parametrize(
    ("credential", "shown"),
    [
        ({"secrets": [{"loaded": True}], "live": [{"refusals": 0, "held_s": 0.0}]}, ("ok", FINE)),
        ({"secrets": [{"loaded": True}, {"loaded": False}]}, ("missing", GRAVE)),
        ({"secrets": [], "live": [{"held_s": 90.0}]}, ("held 2m", GRAVE)),
        ({"live": [{"refusals": 2, "held_s": 0.0}]}, ("refused", ODD)),
        ({"token": "none", "token_problem": "no"}, ("no token", GRAVE)),
        ({"token": "good", "token_problem": "no"}, ("token fails", GRAVE)),
        ({"expires_ts": 4600.0, "token": "good", "token_problem": ""}, ("ok 1h", FINE)),
    ],
)
def test_the_credential(credential: dict[str, Any], shown: tuple[str, int]) -> None:
    assert section("credential", credential={"scheme": "bearer", **credential}) == shown


def test_trouble_comes_first_and_the_rest_by_name() -> None:
    well = [{"name": name, "sections": {"breaker": {"state": "closed"}}} for name in ("b", "a", "z")]
    odd = {"name": "o", "sections": {"breaker": {"state": "half_open"}}}
    grave = {"name": "x", "sections": {"breaker": {"state": "open"}}}
    told = rows(state(*well, odd, grave))
    assert [row.cells[0].text for row in told] == ["x", "o", "a", "b", "z"]
    assert [row.grave for row in told] == [GRAVE, ODD, FINE, FINE, FINE]


def test_the_head_tells_version_readiness_and_connections() -> None:
    assert list(headlines(state(connections=3))) == [("tidegate 1.2 · ready · up 10m · 3 connections", FINE)]


def test_the_head_tells_what_is_wrong() -> None:
    bad = state(ready=False, readiness=["a: file:/x: absent"], config={"problems": ["f:1: k: no"]}, log={"dropped": 2})
    assert list(headlines(bad)) == [
        ("tidegate 1.2 · not ready · up 10m · 0 connections", GRAVE),
        ("not ready: a: file:/x: absent", GRAVE),
        ("configuration refused: f:1: k: no", GRAVE),
        ("2 log lines were dropped", ODD),
    ]
    drains = list(headlines(state(draining=True, ready=False, readiness=["draining"])))
    assert drains == [("tidegate 1.2 · draining · up 10m · 0 connections", GRAVE)]


def test_control_characters_of_any_text_are_shown_and_not_obeyed() -> None:
    hostile = "x\x1b]0;gone\x07"
    sections = {"breaker": {"state": hostile}, "accounts": {hostile: {"breaker": {"state": "open"}}}}
    slo = [{"budget_remaining": 1, "burn": {hostile: 2.0}}]
    told = state({"name": hostile, "sections": sections, "slo": slo}, readiness=[hostile], ready=False, version=hostile)
    (row,) = rows(told)
    assert all(cell.text.isprintable() for cell in (*row.cells, *headlines(told)))


@pytest.mark.parametrize("junk", [None, 7, "text", [None], {"x": None}, True])
def test_what_another_version_tells_ends_nothing(junk: Any) -> None:
    keys = ("name", "sections", "latency", "slo")
    nested = {"name": "a", "sections": {"breaker": junk, "rate_limit": junk, "bulkhead": junk, "credential": junk}}
    told = {"providers": [dict.fromkeys(keys, junk), nested], "now_ts": junk, "config": junk, "log": junk}
    assert len(rows(told)) == 2
    assert list(headlines(told))
    assert rows({"providers": junk}) == rows({"providers": junk})


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0s"), (59, "59s"), (90, "2m"), (7200, "2h"), (864000, "10d")])
def test_a_time_at_a_glance(seconds: float, text: str) -> None:
    assert lasting(seconds) == text
