"""What an operator may do to the running process, and to the layers of one provider or account."""

import signal
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, get_args

from proxy.core.call import Policy
from proxy.core.errors import BadRequest
from proxy.core.events import Acted
from proxy.edge.observe.lines import Level
from proxy.observers import Observers
from proxy.process import Process
from proxy.providers import Providers, now

_DONE: Final[Mapping[str, str]] = {
    "open": "{section} of {whose} is open until {section}.auto",
    "close": "{section} of {whose} is closed, whatever its calls come to, until {section}.auto",
    "report": "{section} of {whose} only reports what it would refuse, until {section}.auto",
    "enforce": "{section} of {whose} refuses what it must, until {section}.auto",
    "auto": "{section} of {whose} decides by itself again",
    "resume": "{section} of {whose} holds no call back for what was before",
}
_LEVELS: Final[Mapping[str, Level]] = {level: level for level in get_args(Level)}
_LONGEST_SHOWN: Final = 64

Target = Mapping[str, str]


class Actions:
    """Does what an operator asks for, and tells it whatever came of it."""

    def __init__(self, process: Process, providers: Providers, observers: Observers) -> None:
        self._process = process
        self._providers = providers
        self._observers = observers
        self._own: Mapping[str, Callable[[str], str]] = {
            "reload": self._reload,
            "drain": self._drain,
            "log.level": self._level,
        }

    def act(self, action: str, target: Target, peer: str) -> str:
        """Do it. Returns: what is true now, for people. Raises: BadRequest, whose detail lists what there is."""
        known = self._known()
        name = action if action in known else "unknown"
        provider, account = self._where(target)
        value = _LEVELS.get(target.get("value", ""), "")
        told = partial(Acted, provider=provider, account=account, action=name, value=value, peer=peer)
        try:
            done = self._do(action, target, known)
        except BadRequest as error:
            self._observers.emit(told(result="failed", problem=error.detail))
            raise
        self._observers.emit(told(result="done"))
        return done

    def _where(self, target: Target) -> tuple[str, str]:
        """Return provider and account as far as they are configured: no event has what somebody made up."""
        provider, account = target.get("provider", ""), target.get("account", "")
        layers = self._providers.layers(provider)
        return (provider if layers else "", account if account in layers else "")

    def _do(self, action: str, target: Target, known: list[str]) -> str:
        if action not in known:
            raise BadRequest(f"no action {_shown(action)}; there are {_listed(known)}")
        return self._process_wide(action, target) if action in self._own else self._to_layer(action, target)

    def _known(self) -> list[str]:
        offered = self._providers.actions().values()
        per_layer = {
            f"{section}.{name}"
            for accounts in offered
            for sections in accounts.values()
            for section, names in sections.items()
            for name in names
        }
        return [*self._own, *sorted(per_layer)]

    def _process_wide(self, action: str, target: Target) -> str:
        if target.get("provider") or target.get("account"):
            raise BadRequest(f"{action} concerns the whole process; leave provider and account out")
        if target.get("value") and action != "log.level":
            raise BadRequest(f"{action} takes no value; leave it out")
        return self._own[action](target.get("value", ""))

    def _reload(self, _: str) -> str:
        self._refuse_while_draining()
        self._process.signals.put_nowait(signal.SIGHUP)
        return "the configuration is being read again; the event config_read and /api/state tell what came of it"

    def _drain(self, _: str) -> str:
        self._refuse_while_draining()  # a second signal would end the calls in flight
        self._process.signals.put_nowait(signal.SIGTERM)
        return "tidegate takes no more calls, lets those in flight end, and then ends itself"

    def _refuse_while_draining(self) -> None:
        if self._process.draining:
            raise BadRequest("tidegate is going down already")

    def _level(self, value: str) -> str:
        if value and value not in _LEVELS:
            raise BadRequest(f"no level {_shown(value)}; there are {_listed(_LEVELS)}, and empty for the file's own")
        level = self._observers.log.hold_level(_LEVELS.get(value))
        return f"the log has {level} and above, {'until log.level with an empty value' if value else 'as configured'}"

    def _to_layer(self, action: str, target: Target) -> str:
        if target.get("value"):
            raise BadRequest(f"{action} takes no value; leave it out")
        section, _, name = action.rpartition(".")
        layer = self._layer(section, target)
        layer.actions[name]()
        account = target.get("account", "")
        whose = f"{target['provider']}, account {account}" if account else target["provider"]
        return "the " + _DONE[name].format(section=section, whose=whose) + _aside(layer, name)

    def _layer(self, section: str, target: Target) -> Policy:
        provider, account = target.get("provider", ""), target.get("account", "")
        layers = self._providers.layers(provider)
        if not layers:
            what = f"no provider {_shown(provider)}" if provider else "name a provider"
            raise BadRequest(f"{what}; there are {_listed(self._providers.actions())}")
        accounts = [name for name in layers if name]
        if account not in layers:
            there = f"there are {_listed(accounts)}" if accounts else f"{provider} has none; leave account out"
            raise BadRequest(f"no account {_shown(account)}; {there}")
        if section in layers[account]:
            return layers[account][section]
        if section in layers[""]:
            raise BadRequest(f"the {section} of {provider} serves all its accounts; leave account out")
        if not account and (having := [name for name in accounts if section in layers[name]]):
            raise BadRequest(f"the {section} of {provider} is one for each account; name one of {_listed(having)}")
        raise BadRequest(f"{provider} has no {section} in use; it has {_listed(layers[account])}")


def _aside(layer: Policy, name: str) -> str:
    """Say what else is true, so that nobody takes a breaker for open that lets calls through."""
    told = layer.snapshot(now())
    if name == "auto":
        words = [f"{key} {told[key]}" for key in ("state", "mode") if key in told]
        return f": {', '.join(words)}"
    if name == "open" and told["mode"] == "report":
        return ", but calls go through, because its mode is report"
    return ""


def _shown(text: str) -> str:
    # Whole or not at all: nobody recognises the half of a secret that was pasted into the wrong field.
    return repr(text) if len(text) <= _LONGEST_SHOWN else f"of {len(text)} characters"


def _listed(names: Mapping[str, object] | list[str]) -> str:
    return ", ".join(names) or "none"
