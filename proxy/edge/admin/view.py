"""What the admin pages may see and do of the process, as one protocol."""

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from proxy.edge.observe.recent import Recent


class AdminView(Protocol):
    """What the admin pages show. Times are monotonic seconds unless they are called `ts`."""

    @property
    def hosts(self) -> Iterable[str]:
        """Further names that callers may put into Host."""

    @property
    def protect(self) -> Literal["actions", "all"]:
        """What asks for the token: actions, or all but the probes, the metrics and the console's own files."""

    @property
    def recent(self) -> Recent:
        """The last calls and state changes, as encoded log lines that are not redacted yet."""

    def now(self) -> float:
        """Tell the time on the loop's own clock."""

    def admits(self, token: str | None) -> bool | None:
        """Say whether this is the admin token, in constant time; None where none is configured or readable."""

    def snapshots(self, at: float) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
        """Tell the live state by provider and section."""

    def state(self) -> Mapping[str, object]:
        """Tell everything that the console shows at a glance; see `proxy/state.py`."""

    def objectives(self) -> list[Mapping[str, object]]:
        """Tell every objective with its budget and burn rates; see `edge/observe/objectives.py`."""

    def stack(self, provider: str) -> list[tuple[str, str, str]] | None:
        """Return the stack's rows as `tidegate explain` shows them: label, effective value, where it came from.

        None when no provider of that name is configured.
        """

    def call(self, request_id: str) -> Mapping[str, object] | None:
        """Explain a call that happened; None when it is not, or no longer, among the recent ones."""

    def readiness(self) -> list[str]:
        """List what keeps tidegate from taking calls; an upstream outage is never one."""

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """Write all metrics; returns body and Content-Type."""

    def redact(self, data: bytes) -> bytes:
        """Take every known secret out."""

    def refuse_action(self, peer: str, problem: str) -> None:
        """Tell that somebody without the token tried an action, or has been locked out."""

    def act(self, action: str, target: Mapping[str, str], peer: str) -> str:
        """Do what an operator asks for, and tell it to log and audit.

        action: `breaker.open`, `rate_limit.resume`, `reload`, `drain`, `log.level` and the like. target: `provider`,
        `account` and `value` as far as the action takes them. peer: the address that it came from.
        Returns: what was done, for people. Raises: Misused with what is wrong.
        """
