"""Reads the configuration: the user's file over the catalogue's presets over the defaults."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from proxy.addresses import BaseUrl
from proxy.contradictions import contradictions
from proxy.core.errors import ConfigError
from proxy.edge.documents import Document, KeyPath, problem, read_document
from proxy.overlay import Overlay, Written
from proxy.presets import Presets
from proxy.problems import Finding, findings
from proxy.sansio.redact import Redactor
from proxy.settings import Provider, Settings

__all__ = ["BaseUrl", "Loaded", "Provider", "Settings", "Written", "catalogue", "load", "preset", "read"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings together with where each value came from; a key path that is in no file has a default."""

    file: str
    settings: Settings
    origins: dict[KeyPath, Written]
    own_presets: Path | None = None

    def origin(self, path: KeyPath) -> str:
        """Say where the effective value at `path` came from: `config FILE:LINE`, `preset NAME` or `default`."""
        return str(self.origins[path]) if path in self.origins else "default"

    def problem(self, path: KeyPath, text: str) -> str:
        """Write a problem with the user's own file and line, even where a preset supplied the value."""
        own = {key: origin for key, origin in self.origins.items() if not origin.preset}
        return _clean([problem(self.file, _place(self.file, own, path).line, path, text)], Presets(self.own_presets))[0]


def load(path: str | Path) -> Settings:
    """Read and validate a configuration file.

    Raises: ConfigError with every problem found, one line each.
    """
    return read(path).settings


def read(path: str | Path) -> Loaded:
    """Read and validate like `load`, and remember where each value came from."""
    presets = Presets()
    try:
        document = read_document(Path(path))
        presets = _presets_of(document, Path(path).parent)
        overlay = Overlay(document, presets)
    except ConfigError as error:
        raise ConfigError(_clean(error.problems, presets)) from None
    tree, wrong = overlay.tree, overlay.wrong
    wrong += contradictions(tree, presets.patterns)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        wrong += _new(findings(error, tree, settings_schema()), {where for where, _ in wrong})
        settings = Settings()
    if wrong:
        placed = _once([(_place(document.file, overlay.origins, where), where, text) for where, text in wrong])
        placed.sort(key=lambda found: (found[0].file, found[0].line))
        lines = [problem(at.file, at.line, where, text) for at, where, text in placed]
        raise ConfigError(_clean(lines, presets))
    return Loaded(document.file, settings, overlay.origins, presets.own)


@cache
def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema of the settings as pydantic makes it."""
    return Settings.model_json_schema()


def catalogue(own: Path | None = None) -> tuple[str, ...]:
    """Return the names of all presets, in alphabetical order; `own` is the folder of the user's."""
    return Presets(own).names


def preset(name: str, own: Path | None = None) -> Document:
    """Read a preset of the catalogue: a provider's entry as a user would write it."""
    return Presets(own).read(name)


def _presets_of(document: Document, beside: Path) -> Presets:
    """Return the catalogue with the folder that the file names. Raises: ConfigError for what is wrong in there."""
    name = document.data.get("catalogue")
    if not isinstance(name, str) or not name:
        return Presets()
    folder = beside / name
    if not folder.is_dir():
        text = "no such folder; write the path of a folder of presets, beginning beside this file"
        raise ConfigError([problem(document.file, document.lines.get(("catalogue",), 1), ("catalogue",), text)])
    presets = Presets(folder)
    if problems := presets.problems():
        raise ConfigError(problems)
    return presets


def _clean(problems: Iterable[str], presets: Presets) -> list[str]:
    """Take out secrets that were pasted where a key stands; the file's own name is left as it is."""
    redactor = Redactor()
    redactor.patterns(presets.patterns())
    parts = [problem.partition(": ") for problem in problems]
    return [file + colon + redactor.redact_text(said) for file, colon, said in parts]


def _once(wrong: list[tuple[Written, KeyPath, str]]) -> list[tuple[Written, KeyPath, str]]:
    """Leave out what an account has from its provider's entry, where it is told already."""
    told = set(wrong)
    return [
        (at, where, text)
        for at, where, text in wrong
        if where[2:3] != ("accounts",) or (at, where[:2] + where[4:], text) not in told
    ]


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
