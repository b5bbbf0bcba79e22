"""The life of the process: start, reload, drain, end."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import time
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import web

from proxy.addresses import BUILTIN_MOCK, parse_base_url
from proxy.check import unreadable
from proxy.config import Loaded, read
from proxy.core.errors import ConfigError
from proxy.core.events import ConfigRead, DrainStarted, Event
from proxy.edge.admin import admin_runner
from proxy.edge.mock import start_mock
from proxy.edge.observe.log import Log, install_logging
from proxy.edge.observe.metrics import Metrics
from proxy.edge.secrets import Secrets
from proxy.edge.stamp import stamp_of
from proxy.listeners import Listeners, Unavailable
from proxy.providers import Providers, now
from proxy.sansio.redact import Redactor
from proxy.settings import Settings

# Calls make no cycles, so the collector's default, a look every 700 objects, finds nothing but work.
GC_THRESHOLDS: Final = (20_000, 20, 50)
WATCH_S: Final = 1.0  # between two looks at the configuration and the secrets
SETTLE_S: Final = 0.1  # how long a changed configuration must lie still before it is read


def main(path: Path) -> int:
    """Run the sidecar until it is told to end.

    Returns: the exit status; 0 after a drain.
    Raises: ConfigError when the configuration does not hold, or an address can't be listened on.
    """
    return uvloop.run(_run(path, _read(path)))


def _read(path: Path) -> Loaded:
    loaded = read(path)
    # A variable that is not set never will be; a file may still come, and until then its provider answers 503.
    absent = [loaded.problem(where, text) for where, text in unreadable(loaded, ("env",))]
    if absent:
        raise ConfigError(absent)
    return loaded


async def _run(path: Path, loaded: Loaded) -> int:
    return await App(path, loaded).run()


class App:
    """Everything that lives as long as the process; also what the admin listener looks at."""

    def __init__(self, path: Path, loaded: Loaded) -> None:
        self._path = path
        self._stamp = stamp_of(path)
        self._loaded = loaded
        self._redactor = Redactor()
        self._secrets = Secrets(self._redactor.know, on_token=self._redactor.know_token)
        settings = loaded.settings
        self._fd = _log_fd(loaded)
        self._log = Log(self._redactor.redact, settings.log, wall=time.time, fd=self._fd)
        self._builtin = parse_base_url(BUILTIN_MOCK)
        self._mock: web.AppRunner | None = None
        self._providers = Providers(self._secrets, self._emit, lambda: self._builtin)
        self._listeners = Listeners(self._providers, self._emit, self._crashed, self._redactor.redact)
        self._metrics = Metrics(
            settings.providers,
            lambda: self._providers.snapshots(now()),
            log_dropped=lambda: self._log.dropped,
            connections=lambda: self._listeners.connections,
        )
        self._signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
        self._reloading = asyncio.Lock()
        self._started = False
        self.draining = False

    # What the admin listener sees

    @property
    def hosts(self) -> tuple[str, ...]:
        """Further names that may stand in Host."""
        return self._loaded.settings.admin.hosts

    def now(self) -> float:
        """Return the monotonic instant."""
        return now()

    def snapshots(self, at: float) -> dict[str, dict[str, dict[str, object]]]:
        """Tell the live state of every policy of every provider."""
        return self._providers.snapshots(at)

    def readiness(self) -> list[str]:
        """Tell what keeps the sidecar from being ready. An upstream outage never does."""
        if self.draining:
            return ["draining"]
        return self._providers.missing_secrets() if self._started else ["starting"]

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their content type."""
        return self._metrics.render(accept)

    def redact(self, data: bytes) -> bytes:
        """Take every known secret out."""
        return self._redactor.redact(data)

    # The life

    async def run(self) -> int:
        """Start, serve until told to end, drain. Returns: the exit status."""
        restore_logging = install_logging(self._log)
        admin = None
        try:
            self._take_signals()
            admin = await self._start_admin()
            await self._apply(self._loaded)
            self._started = True
            self._welcome()
            gc.collect()
            gc.freeze()  # what start-up made stays; the collector need not look at it again
            gc.set_threshold(*GC_THRESHOLDS)
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(self._watch())
                secrets = tasks.create_task(self._secrets.watch(WATCH_S, self._emit))
                await self._until_told_to_end()
                watching.cancel()
                secrets.cancel()
            await self._drain()
        finally:
            await self._listeners.close()
            self._providers.close()
            for runner in (admin, self._mock):
                if runner is not None:
                    await runner.cleanup()
            restore_logging()
            self._log.close()
        return 0

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._signals.put_nowait, number)

    async def _start_admin(self) -> web.AppRunner:
        runner = admin_runner(self)
        await runner.setup()
        listen = self._loaded.settings.admin.listen
        try:
            await (
                web.UnixSite(runner, listen.path) if listen.path else web.TCPSite(runner, listen.host, listen.port)
            ).start()
        except OSError as error:
            await runner.cleanup()
            raise _cannot_listen(self._loaded, Unavailable(("admin", "listen"), error)) from None
        self._admin_address = str(listen) if listen.path else f"http://{_address(runner)}"
        return runner

    async def _apply(self, loaded: Loaded) -> None:
        """Put a configuration to work; everything that can fail comes before anything is changed."""
        settings = loaded.settings
        self._secrets.configure(settings.secrets.exec_timeout, settings.secrets.exec_ttl)
        self._refuse_what_needs_a_restart(loaded)
        await self._start_mock(settings)
        try:
            fresh = await self._listeners.prepare(settings)
        except Unavailable as error:
            raise _cannot_listen(loaded, error) from None
        await self._secrets.prepare(ref for _, ref in settings.secret_refs())
        self._loaded = loaded
        self._redactor.patterns(
            pattern for provider in settings.providers.values() for pattern in provider.profile.secret_patterns
        )
        self._providers.update(settings.providers)
        self._secrets.keep((ref for _, ref in settings.secret_refs()), self._providers.users)
        self._listeners.adopt(fresh, settings)
        self._metrics.configure(self._providers.names)
        self._log.configure(settings.log, self._providers.profiles())

    async def _start_mock(self, settings: Settings) -> None:
        """Start the mock provider when somebody first wants it; it stays, because calls to it may be under way."""
        wanted = any(provider.base_url.scheme == "builtin" for provider in settings.providers.values())
        if wanted and self._mock is None:
            url, self._mock = await start_mock()
            self._builtin = parse_base_url(url)

    def _refuse_what_needs_a_restart(self, loaded: Loaded) -> None:
        old, new = self._loaded.settings, loaded.settings
        fixed = {
            ("admin", "listen"): old.admin.listen != new.admin.listen,
            ("admin", "hosts"): old.admin.hosts != new.admin.hosts,
            ("log", "file"): old.log.file != new.log.file,
        }
        text = "can't change while tidegate runs; write it back, or restart"
        if problems := [loaded.problem(where, text) for where, changed in fixed.items() if changed]:
            raise ConfigError(problems)

    async def _until_told_to_end(self) -> None:
        while await self._signals.get() is signal.SIGHUP:
            await self._reload()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self._look()
            except Exception:  # a surprise must cost one look, not the process
                logging.getLogger("tidegate").exception("bug while looking at %s", self._path)

    async def _look(self) -> None:
        latest = await asyncio.to_thread(stamp_of, self._path)
        if latest == self._stamp:
            return
        await asyncio.sleep(SETTLE_S)  # an editor that rewrites the file in place empties it first
        if latest == await asyncio.to_thread(stamp_of, self._path):
            await self._reload()

    async def _reload(self) -> None:
        async with self._reloading:  # a signal and the watch may come at once
            try:
                self._stamp = await asyncio.to_thread(stamp_of, self._path)
                await self._apply(await asyncio.to_thread(_read, self._path))
            except ConfigError as error:
                self._emit(ConfigRead("refused", tuple(error.problems)))
            except Exception:  # a bug must cost one reload, not the process
                logging.getLogger("tidegate").exception("bug while reading %s", self._path)
                self._emit(ConfigRead("refused", ("a bug in tidegate; the log has it",)))
            else:
                self._emit(ConfigRead("loaded"))
                gc.collect()  # what was replaced is cycles, and the collector comes by too seldom for it

    async def _drain(self) -> None:
        """Let calls in flight end; a second signal ends them now."""
        settings = self._loaded.settings
        self.draining = True
        self._emit(DrainStarted(self._listeners.in_flight, settings.drain_timeout))
        again = asyncio.ensure_future(self._told_again())
        # Callers that do not know yet are served while readiness already fails.
        await asyncio.wait([again], timeout=settings.drain_delay)
        self._listeners.stop_accepting()
        ends_at = now() + settings.drain_timeout
        # Connections are waited for, not calls: a call is over when its last bytes are with the transport.
        while self._listeners.connections and now() < ends_at and not again.done():
            await asyncio.wait([again], timeout=0.02)
            self._listeners.close_idle()
        again.cancel()

    async def _told_again(self) -> None:
        while await self._signals.get() is signal.SIGHUP:
            continue  # nothing is read again on the way down

    def _emit(self, event: Event) -> None:
        self._metrics.observe(event)
        self._log.emit(event)

    def _crashed(self, request_id: str, error: BaseException) -> None:
        logging.getLogger("tidegate").error("bug while serving request %s", request_id, exc_info=error)

    def _welcome(self) -> None:
        providers = self._loaded.settings.providers
        base = next(one.address for one in self._listeners.open.values() if one.only is None)
        lines = [f"tidegate is ready. Point your SDKs' base URLs at {base}/PROVIDER"]
        lines += [f"  {name:<12} {base}/{name} -> {provider.base_url}" for name, provider in providers.items()]
        lines.append(f"  state        {self._admin_address}/readyz /metrics /api/providers")
        if "mock" in providers:
            lines += [f"Try: curl -i {base}/mock/anything", f"     curl -i {base}/mock/fail-first/2"]
        if self._loaded.settings.log.format == "console":
            with contextlib.suppress(OSError):
                os.write(self._fd, ("\n".join(lines) + "\n").encode())
        else:
            self._log.text("info", "tidegate", f"ready on {base}, admin on {self._admin_address}")


def _address(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def _cannot_listen(loaded: Loaded, error: Unavailable) -> ConfigError:
    return ConfigError([loaded.problem(error.where, f"can't listen there: {error}; write another address")])


def _log_fd(loaded: Loaded) -> int:
    file = loaded.settings.log.file
    if file is None:
        return 1
    try:
        return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        text = f"can't write there: {error.strerror}; write another path"
        raise ConfigError([loaded.problem(("log", "file"), text)]) from None
