"""What the admin listener sees of the process, and what it may do."""

from collections.abc import Mapping
from typing import Any, Literal

from proxy.actions import Actions
from proxy.calls import explained
from proxy.core.events import Acted
from proxy.edge.observe.recent import Recent
from proxy.edge.secrets import Secrets
from proxy.explain import stack_rows
from proxy.observers import Observers
from proxy.process import Process
from proxy.process_metrics import tell_process
from proxy.providers import Providers, now
from proxy.sansio.redact import Redactor
from proxy.state import State


class Control:
    """The view behind the admin pages (`edge/admin/view.py`)."""

    def __init__(
        self, process: Process, providers: Providers, observers: Observers, secrets: Secrets, redactor: Redactor
    ) -> None:
        self._process = process
        self._providers = providers
        self._observers = observers
        self._secrets = secrets
        self._redactor = redactor
        self._state = State(process, providers, observers)
        self._actions = Actions(process, providers, observers)
        tell_process(observers.metrics, process, self.readiness)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Further names that may stand in Host."""
        return self._process.loaded.settings.admin.hosts

    @property
    def protect(self) -> Literal["actions", "all"]:
        """What asks for the token."""
        return self._process.loaded.settings.admin.protect

    @property
    def recent(self) -> Recent:
        """The last calls and state changes."""
        return self._observers.recent

    def now(self) -> float:
        """Return the monotonic instant."""
        return now()

    def admits(self, token: str | None) -> bool | None:
        """Say whether this is the admin token; None where none is configured or readable."""
        refs = self._process.loaded.settings.admin.token
        known = [self._secrets.slot(ref).secret for ref in refs or ()]
        secrets = [secret for secret in known if secret is not None]
        if not secrets:
            return None
        return token is not None and any([secret.equals(token) for secret in secrets])  # noqa: C419 - looks at all

    def snapshots(self, at: float) -> dict[str, dict[str, Any]]:
        """Tell the live state of every policy of every provider."""
        return self._providers.snapshots(at)

    def state(self) -> Mapping[str, object]:
        """Tell everything that the console shows at a glance."""
        return self._state.told(self.readiness(), actions=self.admits(None) is not None)

    def objectives(self) -> list[Mapping[str, object]]:
        """Tell every objective with its budget and burn rates."""
        return self._observers.objectives.told()

    def stack(self, provider: str) -> list[tuple[str, str, str]] | None:
        """Return the rows that `tidegate explain` shows, None for a provider that is not configured."""
        loaded = self._process.loaded
        return stack_rows(loaded, provider) if provider in loaded.settings.providers else None

    def call(self, request_id: str) -> Mapping[str, object] | None:
        """Explain a call that happened; None when it is not among the recent ones."""
        found = self._observers.recent.find(request_id)
        if found is None:
            return None
        return explained(self._redactor.redact(found), self._process.loaded.settings, self._process.read_ts)

    def readiness(self) -> list[str]:
        """Tell what keeps the sidecar from being ready. An upstream outage never does."""
        if self._process.draining:
            return ["draining"]
        return self._providers.missing_secrets() if self._process.started else ["starting"]

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their content type."""
        return self._observers.metrics.render(accept)

    def redact(self, data: bytes) -> bytes:
        """Take every known secret out."""
        return self._redactor.redact(data)

    def refuse_action(self, peer: str, problem: str) -> None:
        """Tell that somebody without the token tried an action, or has been locked out."""
        self._observers.emit(Acted("", "", "refused", peer, problem=problem))

    def act(self, action: str, target: Mapping[str, str], peer: str) -> str:
        """Do what an operator asks for. Raises: BadRequest."""
        return self._actions.act(action, target, peer)
