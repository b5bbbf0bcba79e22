"""The admin pages over a stand-in for the process, served from a thread of their own, for tests that hold a browser."""

import asyncio
import threading
from typing import Any, Self

from aiohttp import web

from proxy.edge.admin.app import admin_runner
from tests.support.admin import View


def provider(name: str, **changes: Any) -> dict[str, Any]:
    """Return what the state tells about a provider that is well; `changes` replace whole keys, or one section each."""
    told: dict[str, Any] = {
        "name": name, "title": "", "base_url": f"https://api.{name}.example", "addresses": [], "status_page": "",
        "slo": [], "latency": {}, "actions": {}, "account_actions": {},
    }  # fmt: skip
    sections: dict[str, Any] = {
        "bulkhead": {"in_flight": 0, "queued": 0},
        "retry": {"budget_tokens": 500.0},
        "breaker": {"state": "closed", "consecutive_failures": 0, "failure_ratio": 0.0, "opens_for_s": 0.0},
    }
    own = {key: value for key, value in changes.items() if key in told}
    return {**told, **own, "sections": {**sections, **{key: changes[key] for key in changes if key not in own}}}


def state(*providers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a whole state; `changes` replace its keys."""
    return {
        "version": "1.2.3", "now_ts": 1_800_000_000.0, "started_ts": 1_799_990_000.0, "ready": True, "readiness": [],
        "draining": False, "config": {"file": "/etc/tidegate.yaml", "read_ts": 1_799_990_000.0, "problems": []},
        "log": {"level": "info", "dropped": 0}, "actions": False, "connections": 0, "providers": list(providers),
        **changes,
    }  # fmt: skip


class Moving(View):
    """A view whose clock goes on, so that its state is told anew."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


class StandIn:
    """Serves a view until the block ends; `port` stays the same when it is started again."""

    def __init__(self, view: View, port: int = 0) -> None:
        self.view = view
        self.port = port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)))
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = admin_runner(self.view)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = runner.addresses[0][1]
        started.set()
        await self._stop.wait()
        await runner.cleanup()
