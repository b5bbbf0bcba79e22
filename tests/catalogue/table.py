"""Writes README's table of the catalogue: `python -m tests.catalogue.table`, which `make generated` calls."""

from typing import Final

from proxy.core.profile import Profile
from proxy.entries import Entry, read_entry
from proxy.listing import scheme_of
from proxy.presets import Presets
from proxy.wording import key_place, places_of
from tests.support.rules import ROOT

README: Final = ROOT / "README.md"
BEGIN: Final = "<!-- providers: written by `make generated` -->\n"
END: Final = "<!-- end of providers -->\n"

HEAD: Final = (
    "provider",
    "credential",
    "limits known",
    "idempotency key",
    "webhooks",
    "Python SDK tested",
    "Node SDK tested",
)
_OFTEN: Final = 3


def markdown_table() -> str:
    """Return one row per real provider of the catalogue."""
    presets = Presets()
    rows = [HEAD, ("---",) * len(HEAD), *(_row(read_entry(name, presets)) for name in presets.names if name != "mock")]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def between_marks(text: str) -> str:
    """Return what stands between the two comments. Raises: ValueError when one of them is missing."""
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def write() -> None:
    """Put the table into README. Raises: ValueError when it has no place for it."""
    text = README.read_text(encoding="utf-8")
    README.write_text(text.replace(BEGIN + between_marks(text), BEGIN + markdown_table()), encoding="utf-8")


def _row(entry: Entry) -> tuple[str, ...]:
    profile = entry.profile
    name = f"[{entry.name}]({profile.docs})" + (", not yet" if profile.unsupported else "")
    webhook = profile.webhook.scheme if profile.webhook else "-"
    tested = profile.sdk.tested
    return (name, _auth(entry), _limits(entry), _key(profile), webhook, tested.python or "-", tested.node or "-")


def _auth(entry: Entry) -> str:
    config = entry.provider.section("credential")
    if not config:
        return "TLS certificate" if "certificate" in " ".join(entry.profile.notes) else "-"
    places = places_of(config, entry.profile)
    return f"{scheme_of(entry)}: {_some([f'`{place}`' for place in places], 2)}"


def _limits(entry: Entry) -> str:
    config, profile = entry.provider.section("rate_limit"), entry.profile
    kept = [str(limit) for limit in config.limits] if config else []
    known = dict.fromkeys([*kept, *(str(one.limit) for one in profile.published)])
    if known:
        return _some([f"{limit} (kept)" if limit in kept else limit for limit in known], _OFTEN)
    return "told by headers" if profile.resets != Profile().resets else "-"


def _key(profile: Profile) -> str:
    place = key_place(profile.idempotency)
    return f"`{place}`" + (" (made)" if profile.idempotency.mint else "") if place else "-"


def _some(texts: list[str], most: int) -> str:
    return ", ".join([*texts[:most], *(["…"] if len(texts) > most else [])])


if __name__ == "__main__":
    write()
