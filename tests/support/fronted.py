"""Listeners in front of live providers, in this process, without the rest of the app."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from proxy.addresses import parse_base_url
from proxy.core.events import Event
from proxy.edge.secrets import Secrets
from proxy.listeners import Listeners
from proxy.providers import Providers
from proxy.settings import Settings
from tests.support.caller import Caller, request
from tests.support.wire import Wire


class Front:
    """Listeners in front of providers that all lead to one wire."""

    def __init__(self, wire: Wire) -> None:
        self.events: list[Event] = []
        self._wire = wire
        emit = self.events.append
        self._providers = Providers(Secrets(lambda _: None), emit, lambda: parse_base_url(wire.url))
        self.listeners = Listeners(self._providers, emit, lambda _, error: pytest.fail(repr(error)), bytes)

    async def apply(self, *names: str, egress: Mapping[str, Any] | None = None, **own: str) -> None:
        """Configure these providers; keywords give a provider with a port of its own."""
        entries = {name: {"base_url": self._wire.url} for name in names}
        entries |= {name: {"base_url": self._wire.url, "listen": listen} for name, listen in own.items()}
        section = {"listen": "127.0.0.1:0", **(egress or {})}
        settings = Settings.model_validate({"egress": section, "providers": entries})
        fresh = await self.listeners.prepare(settings)
        self._providers.update(settings.providers)
        self.listeners.adopt(fresh, settings)
        await self.listeners.serve()

    def port(self, only: str | None = None) -> int:
        """Return the port of the listener for all, or of one provider's own."""
        (found,) = [one for one in self.listeners.open.values() if one.only == only]
        return int(found.address.rpartition(":")[2])

    async def status(self, port: int, target: str) -> int:
        async with Caller(port) as caller:
            return (await caller.ask(request("GET", target))).status

    async def close(self) -> None:
        self.listeners.stop_accepting()
        await self.listeners.close()
        self._providers.close()


@asynccontextmanager
async def fronted(*scripts: Any) -> AsyncIterator[tuple[Front, Wire]]:
    async with Wire(*scripts) as wire:
        front = Front(wire)
        try:
            yield front, wire
        finally:
            await front.close()
