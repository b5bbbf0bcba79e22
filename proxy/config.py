"""Reads the configuration: the user's file over the catalogue's presets over the defaults."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from proxy.contradictions import contradictions, misdirected
from proxy.core.errors import ConfigError
from proxy.core.profile import Profile, SecretPattern
from proxy.edge.documents import Document, KeyPath, problem, read_document
from proxy.problems import Finding, findings, nearest
from proxy.sansio.redact import Redactor
from proxy.settings import PROVIDER_NAME, BaseUrl, Provider, Settings

__all__ = ["BaseUrl", "Loaded", "Provider", "Settings", "Written", "catalogue", "load", "preset", "read"]

CATALOGUE: Final = Path(__file__).parent / "catalogue"


@dataclass(frozen=True, slots=True)
class Written:
    """Where a value was written. preset: the catalogue's name, "" for the user's own file."""

    file: str
    line: int
    preset: str = ""

    def __str__(self) -> str:
        return f"preset {self.preset}" if self.preset else f"config {self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings together with where each value came from; a key path that is in no file has a default."""

    file: str
    settings: Settings
    origins: dict[KeyPath, Written]

    def origin(self, path: KeyPath) -> str:
        """Say where the effective value at `path` came from: `config FILE:LINE`, `preset NAME` or `default`."""
        return str(self.origins[path]) if path in self.origins else "default"

    def problem(self, path: KeyPath, text: str) -> str:
        """Write a problem with the user's own file and line, even where a preset supplied the value."""
        own = {key: origin for key, origin in self.origins.items() if not origin.preset}
        return _clean([problem(self.file, _place(self.file, own, path).line, path, text)])[0]


def load(path: str | Path) -> Settings:
    """Read and validate a configuration file.

    Raises: ConfigError with every problem found, one line each.
    """
    return read(path).settings


def read(path: str | Path) -> Loaded:
    """Read and validate like `load`, and remember where each value came from."""
    try:
        document = read_document(Path(path))
    except ConfigError as error:
        raise ConfigError(_clean(error.problems)) from None
    tree, origins, wrong = _with_presets(document)
    wrong += contradictions(tree, _secret_patterns(catalogue()))
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        wrong += _new(findings(error, tree, settings_schema()), {where for where, _ in wrong})
        settings = Settings()
    if wrong:
        placed = [(_place(document.file, origins, where), where, text) for where, text in wrong]
        placed.sort(key=lambda found: (found[0].file, found[0].line))
        raise ConfigError(_clean(problem(at.file, at.line, where, text) for at, where, text in placed))
    return Loaded(document.file, settings, origins)


@cache
def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema of the settings as pydantic makes it."""
    return Settings.model_json_schema()


@cache
def catalogue() -> tuple[str, ...]:
    """Return the names of all presets, in alphabetical order."""
    return tuple(sorted(path.stem for path in CATALOGUE.glob("*.yaml")))


def preset(name: str) -> Document:
    """Read a preset of the catalogue: a provider's entry as a user would write it."""
    return read_document(CATALOGUE / f"{name}.yaml", f"catalogue/{name}.yaml")


@cache
def _secret_patterns(names: tuple[str, ...]) -> tuple[SecretPattern, ...]:
    """Return the shapes of secrets that these presets know."""
    profiles = [Profile.model_validate(preset(name).data.get("profile", {})) for name in names]
    return tuple(pattern for profile in profiles for pattern in profile.secret_patterns)


def _clean(problems: Iterable[str]) -> list[str]:
    """Take out secrets that were pasted where a key stands; the file's own name is left as it is."""
    redactor = Redactor()
    redactor.patterns(_secret_patterns(catalogue()))
    parts = [problem.partition(": ") for problem in problems]
    return [file + colon + redactor.redact_text(said) for file, colon, said in parts]


def _new(found: list[Finding], reported: set[KeyPath]) -> list[Finding]:
    """Leave out what was said already, or follows from it: what a preset that does not exist would have supplied."""
    return [
        (where, text)
        for where, text in found
        if where not in reported and not (text == "is missing" and (*where[:2], "preset") in reported)
    ]


def _place(file: str, origins: dict[KeyPath, Written], path: KeyPath) -> Written:
    """Return where the key stands, or else the nearest mapping around it."""
    around = (path[:size] for size in range(len(path), 0, -1))
    return next((origins[key] for key in around if key in origins), Written(file, 1))


def _with_presets(document: Document) -> tuple[dict[str, Any], dict[KeyPath, Written], list[Finding]]:
    """Lay each provider's entry over its preset; the file's own mappings are left as they are."""
    tree = dict(document.data)
    origins: dict[KeyPath, Written] = {}
    wrong: list[Finding] = []
    entries = tree.get("providers")
    if isinstance(entries, dict):
        tree["providers"] = dict(entries)
        for name, entry in entries.items():
            where = ("providers", name)
            if entry is None or isinstance(entry, dict):
                tree["providers"][name], beneath = _provider(where, entry or {}, wrong)
                origins |= beneath
    origins |= {key: Written(document.file, line) for key, line in document.lines.items()}
    return tree, origins, wrong


def _provider(
    where: KeyPath, entry: dict[str, Any], wrong: list[Finding]
) -> tuple[dict[str, Any], dict[KeyPath, Written]]:
    key = str(where[-1])
    name = entry.get("preset", key)
    if name not in catalogue():
        near = nearest(str(name), catalogue())
        if "preset" in entry:
            wrong.append(((*where, "preset"), f"not in the catalogue; write one of {', '.join(catalogue())}"))
        elif "base_url" not in entry and PROVIDER_NAME.fullmatch(key):
            hint = f"did you mean {near}?" if near else f"it holds {', '.join(catalogue())}"
            text = f"is missing, and {key} is not in the catalogue ({hint}); write base_url: https://host"
            wrong.append(((*where, "base_url"), text))
        return entry, {}
    document = preset(name)
    merged, replaced = _merge(document.data, entry)
    if text := misdirected(entry, document.data):
        wrong.append(((*where, "base_url"), text))
    origins = {
        (*where, *key): Written(document.file, line, name)
        for key, line in document.lines.items()
        if not any(key[: len(gone)] == gone for gone in replaced)
    }
    return merged, origins


def _merge(below: dict[str, Any], above: dict[str, Any]) -> tuple[dict[str, Any], list[KeyPath]]:
    """Merge mappings key by key; all else replaces. Returns the result and the paths below that were replaced."""
    merged = dict(below)
    replaced: list[KeyPath] = []
    for key, value in above.items():
        old = below.get(key)
        # A credential of another scheme shares no key with the preset's.
        other_scheme = key == "credential" and isinstance(value, dict) and _other_scheme(old, value)
        if isinstance(old, dict) and isinstance(value, dict) and not other_scheme:
            merged[key], inner = _merge(old, value)
            replaced += [(key, *path) for path in inner]
        else:
            merged[key] = value
            replaced.append((key,))
    return merged, replaced


def _other_scheme(old: Any, new: dict[str, Any]) -> bool:
    return isinstance(old, dict) and new.get("scheme", old.get("scheme")) != old.get("scheme")
