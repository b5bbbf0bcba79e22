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
from proxy.control import Control
from proxy.core.errors import ConfigError
from proxy.core.events import ConfigRead, DrainStarted, Event
from proxy.draining import drain
from proxy.edge.admin.site import AdminSite
from proxy.edge.commands import end_commands
from proxy.edge.mock import start_mock
from proxy.edge.observe.log import install_logging
from proxy.edge.predecessor import Predecessor
from proxy.edge.secrets import NOBODY, Secrets
from proxy.edge.stamp import stamp_of
from proxy.listeners import Listeners, Unavailable
from proxy.observers import Observers
from proxy.process import Process
from proxy.providers import Providers, now
from proxy.sansio.redact import Redactor
from proxy.settings import Settings
from proxy.tracing import uninstalled

# Calls make no cycles, so the collector's default, a look every 700 objects, finds nothing but work.
GC_THRESHOLDS: Final = (20_000, 20, 50)
WATCH_S: Final = 1.0  # between two looks at the configuration and the secrets
SETTLE_S: Final = 0.1  # how long a changed configuration must lie still before it is read


def main(path: Path, replace: int | None = None) -> int:
    """Run the sidecar until it is told to end.

    replace: the process that is told to drain once this one serves in its place.
    Returns: the exit status; 0 after a drain.
    Raises: ConfigError when the configuration does not hold, an address can't be listened on, or nothing is replaced.
    """
    predecessor, loaded = None if replace is None else Predecessor(replace), _read(path)
    if predecessor is not None and not loaded.settings.egress.reuse_port:
        text = "must be true, here and in the process that is replaced"
        raise ConfigError([loaded.problem(("egress", "reuse_port"), text)])
    return uvloop.run(_run(path, loaded, predecessor))


def _read(path: Path) -> Loaded:
    loaded = read(path)
    # A variable that is not set never will be; a file may still come, and until then its provider answers 503.
    found = [*uninstalled(loaded.settings), *unreadable(loaded, ("env",))]
    if absent := [loaded.problem(where, text) for where, text in found]:
        raise ConfigError(absent)
    return loaded


async def _run(path: Path, loaded: Loaded, predecessor: Predecessor | None) -> int:
    return await App(path, loaded, predecessor).run()


class App:
    """Everything that lives as long as the process; also what the admin listener looks at."""

    def __init__(self, path: Path, loaded: Loaded, predecessor: Predecessor | None = None) -> None:
        self._stamp = stamp_of(path)
        self._process = Process(path, loaded, time.time(), time.time())
        self._redactor = Redactor()
        self._secrets = Secrets(self._redactor.know, on_token=self._redactor.know_token)
        self._fd = _log_fd(loaded)
        self._builtin = parse_base_url(BUILTIN_MOCK)
        self._mock: web.AppRunner | None = None
        self._providers = Providers(self._secrets, self._emit, lambda: self._builtin)
        self._listeners = Listeners(self._providers, self._emit, self._crashed, self._redactor.redact)
        self._observers = Observers(
            loaded,
            self._redactor,
            self._fd,
            lambda: self._providers.snapshots(now()),
            lambda: self._listeners.connections,
        )
        self.control = Control(self._process, self._providers, self._observers, self._secrets, self._redactor)
        settings = loaded.settings
        self._shared = settings.egress.reuse_port
        self._admin = AdminSite(self.control, settings.admin.listen, shared=self._shared)
        self._predecessor = predecessor
        self._asked = asyncio.Event()  # to read the configuration again
        self._reloading = asyncio.Lock()

    async def run(self) -> int:
        """Start, serve until told to end, drain. Returns: the exit status."""
        restore_logging = install_logging(self._observers.log)
        try:
            self._take_signals()
            await self._bind_admin()
            if not self._shared:  # else probes must find the other process until this one serves
                await self._admin.serve()
            await self._apply(self._process.loaded)
            await self._begin_to_serve()
            self._welcome()
            gc.collect()
            gc.freeze()  # what start-up made stays; the collector need not look at it again
            gc.set_threshold(*GC_THRESHOLDS)
            gc.enable()
            async with asyncio.TaskGroup() as tasks:
                ongoing = (self._tick(), self._watch(), self._secrets.watch(WATCH_S, self._emit))
                standing = [tasks.create_task(one) for one in ongoing]
                while await self._process.signals.get() is signal.SIGHUP:
                    self._asked.set()
                for task in standing:
                    task.cancel()
            await self._drain()
        finally:
            await self._listeners.close()
            self._providers.close()
            await self._admin.close()
            if self._mock is not None:
                await self._mock.cleanup()
            restore_logging()
            self._observers.close()
        return 0

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._process.signals.put_nowait, number)

    async def _bind_admin(self) -> None:
        try:
            await self._admin.bind()
        except OSError as error:
            raise _cannot_listen(self._process.loaded, Unavailable(("admin", "listen"), error)) from None

    async def _begin_to_serve(self) -> None:
        """Let callers in; where this process replaces another one, in its place, and only if it can do the work."""
        predecessor = self._predecessor
        if predecessor is not None:
            if missing := self._providers.missing_secrets():
                raise predecessor.refuse("; ".join(missing))
            predecessor.answers_at(self._process.loaded.settings.egress.listen)
        await self._listeners.serve()
        if self._shared:
            await self._admin.serve()
        self._process.begin()
        if predecessor is not None:
            drains = predecessor.tell_to_drain()
            text = f"in place of process {predecessor.pid}, which {'drains' if drains else 'has ended'}"
            self._observers.log.text("info", "tidegate", text)

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
        try:
            await self._secrets.prepare(ref for _, ref in settings.secret_refs())
        except BaseException:  # cancelled too: the process may be told to end meanwhile
            self._listeners.give_up(fresh)
            raise
        for _, ref in settings.own_refs():
            self._secrets.slot(ref)  # so that the redactor knows it before anything can show it
        self._process.loaded = loaded
        self._redactor.patterns(
            pattern for provider in settings.providers.values() for pattern in provider.profile.secret_patterns
        )
        self._providers.update(settings.providers)
        self._secrets.keep((ref for _, ref in settings.secret_refs()), self._providers.users | {NOBODY})
        self._listeners.adopt(fresh, settings)
        self._observers.configure(loaded, self._providers, self._secrets)

    async def _start_mock(self, settings: Settings) -> None:
        """Start the mock provider when somebody first wants it; it stays, because calls to it may be under way."""
        wanted = any(provider.base_url.scheme == "builtin" for provider in settings.providers.values())
        if wanted and self._mock is None:
            url, self._mock = await start_mock()
            self._builtin = parse_base_url(url)

    def _refuse_what_needs_a_restart(self, loaded: Loaded) -> None:
        old, new = self._process.loaded.settings, loaded.settings
        fixed = {
            ("admin", "listen"): old.admin.listen != new.admin.listen,
            ("admin", "hosts"): old.admin.hosts != new.admin.hosts,
            ("log", "file"): old.log.file != new.log.file,
            ("audit", "file"): _audit_file(old) != _audit_file(new),
            ("egress", "reuse_port"): old.egress.reuse_port != new.egress.reuse_port,
        }
        text = "can't change while tidegate runs; write it back, or restart"
        if problems := [loaded.problem(where, text) for where, changed in fixed.items() if changed]:
            raise ConfigError(problems)

    async def _tick(self) -> None:
        while True:  # beside the reloads: a command that is slow to tell a secret must not look like a loop that hangs
            await asyncio.sleep(WATCH_S)
            try:
                self._process.tick()
                self._observers.tick()
            except Exception:  # a surprise must cost one turn, not the process
                logging.getLogger("tidegate").exception("bug in what is done every second")

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), WATCH_S)
            try:
                await (self._reload() if self._asked.is_set() else self._look())
            except Exception:  # a surprise must cost one look, not the process
                logging.getLogger("tidegate").exception("bug while looking at %s", self._process.path)

    async def _look(self) -> None:
        latest = await asyncio.to_thread(stamp_of, self._process.path)
        if latest == self._stamp:
            return
        await asyncio.sleep(SETTLE_S)  # an editor that rewrites the file in place empties it first
        if latest == await asyncio.to_thread(stamp_of, self._process.path):
            await self._reload()

    async def _reload(self) -> None:
        async with self._reloading:
            self._asked.clear()
            try:
                self._stamp = await asyncio.to_thread(stamp_of, self._process.path)
                await self._apply(await asyncio.to_thread(_read, self._process.path))
                await self._listeners.serve()
            except ConfigError as error:
                self._refused(tuple(error.problems))
            except Exception:  # a bug must cost one reload, not the process
                logging.getLogger("tidegate").exception("bug while reading %s", self._process.path)
                self._refused(("a bug in tidegate; the log has it",))
            else:
                self._process.problems, self._process.read_ts = (), time.time()
                self._emit(ConfigRead("loaded"))
                gc.collect()  # what was replaced is cycles, and the collector comes by too seldom for it

    def _refused(self, problems: tuple[str, ...]) -> None:
        self._process.problems = problems
        self._emit(ConfigRead("refused", problems))

    async def _drain(self) -> None:
        """Let calls in flight end; a second signal ends them now."""
        settings = self._process.loaded.settings
        self._process.end()
        end_commands()  # nobody waits for their secrets any more
        self._emit(DrainStarted(self._listeners.in_flight, settings.drain_timeout))
        await drain(self._listeners, self._process.signals, settings)

    def _emit(self, event: Event) -> None:
        self._observers.emit(event)

    def _crashed(self, request_id: str, error: BaseException) -> None:
        logging.getLogger("tidegate").error("bug while serving request %s", request_id, exc_info=error)

    def _welcome(self) -> None:
        providers = self._process.loaded.settings.providers
        base = next(one.address for one in self._listeners.open.values() if one.only is None)
        lines = [f"tidegate is ready. Point your SDKs' base URLs at {base}/PROVIDER"]
        lines += [f"  {name:<12} {base}/{name} -> {provider.base_url}" for name, provider in providers.items()]
        lines.append(f"  console      {self._admin.address}/")
        if "mock" in providers:
            lines += [f"Try: curl -i {base}/mock/anything", f"     curl -i {base}/mock/fail-first/2"]
        if self._process.loaded.settings.log.format == "console":
            with contextlib.suppress(OSError):
                os.write(self._fd, ("\n".join(lines) + "\n").encode())
        else:
            self._observers.log.text("info", "tidegate", f"ready on {base}, admin on {self._admin.address}")


def _cannot_listen(loaded: Loaded, error: Unavailable) -> ConfigError:
    todo = "write another address"
    if loaded.settings.egress.reuse_port:
        todo = f"who listens there has no egress.reuse_port, or is another user's; {todo}, or end that one first"
    return ConfigError([loaded.problem(error.where, f"can't listen there: {error}; {todo}")])


def _audit_file(settings: Settings) -> str | None:
    return None if settings.audit is None else settings.audit.file


def _log_fd(loaded: Loaded) -> int:
    file = loaded.settings.log.file
    if file is None:
        return 1
    try:
        return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        text = f"can't write there: {error.strerror}; write another path"
        raise ConfigError([loaded.problem(("log", "file"), text)]) from None
