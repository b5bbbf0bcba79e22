"""The console in a real browser, before a sidecar that works."""

import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.chromium import Look, row
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.e2e

TOKEN = "example-admin-token"
MOCK = {"preset": "mock", "retry": False}
PROVIDERS = {
    "calm": MOCK,
    "sick": {**MOCK, "breaker": {"failures": 2, "open": "60s", "open_max": "60s"}},
    "zeal": {**MOCK, "slo": {"availability": "99%"}},
}


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    settings = {"admin": {"token": "env:TIDEGATE_TEST_ADMIN"}}
    folder = tmp_path_factory.mktemp("console")
    with Sidecar(folder, PROVIDERS, settings, {"TIDEGATE_TEST_ADMIN": TOKEN}) as one:
        yield one


def url_of(sidecar: Sidecar) -> str:
    return f"http://127.0.0.1:{sidecar.admin_port}/"


def call(sidecar: Sidecar, path: str) -> int:
    try:
        with urllib.request.urlopen(sidecar.url + path, timeout=10) as answer:  # noqa: S310 - our own URL
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_it_shows_every_provider_and_moves_with_the_traffic(sidecar: Sidecar, look: Look) -> None:
    page = look(url_of(sidecar))
    expect(page.locator("#status-text")).to_have_text("ready")
    expect(page.locator(".providers .row b")).to_have_text(["calm", "sick", "zeal"])
    slow = threading.Thread(target=call, args=(sidecar, "/calm/delay/2.5"))
    slow.start()
    expect(row(page, "calm").locator(".flight")).to_have_text("1")
    assert call(sidecar, "/zeal/status/200") == 200
    expect(page.locator("#calls .row").first).to_contain_text("zeal")
    expect(row(page, "zeal").locator(".budget")).to_have_text("100 % left")
    slow.join()
    expect(row(page, "calm").locator(".flight")).to_have_text("0")


def test_an_open_breaker_is_seen_first_and_in_the_changes(sidecar: Sidecar, look: Look) -> None:
    page = look(url_of(sidecar))
    assert [call(sidecar, "/sick/status/500") for _ in range(3)] == [500, 500, 503]
    expect(row(page, "sick").locator(".breaker")).to_contain_text(re.compile(r"^openprobe in \d+ s$"))
    expect(page.locator(".providers .row b").first).to_have_text("sick")
    expect(page.locator("#total-trouble")).to_have_text("1 of 3")
    expect(page.locator("#changes li").first).to_contain_text("sick breaker closed → open")
    page.check("#calls-failed")
    expect(page.locator("#calls .row:visible").first).to_contain_text("circuit_open")


def test_a_call_that_happened_opens_as_a_waterfall(sidecar: Sidecar, look: Look) -> None:
    page = look(url_of(sidecar))
    assert call(sidecar, "/calm/delay/0.05") == 200
    page.select_option("#calls-provider", "calm")
    page.locator("#calls .row:visible").first.click()
    expect(page.locator("#drawer-title")).to_contain_text("GET /delay/")
    assert page.locator(".waterfall rect.kind").count() >= 1
    expect(page.locator(".summary")).to_have_text("200 ok by provider")


def test_an_action_asks_for_the_token_until_it_is_right_and_says_what_it_did(sidecar: Sidecar, look: Look) -> None:
    page = look(url_of(sidecar), excuse="status of 401")
    row(page, "calm").click()
    page.click('[data-action="breaker.open"]')
    expect(page.locator("#confirm-text")).to_contain_text("Every call to calm is refused")
    page.click("#confirm [type=submit]")
    for token, why in (("wrong", "Actions ask for the token"), (TOKEN, "That was refused")):
        expect(page.locator("#token-why")).to_contain_text(why)
        page.fill("#token-text", token)
        page.press("#token-text", "Enter")
    expect(page.locator(".said")).to_contain_text("open")
    expect(row(page, "calm").locator(".breaker")).to_have_text("openby operator")
    assert call(sidecar, "/calm/status/200") == 503
    page.click('[data-action="breaker.auto"]')  # asks neither for consent nor for the token again
    expect(row(page, "calm").locator(".breaker")).to_have_text("openthe next call probes")
    assert call(sidecar, "/calm/status/200") == 200
    expect(row(page, "calm").locator(".chip")).to_have_text("closed")
    assert page.evaluate("JSON.stringify([localStorage, sessionStorage])").count(TOKEN) == 0


def test_an_action_without_a_token_is_not_done(sidecar: Sidecar, look: Look) -> None:
    page = look(url_of(sidecar))
    row(page, "zeal").click()
    page.click('[data-action="breaker.open"]')
    page.click("#confirm [type=submit]")
    page.click('#token [data-answer="no"]')
    expect(page.locator(".said")).to_have_text("Not done: no token was given.")
    expect(row(page, "zeal").locator(".chip")).to_have_text("closed")


def test_the_stack_shows_effective_values_and_where_they_come_from(sidecar: Sidecar, look: Look) -> None:
    page = look(url_of(sidecar))
    row(page, "sick").click()
    failures = page.locator(".stack tr").filter(has_text="failures").first
    expect(failures.locator("td")).to_have_text(["2", re.compile(r"tidegate\.yaml:\d+$")])


def test_a_refused_configuration_is_told_with_its_problem(sidecar: Sidecar, look: Look) -> None:
    page = look(url_of(sidecar))
    good = sidecar.config.read_text()
    write(sidecar.config, good + "nonsense: true\n")
    expect(page.locator("#config li")).to_have_text(re.compile(r"nonsense: unknown key"))
    write(sidecar.config, good)
    expect(page.locator("#config")).to_be_hidden()


def write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text)
    fresh.replace(path)
