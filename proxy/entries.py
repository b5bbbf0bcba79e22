"""Reads one entry of the catalogue as its name alone configures it, to be shown to people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from proxy.core.errors import ConfigError
from proxy.core.profile import Profile
from proxy.edge.documents import Document, KeyPath, problem
from proxy.locating import Locating, needed
from proxy.presets import Presets
from proxy.problems import findings
from proxy.settings import Provider


@dataclass(frozen=True, slots=True)
class Entry:
    """One preset. written: as it stands in its file. provider: what comes of it.

    needs: what has to be written under `vars`, because the address or the credential has it in braces; in `provider`
    any value stands for those, so addresses are shown as written.
    """

    name: str
    written: Mapping[str, Any]
    provider: Provider
    needs: tuple[str, ...]

    @property
    def profile(self) -> Profile:
        """What the preset says about the provider."""
        return self.provider.profile

    @property
    def base_url(self) -> str:
        """The address, with its braces."""
        return str(self.written["base_url"])


def read_entry(name: str, presets: Presets) -> Entry:
    """Read a preset that the catalogue has.

    Raises: ConfigError with every problem in it, one line each.
    """
    document = presets.read(name)
    needs = needed(document.data)
    filled = {**document.data, "vars": {**document.data.get("vars", {}), **dict.fromkeys(needs, "any")}}
    try:
        provider = Provider.model_validate(Locating([filled, document.data], filled).located())
    except ValidationError as error:
        found = findings(error, filled, Provider.model_json_schema())
        raise ConfigError(
            [problem(document.file, _line(document, where), where, text) for where, text in found]
        ) from None
    return Entry(name, document.data, provider, needs)


def _line(document: Document, where: KeyPath) -> int:
    around = (where[:size] for size in range(len(where), 0, -1))
    return next((document.lines[path] for path in around if path in document.lines), 1)
