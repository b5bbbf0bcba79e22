"""Writes the README's pictures of the console: `python -m tests.e2e.console_pictures [SECONDS of traffic before]`."""

import asyncio
import contextlib
import random
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp
from playwright.sync_api import Browser, ViewportSize

from tests.support.chromium import chromium
from tests.support.rules import ROOT
from tests.support.sidecar import Sidecar

_SIZE: Final[ViewportSize] = {"width": 1400, "height": 860}
_SLO: Final = {"availability": "99.5%", "latency": {"percentile": 95, "under": "600ms"}, "window": "1h"}
_MOCK: Final[dict[str, Any]] = {"preset": "mock"}
PROVIDERS: Final[dict[str, dict[str, Any]]] = {
    "stripe": {**_MOCK, "rate_limit": {"limits": ["200/1s"]}, "slo": {**_SLO, "availability": "99%"}},
    "openai": {**_MOCK, "slo": {**_SLO, "latency": {"percentile": 90, "under": "2s"}}},
    "twilio": {**_MOCK, "rate_limit": {"limits": ["14/1s"], "max_wait": "2s"}, "slo": {**_SLO, "availability": "90%"}},
    "sendgrid": _MOCK,
    "hotelbeds": {**_MOCK, "retry": False},
    "github": {**_MOCK, "rate_limit": {"limits": ["20000/1h"]}},
    "shopify": {**_MOCK, "rate_limit": {"limits": ["40/1s"]}},
    "slack": _MOCK,
}


def _delay(usual_s: float) -> str:
    return f"/delay/{usual_s * random.lognormvariate(0, 0.45):.3f}"


async def _flow(
    session: aiohttp.ClientSession, url: str, every_s: float, usual_s: float, rare: dict[str, float]
) -> None:
    """Call a provider now and then; rare: other paths with their share of the calls."""
    asking: set[asyncio.Task[None]] = set()
    while True:
        path = next((path for path, share in rare.items() if random.random() < share), _delay(usual_s))
        target = url + path.format(random.randrange(900))  # so that each fails as often
        task = asyncio.create_task(_call(session, random.choice(["GET", "POST"]), target))
        asking.add(task)
        task.add_done_callback(asking.discard)
        await asyncio.sleep(random.expovariate(1 / every_s))


async def _call(session: aiohttp.ClientSession, method: str, url: str) -> None:
    with contextlib.suppress(aiohttp.ClientError):  # the sidecar goes first
        async with session.request(method, url) as answer:
            await answer.read()


async def _traffic(base: str) -> None:
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        for name, every_s, usual_s, rare in (
            ("stripe", 0.05, 0.08, {"/status/500": 0.003, "/anything?customer=cus_example": 0.2}),
            ("openai", 0.5, 0.9, {"/fail-first/2?key={}": 0.1}),
            ("twilio", 0.09, 0.12, {"/status/404": 0.05}),
            ("sendgrid", 0.2, 0.06, {"/status/202": 0.3}),
            ("hotelbeds", 0.4, 0.3, {"/status/503": 0.9}),
            ("github", 0.3, 0.1, {}),
            ("shopify", 0.25, 0.09, {"/throttle/20": 0.01}),
            ("slack", 0.9, 0.14, {}),
        ):
            tasks.create_task(_flow(session, f"{base}/{name}", every_s, usual_s, rare))


def _picture(browser: Browser, url: str, scheme: Literal["light", "dark"], show: str) -> None:
    page = browser.new_page(viewport=_SIZE, color_scheme=scheme)
    page.goto(url)
    page.wait_for_selector(".providers .row")
    page.wait_for_timeout(2500)
    if show == "call":
        page.fill("#calls-text", "fail-first")
        page.locator("#calls .row:visible", has_text="\u00d73").first.click(timeout=90_000)
        page.fill("#calls-text", "")
    else:
        page.click(f'[data-provider="{show}"]')
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)
    page.screenshot(path=ROOT / "docs" / f"console-{scheme}.png")
    page.close()


def main(seconds: float) -> None:
    """Run a sidecar in front of the built-in mock provider, and look at it."""
    settings = {"slo": _SLO, "admin": {"token": "env:TIDEGATE_DEMO_TOKEN"}}
    env = {"TIDEGATE_DEMO_TOKEN": "example-admin-token"}
    with tempfile.TemporaryDirectory() as folder, Sidecar(Path(folder), PROVIDERS, settings, env) as sidecar:
        threading.Thread(target=lambda: asyncio.run(_traffic(sidecar.url)), daemon=True).start()
        with chromium() as browser:
            threading.Event().wait(seconds)
            url = f"http://127.0.0.1:{sidecar.admin_port}/"
            _picture(browser, url, "light", "call")
            _picture(browser, url, "dark", "stripe")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 240.0)
