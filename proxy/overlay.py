"""Lays the user's entries over the presets, and accounts over their entries; knows where each value was written."""

from dataclasses import dataclass
from typing import Any, Final

from proxy.edge.documents import Document, KeyPath
from proxy.locating import Locating
from proxy.presets import Presets
from proxy.problems import Finding, nearest
from proxy.settings import PROVIDER_NAME, Account
from proxy.straying import strays

_OF_A_LEG: Final = frozenset(Account.model_fields)


@dataclass(frozen=True, slots=True)
class Written:
    """Where a value was written. preset: the catalogue's name, "" for the user's own file."""

    file: str
    line: int
    preset: str = ""

    def __str__(self) -> str:
        return f"preset {self.preset}" if self.preset else f"config {self.file}:{self.line}"


class Overlay:
    """A file with the presets beneath it.

    tree: its plain values, every entry and account in full; the file's own mappings are left as they are.
    origins: where each key was written. wrong: what was found on the way.
    """

    def __init__(self, document: Document, presets: Presets) -> None:
        self._presets = presets
        self.tree = dict(document.data)
        self.origins = {key: Written(document.file, line) for key, line in document.lines.items()}
        self.wrong: list[Finding] = []
        entries = self.tree.get("providers")
        if isinstance(entries, dict):
            self.tree["providers"] = dict(entries)
            for name, entry in entries.items():
                if entry is None or isinstance(entry, dict):
                    self.tree["providers"][name] = self._provider(("providers", name), entry or {})

    def _provider(self, where: KeyPath, entry: dict[str, Any]) -> dict[str, Any]:
        preset = self._preset(where, entry)
        below = preset.data if preset is not None else {}
        merged, replaced = merge(below, entry)
        if preset is not None:
            for key, line in preset.lines.items():
                if not any(key[: len(gone)] == gone for gone in replaced):
                    self.origins.setdefault(
                        (*where, *key), Written(preset.file, line, str(entry.get("preset", where[-1])))
                    )
        accounts = merged.get("accounts")
        if isinstance(accounts, dict):
            mine = {key[2:]: origin for key, origin in self.origins.items() if key[:2] == where}
            merged["accounts"] = {
                name: self._account((*where, "accounts", name), [account or {}, entry, below], merged, mine)
                if account is None or isinstance(account, dict)
                else account
                for name, account in accounts.items()
            }
        return self._located(where, [entry, below], merged)

    def _account(
        self, where: KeyPath, levels: list[dict[str, Any]], provider: dict[str, Any], origins: dict[KeyPath, Written]
    ) -> dict[str, Any]:
        """Lay an account over its provider's entry, of which a leg has no use for every key.

        origins: of the provider's keys.
        """
        below = {key: value for key, value in provider.items() if key in _OF_A_LEG}
        if isinstance(levels[0].get("credential"), dict) and below.get("credential") is False:
            below["credential"] = levels[-1].get("credential")  # off for calls without account, not for this one
        merged, replaced = merge(below, levels[0])
        for key, origin in origins.items():
            if key and key[0] in below and not any(key[: len(gone)] == gone for gone in replaced):
                self.origins.setdefault((*where, *key), origin)
        located = self._located(where, levels, {**merged, "profile": provider.get("profile")})
        del located["profile"]
        return located

    def _located(self, where: KeyPath, levels: list[dict[str, Any]], merged: dict[str, Any]) -> dict[str, Any]:
        """Find the address of an entry or account, and see to it that no secret goes there by itself."""
        locating = Locating(levels, merged)
        entry = locating.located()
        accounts = merged.get("accounts")
        if accounts and entry.get("credential") is False and locating.wrong:
            # Without a credential it is only called with an account, and each of those has an address.
            first = next((one for one in accounts.values() if isinstance(one, dict)), {})
            return {**entry, "base_url": first.get("base_url")}
        self.wrong += [((*where, *key), text) for key, text in locating.wrong]
        if locating.level == 0:
            key = "host" if locating.by_host else "base_url"
            if (*where, key) in self.origins:
                self.origins[(*where, "base_url")] = self.origins[(*where, key)]
        self.wrong += [((*where, *key), text) for key, text in strays(locating, levels, entry)]
        return entry

    def _preset(self, where: KeyPath, entry: dict[str, Any]) -> Document | None:
        key, names = str(where[-1]), self._presets.names
        name = entry.get("preset", key)
        if name in names:
            return self._presets.read(name)
        near = nearest(str(name), names)
        if "preset" in entry:
            self.wrong.append(((*where, "preset"), f"not in the catalogue; write one of {', '.join(names)}"))
        elif "base_url" not in entry and PROVIDER_NAME.fullmatch(key):
            hint = f"did you mean {near}?" if near else f"it holds {', '.join(names)}"
            text = f"is missing, and {key} is not in the catalogue ({hint}); write base_url: https://host"
            self.wrong.append(((*where, "base_url"), text))
        return None


def merge(below: dict[str, Any], above: dict[str, Any]) -> tuple[dict[str, Any], list[KeyPath]]:
    """Merge mappings key by key; all else replaces. Returns the result and the paths below that were replaced."""
    merged = dict(below)
    replaced: list[KeyPath] = []
    for key, value in above.items():
        old = below.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and not _other_scheme(old, value):
            merged[key], inner = merge(old, value)
            replaced += [(key, *path) for path in inner]
        else:
            merged[key] = value
            replaced.append((key,))
    return merged, replaced


def _other_scheme(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """A credential of another scheme shares no key with the one beneath."""
    return "scheme" in old and new.get("scheme", old["scheme"]) != old["scheme"]
