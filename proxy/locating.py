"""Decides which address an entry means: its base_url or one of the profile's hosts, with the braces filled in."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from proxy.addresses import keeps_domain, parse_var
from proxy.problems import Finding, nearest

_BRACE: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_FILLED: Final = frozenset({"account", "audience", "issuer", "region", "subject", "token_url"})
"""The keys of a credential that may hold braces, besides those that schemes read by themselves."""

_NOWHERE: Final = "https://unresolved.invalid"  # stands where a problem was found, so that it is told once
_UNKNOWN: Final = "unresolved"  # the same where a word is wanted, such as a region or an account


class Locating:
    """One entry on its way to an address.

    levels: the entry as written, then those beneath it, the preset's last. merged: all of them laid over one another.
    """

    def __init__(self, levels: Sequence[Mapping[str, Any]], merged: Mapping[str, Any]) -> None:
        self._levels = levels
        self._merged = merged
        self._hosts = _mapping(_mapping(merged.get("profile")).get("hosts"))
        self._base_url = ""
        self.vars: dict[str, str] = {}
        self.wrong: list[Finding] = []
        self.level = next((at for at, one in enumerate(levels) if "host" in one or "base_url" in one), len(levels))
        """Which of the levels names the address; their number when none does."""

    def located(self) -> dict[str, Any]:
        """Return the entry with base_url and credential as they are used; `wrong` then holds what was found."""
        self._read_vars()
        entry = dict(self._merged)
        entry.pop("host", None)
        if self.by_host:
            entry["host"] = self._levels[self.level]["host"]
        missing: set[str] = set()
        template = self._template()
        if isinstance(template, str):
            entry["base_url"] = self._fill(template, missing)
        self._base_url = str(entry.get("base_url", "")).rstrip("/")
        credential = entry.get("credential")
        if isinstance(credential, dict):
            entry["credential"] = self._filled(credential, missing)
        if missing and not self.wrong:
            known = ", ".join(f"{name}: ..." for name in sorted(missing))
            text = f"lacks {', '.join(sorted(missing))}, which the address needs; write vars: {{{known}}}"
            self.wrong.append((("vars",), text))
        return entry

    @property
    def by_host(self) -> bool:
        """Whether the address is named by `host`, and not by `base_url`."""
        return self.level < len(self._levels) and self._levels[self.level].get("host") is not None

    def known_from(self, level: int) -> Iterator[str]:
        """Yield the addresses that this level and those beneath it know, token endpoints too.

        Any word stands in for what is missing in braces, because the domain alone counts.
        """
        for one in self._levels[level:]:
            hosts = _mapping(_mapping(one.get("profile")).get("hosts"))
            for text in (one.get("base_url"), *hosts.values(), *_token_urls(one.get("credential"))):
                if isinstance(text, str):
                    yield _BRACE.sub(lambda brace: self.vars.get(brace[1], "any"), text)

    def _read_vars(self) -> None:
        takes = {name for text in self._templates() for name in _BRACE.findall(text)}
        written = _mapping(self._levels[0].get("vars"))
        for name, value in _mapping(self._merged.get("vars")).items():
            try:
                self.vars[name] = parse_var(value)
            except ValueError as error:
                self.wrong.append((("vars", name), str(error)))
                continue
            if "." in self.vars[name] and not all(keeps_domain(text, name) for text in self._templates()):
                self.wrong.append((("vars", name), "may have no dot here, where it would lead to another domain"))
            if name in written and name not in takes:
                known = f"it takes {', '.join(sorted(takes))}" if takes else "no address of this provider has braces"
                self.wrong.append((("vars", name), f"stands in no address here; {known}"))

    def _templates(self) -> Iterator[str]:
        urls = [level.get("base_url") for level in self._levels]
        for text in (*urls, *self._hosts.values(), *_fillable(self._merged.get("credential"))):
            if isinstance(text, str):
                yield text

    def _template(self) -> Any:
        """Return the address before its braces are filled: the topmost level that names one decides."""
        level = self._levels[self.level] if self.level < len(self._levels) else {}
        if not self.by_host:
            return level.get("base_url")
        name = level["host"]
        if "base_url" in level and self.level == 0:
            self.wrong.append((("host",), "stands beside base_url, which says another address; write one of them"))
        elif not isinstance(name, str) or name not in self._hosts:
            self.wrong.append((("host",), _no_host(str(name), self._hosts)))
        else:
            return self._hosts[name]
        return _NOWHERE

    def _fill(self, template: str, missing: set[str], otherwise: str = _NOWHERE) -> str:
        absent = set(_BRACE.findall(template)) - self.vars.keys()
        missing |= absent
        return otherwise if absent else _BRACE.sub(lambda brace: self.vars[brace[1]], template)

    def _filled(self, node: dict[str, Any], missing: set[str]) -> dict[str, Any]:
        filled = dict(node)
        for key, value in node.items():
            if isinstance(value, dict):
                filled[key] = self._filled(value, missing)
            elif key in _FILLED and isinstance(value, str):
                # A token endpoint at the provider's own address moves with it, from live to sandbox.
                beside = self._base_url if key == "token_url" and value.startswith("/") else ""
                filled[key] = beside + self._fill(value, missing, _NOWHERE if key == "token_url" else _UNKNOWN)
        return filled


def needed(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in braces without which this entry has no address or no credential, in alphabetical order."""
    texts = (entry.get("base_url"), *_fillable(entry.get("credential")))
    found = {name for text in texts if isinstance(text, str) for name in _BRACE.findall(text)}
    return tuple(sorted(found - _mapping(entry.get("vars")).keys()))


def _fillable(node: Any) -> Iterator[str]:
    for key, value in _mapping(node).items():
        if isinstance(value, dict):
            yield from _fillable(value)
        elif key in _FILLED and isinstance(value, str):
            yield value


def _token_urls(node: Any) -> Iterator[Any]:
    for key, value in _mapping(node).items():
        yield from _token_urls(value) if isinstance(value, dict) else (value,) if key == "token_url" else ()


def _no_host(name: str, hosts: Mapping[str, Any]) -> str:
    if not hosts:
        return "this provider has no named hosts; write base_url"
    near = nearest(name, hosts)
    known = f"did you mean {near}?" if near else f"write one of {', '.join(hosts)}"
    return f"no host of that name; {known}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
