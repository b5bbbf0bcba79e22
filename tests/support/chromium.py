"""A real browser for tests of the console: headless Chromium, told to talk to nobody but loopback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tests.support.programs import program

Look = Callable[..., Page]
"""Opens a page at a URL; further arguments as of the fixture `look`."""

_ARGUMENTS: Final = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; without it the test is skipped, or fails on the build server."""
    path = program("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def row(page: Page, name: str) -> Locator:
    """Return the console's row of a provider."""
    return page.locator(f'[data-provider="{name}"]')
