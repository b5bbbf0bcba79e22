"""Everything that the console and `tidegate top` show at a glance, as plain JSON values."""

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from proxy import __version__
from proxy.edge.observe.lines import SEVERITY
from proxy.explain import ways_to
from proxy.observers import Observers
from proxy.process import Process
from proxy.providers import Providers, now

_LEVELS: Final = {number: name for name, number in SEVERITY.items()}
Told = dict[str, object]


class State:
    """Puts together what the parts tell, and only when somebody asks."""

    def __init__(self, process: Process, providers: Providers, observers: Observers) -> None:
        self._process = process
        self._providers = providers
        self._observers = observers

    def told(self, readiness: list[str], *, actions: bool) -> Told:
        """Tell the process, then every provider; times in unix seconds.

        readiness: what keeps tidegate from being ready. actions: whether there is a token that allows them.
        """
        process, log = self._process, self._observers.log
        return {
            "version": __version__,
            "now_ts": time.time(),
            "started_ts": process.started_ts,
            "ready": not readiness,
            "readiness": readiness,
            "draining": process.draining,
            "config": {"file": str(process.path), "read_ts": process.read_ts, "problems": list(process.problems)},
            "log": {"level": _LEVELS[log.least], "dropped": log.dropped},
            "actions": actions,
            "connections": self._observers.connections(),
            "providers": self._told_providers(),
        }

    def _told_providers(self) -> list[Told]:
        """Tell what is live; a provider that was read and could not be put to work is not."""
        settings, actions = self._process.loaded.settings, self._providers.actions()
        objectives: defaultdict[object, list[Mapping[str, object]]] = defaultdict(list)
        for objective in self._observers.objectives.told():
            objectives[objective["provider"]].append(objective)
        told: list[Told] = []
        for name, sections in self._providers.snapshots(now()).items():
            provider = settings.providers[name]
            own = actions[name].pop("")
            told.append({
                "name": name,
                "title": provider.profile.title,
                "base_url": str(provider.base_url),
                "addresses": ways_to(settings, name),
                "status_page": provider.profile.status_page,
                "slo": objectives[name],
                "latency": self._observers.latencies.of(name),
                "sections": sections,
                "actions": own,
                "account_actions": actions[name],
            })  # fmt: skip
        return told
