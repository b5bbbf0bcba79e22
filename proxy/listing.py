"""Shows the catalogue as a table: one line per preset."""

from collections.abc import Iterator
from typing import Final

from proxy import layout
from proxy.core.profile import Profile
from proxy.entries import Entry, read_entry
from proxy.presets import Presets
from proxy.wording import key_place

HEAD: Final = ("NAME", "PROVIDER", "CREDENTIAL", "KEY", "ADDRESS")
_WIDEST: Final = (20, 22, 16, 4, 30)  # with the gaps between them, the width of a terminal


def table(presets: Presets | None = None) -> str:
    """Return one line per preset: name, title, scheme, whether POSTs take a key, address."""
    known = presets or Presets()
    rows = [HEAD, *(_row(read_entry(name, known)) for name in known.names)]
    more = "KEY: a POST with a key may be sent again (made: by tidegate, where the caller sent none)"
    page = "tidegate providers NAME shows a page about one of them; tidegate providers new NAME begins another"
    return "\n".join([*layout.table(rows, _WIDEST), "", more, page])


def _row(entry: Entry) -> tuple[str, ...]:
    address = entry.base_url.removeprefix("https://")
    return (entry.name, entry.profile.title, scheme_of(entry), _key(entry.profile), address)


def scheme_of(entry: Entry) -> str:
    """Name the scheme of the preset's credential; of several in one call, each."""
    config = entry.provider.section("credential")
    return "+".join(_schemes(config)) if config else "none"


def _schemes(config: object) -> Iterator[str]:
    parts = getattr(config, "of", None)
    if parts is None:
        yield str(getattr(config, "scheme", ""))
    else:
        yield from dict.fromkeys(part.scheme for part in parts.values())


def _key(profile: Profile) -> str:
    if not key_place(profile.idempotency) or "POST" not in profile.idempotency.methods:
        return "-"
    return "made" if profile.idempotency.mint else "yes"
