"""A browser for the tests that need one."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.chromium import Look, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=10_000)  # on a busy machine
    with chromium() as one:
        yield one


@pytest.fixture
def look(browser: Browser) -> Iterator[Look]:
    """Opens pages; whatever the browser complains of fails the test, but for what the test expects."""
    pages: list[Page] = []
    said: list[str] = []
    excused: list[str] = []

    def open_page(url: str, excuse: str = "", **settings: Any) -> Page:
        page = browser.new_page(**settings)
        page.set_default_timeout(8000)
        page.on("console", lambda message: said.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        pages.append(page)
        excused.extend([excuse] if excuse else [])
        page.goto(url)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert [text for text in said if not any(excuse in text for excuse in excused)] == []
