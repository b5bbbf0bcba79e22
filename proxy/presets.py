"""The catalogue of presets: those that tidegate brings, and over them the user's own."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from proxy.core.errors import ConfigError
from proxy.core.profile import Profile, SecretPattern
from proxy.edge.documents import Document, problem, read_document
from proxy.problems import findings
from proxy.settings import PROVIDER_NAME

CATALOGUE: Final = Path(__file__).parent / "catalogue"
_PATTERNS: Final = TypeAdapter(tuple[SecretPattern, ...])


@dataclass(frozen=True, slots=True)
class Presets:
    """What the catalogue holds. own: the folder of the user's own presets, one YAML file each, if there is one."""

    own: Path | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all presets, in alphabetical order."""
        return tuple(sorted({*_built_in(), *self._own_names()}))

    def read(self, name: str) -> Document:
        """Read a preset: a provider's entry as a user would write it. Raises: ConfigError."""
        if self.own is not None and name in self._own_names():
            return read_document(self.own / f"{name}.yaml", example="base_url: https://api.example.com")
        return _read_built_in(name)

    def patterns(self) -> tuple[SecretPattern, ...]:
        """Return the shapes of secrets that the presets know."""
        own = [pattern for name in self._own_names() for pattern in _patterns(self.read(name))]
        return (*(pattern for name in _built_in() for pattern in _built_in_patterns(name)), *own)

    def patterns_of(self, name: str) -> tuple[SecretPattern, ...]:
        """Return the shapes of secrets that one preset knows."""
        return _patterns(self.read(name)) if name in self._own_names() else _built_in_patterns(name)

    def problems(self) -> list[str]:
        """Return what is wrong in the user's own presets, with file and line, whether or not anything uses them."""
        found: list[str] = []
        for name in self._own_names():
            try:
                found += _wrong_in(self.read(name))
            except ConfigError as error:
                found += error.problems
        return found

    def _own_names(self) -> list[str]:
        paths = [] if self.own is None else sorted(self.own.glob("*.yaml"))
        return [path.stem for path in paths if PROVIDER_NAME.fullmatch(path.stem)]


def _wrong_in(document: Document) -> list[str]:
    profile: Any = document.data.get("profile", {})
    try:
        Profile.model_validate(profile)
    except ValidationError as error:
        found = findings(error, profile, Profile.model_json_schema())
    else:
        return []
    places = [("profile", *where) for where, _ in found]
    around = [[path[:size] for size in range(len(path), 0, -1)] for path in places]
    lines = [next((document.lines[path] for path in paths if path in document.lines), 1) for paths in around]
    return [
        problem(document.file, line, path, text)
        for line, path, (_, text) in sorted(zip(lines, places, found, strict=True), key=lambda one: one[0])
    ]


def _patterns(document: Document) -> tuple[SecretPattern, ...]:
    profile = document.data.get("profile")
    return _PATTERNS.validate_python(profile.get("secret_patterns", ()) if isinstance(profile, dict) else ())


@cache
def _built_in() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in CATALOGUE.glob("*.yaml")))


def _read_built_in(name: str) -> Document:
    return read_document(CATALOGUE / f"{name}.yaml", f"catalogue/{name}.yaml")


@cache
def _built_in_patterns(name: str) -> tuple[SecretPattern, ...]:
    return _patterns(_read_built_in(name))
