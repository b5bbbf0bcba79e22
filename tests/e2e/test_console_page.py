"""The console in a real browser, before a stand-in whose every answer is set."""

from typing import Any

import orjson
import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.support.chromium import Look, row
from tests.support.stand_in import Moving, StandIn, provider, state

pytestmark = pytest.mark.e2e

TOKEN = "example-admin-token"
HOSTILE = "<img src=x onerror=window.hit=1><script>window.hit=1</script>"
PHONE: ViewportSize = {"width": 360, "height": 740}
OPEN = {"state": "open", "consecutive_failures": 5, "failure_ratio": 1.0, "opens_for_s": 7.5}


def a_line(**changes: Any) -> bytes:
    line = {
        "ts": "2027-01-15T08:00:00.000Z", "level": "info", "event": "call", "request_id": "r1", "provider": "acme",
        "method": "GET", "path": "/x", "status": 200, "source": "provider", "reason": "", "attempts": 1,
        "outcome": "ok", "duration_ms": 12.0,
    }  # fmt: skip
    return orjson.dumps({**line, **changes})


def test_hostile_text_never_becomes_markup(look: Look) -> None:
    view = Moving()
    flag = {"state": HOSTILE, "forced": HOSTILE, "why": HOSTILE}
    told = provider("acme", title=HOSTILE, base_url=HOSTILE, addresses=[HOSTILE], status_page=HOSTILE, breaker=flag)
    config = {"file": HOSTILE, "read_ts": 1.0, "problems": [HOSTILE]}
    view.told = state(told, version=HOSTILE, ready=False, readiness=[HOSTILE], config=config)
    bad = a_line(path=HOSTILE, method=HOSTILE, reason=HOSTILE, error=HOSTILE, account=HOSTILE, status=HOSTILE)
    view.recent.calls.add(bad)
    view.recent.changes.add(a_line(event="breaker_changed", why=HOSTILE, old=HOSTILE, new=HOSTILE))
    view.recent.changes.add(a_line(event=HOSTILE, level=HOSTILE))
    view.stacks["acme"] = [(HOSTILE, HOSTILE, HOSTILE)]
    fall = {"label": HOSTILE, "kind": HOSTILE, "at_ms": 0.0, "duration_ms": 12.0}
    view.known["r1"] = {"call": orjson.loads(bad), "waterfall": [fall], "explanation": [HOSTILE]}
    with StandIn(view) as server:
        page = look(server.url)
        row(page, "acme").click()
        expect(page.locator(".stack")).to_contain_text("<img src=x")
        page.locator("#calls .row").first.click()
        expect(page.locator(".told")).to_contain_text("<img src=x")
        assert page.locator("img").count() == 1  # the logo
        assert page.locator("script").count() == 1
        assert page.evaluate("window.hit") is None


def test_a_line_separator_in_a_header_hides_no_call(look: Look) -> None:
    view = Moving(told=state(provider("acme")))
    view.recent.calls.add(a_line(path="/before"))
    view.recent.calls.add(a_line(path="/separated", headers={"request": [["x-thing", "a\u2028b"]], "response": []}))
    with StandIn(view) as server:
        expect(look(server.url).locator("#calls .path")).to_have_text(["/separated", "/before"])


def test_a_waterfall_stands_in_proportion(look: Look) -> None:
    view = Moving(told=state(provider("acme")))
    view.recent.calls.add(a_line(duration_ms=100.0, attempts=2))
    steps = [("limiter", 0.0, 50.0), ("connect", 50.0, 25.0), ("first_byte", 75.0, 25.0)]
    view.known["r1"] = {
        "call": orjson.loads(a_line(duration_ms=100.0)),
        "waterfall": [{"label": kind, "kind": kind, "at_ms": at, "duration_ms": took} for kind, at, took in steps],
        "explanation": ["It waited 50 ms for a token."],
    }
    with StandIn(view) as server:
        page = look(server.url)
        page.locator("#calls .row").first.click()
        expect(page.locator(".told li")).to_have_text(["It waited 50 ms for a token."])
        bars = page.locator(".waterfall rect.kind")
        drawn = [[float(bar.get_attribute(name) or -1) for name in ("x", "width")] for bar in bars.all()]
        assert drawn == [[0, 50], [50, 25], [75, 25]]
        expect(page.locator(".waterfall .n")).to_have_text(["50 ms", "25 ms", "25 ms"])


def test_fifty_providers_stay_in_their_rows_and_can_be_filtered(look: Look) -> None:
    points = [[1_799_999_100 + 10 * n, 50, n % 7, 0.1, 0.2 + n / 1000, 0.4] for n in range(90)]
    latency = {"p50_s": 0.1, "p95_s": 0.25, "p99_s": 0.4, "rate": 5.0, "failed": 0.0, "series": points}
    many = [provider(f"p-{number:02}", latency=latency) for number in range(50)]
    view = Moving(told=state(*many))
    with StandIn(view) as server:
        page = look(server.url)
        expect(page.locator(".providers .row")).to_have_count(50)
        expect(page.locator("#total-rate")).to_have_text("250")
        assert (row(page, "p-07").locator("path.line").get_attribute("d") or "").count("L") == 89
        page.evaluate("document.querySelector('[data-provider=p-42]').kept = true")
        view.told = state(*many[:42], provider("p-42", latency=latency, breaker=OPEN), *many[43:])
        expect(page.locator(".providers .row b").first).to_have_text("p-42")
        assert page.evaluate("document.querySelector('[data-provider=p-42]').kept")  # moved, not made anew
        page.fill("#filter", "p-4")
        expect(page.locator(".providers .row:visible")).to_have_count(10)
        view.told = state(*many[:45])
        expect(page.locator(".providers .row:visible")).to_have_count(5)


def test_the_keyboard_alone_goes_everywhere(look: Look) -> None:
    view = Moving(told=state(*(provider(name) for name in ("adyen", "stripe", "stripe-eu"))), stacks={"stripe-eu": []})
    view.recent.calls.add(a_line())
    with StandIn(view) as server:
        page = look(server.url)
        expect(page.locator(".providers .row")).to_have_count(3)
        page.keyboard.press("/")
        page.keyboard.type("stripe")
        expect(page.locator(".providers .row:visible")).to_have_count(2)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        expect(row(page, "stripe-eu")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#drawer-title")).to_have_text("stripe-eu")
        expect(page.locator("#drawer")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#drawer")).to_be_hidden()
        expect(row(page, "stripe-eu")).to_be_focused()
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid"
        assert tab_through(page)[:5] == ["calls-provider", "calls-text", "calls-failed", "calls-pause", "calls"]


FOCUSED = """(() => {
  const { id, dataset, className, parentElement } = document.activeElement;
  return id || dataset.provider || (className === "row" ? parentElement.parentElement.id : "");
})()"""


def tab_through(page: Page) -> list[str]:
    """Press Tab a while; returns what had the focus: a list's id for one of its rows."""
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
    return reached


def test_a_phone_scrolls_down_and_not_sideways(look: Look) -> None:
    slo = {"provider": "a", "path": "POST /v1/" + "long" * 20, "slo": "availability", "objective": 0.999, "good": 9,
           "events": 10, "bad": 1, "budget_remaining": -3.0, "burn": {"5m": 99.0}, "seen_s": 60.0}  # fmt: skip
    long = provider("a" * 63, base_url="https://" + "b" * 120, slo=[slo], breaker=OPEN, actions={"breaker": ["open"]})
    view = Moving(told=state(long, ready=False, readiness=["c" * 200], actions=True))
    view.recent.calls.add(a_line(path="/" + "d" * 300, reason="e" * 60, provider="a" * 63))
    view.recent.changes.add(a_line(event="breaker_changed", why="f" * 300, old="closed", new="open"))
    view.stacks["a" * 63] = [("g" * 60, "h" * 200, "i" * 80)]
    with StandIn(view) as server:
        page = look(server.url, viewport=PHONE)
        expect(page.locator(".providers .row")).to_have_count(1)
        expect(page.locator("#calls .row")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.locator(".providers .row").click()
        expect(page.locator(".stack")).to_contain_text("hhh")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert page.evaluate("(({scrollWidth, clientWidth}) => scrollWidth - clientWidth)(drawer)") == 0


def test_banners_tell_a_drain_and_a_lost_connection_and_go_away_again(look: Look) -> None:
    view = Moving(told=state(provider("acme")))
    with StandIn(view) as server:
        page = look(server.url, excuse="ERR_CONNECTION_REFUSED")
        expect(page.locator("#status-text")).to_have_text("ready")
        view.told = state(provider("acme"), draining=True, ready=False, readiness=["draining"])
        expect(page.locator("#draining")).to_be_visible()
        expect(page.locator("#not-ready")).to_be_hidden()
    expect(page.locator("#lost")).to_be_visible()
    view.told = state(provider("acme"))
    with StandIn(view, server.port):
        page.click("#lost-retry")
        expect(page.locator("#lost")).to_be_hidden()
        expect(page.locator("#status-text")).to_have_text("ready")


def test_a_protected_console_shows_nothing_before_the_token(look: Look) -> None:
    view = Moving(told=state(provider("acme")), protect="all", token=TOKEN)
    with StandIn(view) as server:
        page = look(server.url, excuse="status of 401")
        expect(page.locator("#token")).to_be_visible()
        assert page.locator(".providers .row").count() == 0
        page.fill("#token-text", "wrong")
        page.press("#token-text", "Enter")
        expect(page.locator("#token-why")).to_contain_text("That was refused")
        page.click('#token [data-answer="no"]')
        expect(page.locator("#lost-text")).to_have_text("This asks for the token of admin.token.")
        page.click("#lost-retry")
        page.fill("#token-text", TOKEN)
        page.press("#token-text", "Enter")
        expect(page.locator(".providers .row")).to_have_count(1)


@pytest.mark.parametrize("width", [1400, 1000, 900, 360])
def test_nothing_in_a_row_is_cut_or_lies_over_its_neighbour(look: Look, width: int) -> None:
    slo = {"provider": "acme", "path": "", "slo": "availability", "budget_remaining": 0.6, "burn": {"5m": 12.5}}
    full = {"limits": [{"limit": "20000/1h", "tokens": 1.0, "burst": 100.0}], "waiting": 12, "paused_s": 75.0}
    forced = {**OPEN, "state": "closed", "forced": "open"}
    with StandIn(Moving(told=state(provider("acme", slo=[slo], rate_limit=full, breaker=forced)))) as server:
        page = look(server.url, viewport={"width": width, "height": 700})
        expect(row(page, "acme").locator(".breaker")).to_have_text("openby operator")
        expect(row(page, "acme").locator(".flag")).to_have_text("operator: breaker open")
        too_wide = "(cells) => cells.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.className)"
        assert page.eval_on_selector_all(".providers .row > span, .providers .row > span > span", too_wide) == []


def test_a_burn_is_trouble_when_its_alert_is(look: Look) -> None:
    slo = {"path": "", "slo": "availability", "budget_remaining": 0.5, "objective": 0.999, "events": 0}
    burns: dict[str, tuple[dict[str, float], int, str]] = {
        "over": ({"1h": 20.0, "5m": 1.0}, 30, "0"),
        "week": ({"1h": 4.0, "5m": 4.0}, 7, "2"),
        "month": ({"1h": 4.0, "5m": 4.0}, 30, "0"),
        "slow": ({"3d": 1.0, "6h": 1.0}, 30, "1"),
    }
    told = [
        provider(name, slo=[{**slo, "burn": burn, "window_s": days * 86400.0}])
        for name, (burn, days, _) in burns.items()
    ]
    with StandIn(Moving(told=state(*told), stacks={"week": []})) as server:
        page = look(server.url)
        for name, (_, _, level) in burns.items():
            expect(row(page, name)).to_have_attribute("data-level", level)
        row(page, "week").click()
        expect(page.locator('.burns [data-level="2"]')).to_have_text(["1h 4.0\u00d7", "5m 4.0\u00d7"])


def test_an_empty_list_says_so_at_its_top(look: Look) -> None:
    with StandIn(Moving(told=state())) as server:
        page = look(server.url)
        expect(page.locator("#no-providers")).to_have_text("No providers are configured.")
        for pane, text in ((".calls", "No calls yet."), (".changes", "None yet.")):
            head, said = page.locator(f"{pane} .bar").bounding_box(), page.get_by_text(text).bounding_box()
            assert head
            assert said
            assert said["y"] - head["y"] - head["height"] < 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_asks_for(look: Look, scheme: str) -> None:
    grounds, inks = ["ground", "panel", "raised"], ["text", "dim", "tide", "ok", "warn", "bad"]
    with StandIn(Moving(told=state(provider("acme")))) as server:
        page = look(server.url, color_scheme=scheme)
        lit = page.evaluate(LUMINANCES, grounds + inks + ["warn-soft", "bad-soft"])
    pairs = [(ink, ground) for ground in grounds for ink in inks] + [("warn", "warn-soft"), ("bad", "bad-soft")]
    ratios = {pair: contrast(*(lit[name] for name in pair)) for pair in pairs}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}


def contrast(one: float, other: float) -> float:
    """WCAG 2.2, contrast ratio."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


LUMINANCES = """(names) => {
  const probe = document.body.appendChild(document.createElement("i"));
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const of = (name) => {
    probe.style.color = `var(--${name})`;
    const [red, green, blue] = getComputedStyle(probe).color.match(/[0-9.]+/g).map((part) => linear(part / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  return Object.fromEntries(names.map((name) => [name, of(name)]));
}"""


def test_the_theme_can_be_chosen_and_is_remembered(look: Look) -> None:
    with StandIn(Moving(told=state(provider("acme")))) as server:
        page = look(server.url, color_scheme="light")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        page.click("#theme")
        page.click("#theme")
        expect(page.locator("#theme")).to_have_text("theme: dark")
        dark = page.evaluate(ground)
        page.reload()
        expect(page.locator("#theme")).to_have_text("theme: dark")
        assert (page.evaluate(ground), dark != light) == (dark, True)
