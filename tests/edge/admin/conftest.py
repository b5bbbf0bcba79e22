"""Serves the admin pages over a stand-in for the process."""

import pytest
from pytest_aiohttp.plugin import AiohttpClient

from proxy.edge.admin.app import admin_app
from tests.support.admin import Client, Open, View


@pytest.fixture
def open_admin(aiohttp_client: AiohttpClient) -> Open:
    async def opened(view: View | None = None) -> Client:
        client: Client = await aiohttp_client(admin_app(view or View()))
        return client

    return opened
