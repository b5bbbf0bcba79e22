import re
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from proxy.edge.admin import console
from proxy.edge.admin.app import admin_app
from tests.support.admin import View

STATIC = Path(console.__file__).parent / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest_asyncio.fixture
async def client(aiohttp_client: AiohttpClient) -> TestClient[Any, Any]:
    return await aiohttp_client(admin_app(View(protect="all", token="example")))


@pytest.mark.asyncio
async def test_a_browser_gets_the_page_and_everybody_else_the_index(client: TestClient[Any, Any]) -> None:
    page, index = await client.get("/", headers=BROWSER), await client.get("/")
    assert (page.content_type, index.content_type) == ("text/html", "text/plain")
    assert (await page.text()).startswith("<!doctype html>")
    assert "/api/stream" in await index.text()


@pytest.mark.asyncio
async def test_every_file_of_the_page_is_served_without_a_token_as_what_it_is(client: TestClient[Any, Any]) -> None:
    kinds = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    assert {path.name for path in STATIC.iterdir()} == {"index.html", *(name[1:] for name in console.FILES)}
    for name in console.FILES:
        answer = await client.get(name)
        assert (answer.status, answer.content_type) == (200, kinds[Path(name).suffix])
        assert await answer.read() == (STATIC / name[1:]).read_bytes()


def test_the_page_holds_nothing_inline_and_nothing_from_elsewhere() -> None:
    page = (STATIC / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", page) == []
    assert set(re.findall(r'(?:src|href)="([^"]*)"', page)) <= {"/", *console.FILES}
    assert re.findall(r"url\(|@import", (STATIC / "console.css").read_text()) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_write_text_as_text_and_keep_the_ceiling(script: Path) -> None:
    text = script.read_text()
    assert re.findall(r"(?:inner|outer)HTML|AdjacentHTML|document\.write|\beval\b|new Function|srcdoc", text) == []
    assert re.findall(r"sessionStorage|document\.cookie", text) == []
    assert set(re.findall(r'from "\./([^"]+)"', text)) <= {path.name for path in SCRIPTS}
    assert len(text.splitlines()) <= 300
