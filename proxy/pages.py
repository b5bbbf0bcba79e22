"""Shows one preset as a page: all that whoever wants to use this provider has to know."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from proxy import layout
from proxy.core.profile import Profile, Rule
from proxy.core.units import format_duration
from proxy.credentials import references
from proxy.entries import Entry, read_entry
from proxy.layout import Row
from proxy.presets import Presets
from proxy.sansio.classify import condition
from proxy.wording import (
    SAFE_METHODS,
    deadline_of,
    few,
    key_place,
    keyed_calls,
    limits_of,
    places_of,
    reset_of,
    timeouts_of,
)

BASE: Final = "http://127.0.0.1:4780"
_VERDICTS: Final = (
    ("throttled", "wait, and send again what may be"),
    ("exhausted", "the quota is used up, hold all calls"),
    ("unauthorised", "the credential is refused"),
    ("failed", "the provider's failure, as is any 5xx"),
    ("refused", "the caller's mistake, nobody's failure"),
)


def page(name: str, presets: Presets | None = None) -> str:
    """Return all that a user of this preset wants to know; `name` must be in the catalogue.

    Raises: ConfigError when the preset, one of the user's own, is not valid.
    """
    entry = read_entry(name, presets or Presets())
    profile = entry.profile
    sections = (
        ("What to write", _to_write(entry)),
        ("Address", layout.labelled(_addresses(entry))),
        ("Credential", layout.labelled(_credential(entry))),
        ("Limits", layout.labelled(_limits(entry))),
        ("Sent again", layout.labelled(_repeats(entry))),
        ("Answers", layout.labelled(_answers(profile))),
        ("Webhooks", layout.labelled(_webhook(profile))),
        ("SDKs", _sdks(entry)),
        ("Notes", layout.bullets(_based(entry, note) for note in profile.notes)),
        ("Not verified", layout.bullets(profile.unverified)),
        ("Verified", layout.labelled(_verified(profile))),
    )
    head = [f"{name}: {profile.title}" if profile.title else name, *layout.labelled(_links(profile))]
    return "\n".join([*head, *(line for title, lines in sections for line in layout.section(title, lines))])


def _links(profile: Profile) -> Iterator[Row]:
    yield "docs", profile.docs
    yield "status", profile.status_page
    yield "unsupported", profile.unsupported


def _to_write(entry: Entry) -> Iterator[str]:
    if entry.profile.unsupported:
        return
    needs = ", ".join(f"{name}: ..." for name in entry.needs)
    yield from layout.verbatim(f"providers:\n  {entry.name}: {{{f'vars: {{{needs}}}' if needs else ''}}}")
    if secrets := list(dict.fromkeys(ref for _, ref in _secrets(entry))):
        yield from layout.labelled([("", f"and set {', '.join(secrets)}; file:/path works for each of them")])


def _secrets(entry: Entry) -> Iterator[Row]:
    config = entry.provider.section("credential")
    for path, refs in references(config) if config else ():
        for ref in refs:
            yield ".".join(map(str, path)), ref.name if ref.source == "env" else str(ref)


def _addresses(entry: Entry) -> Iterator[Row]:
    yield "base_url", entry.base_url
    hosts = entry.profile.hosts
    if len(hosts) <= 10:
        yield from ((f"host: {name}", url) for name, url in hosts.items())
    else:
        yield "host", f"one of {', '.join(hosts)}"
    if version := entry.profile.version:
        yield "version", f"{version.header}: {version.value} is what the SDKs send; tidegate adds none"


def _credential(entry: Entry) -> Iterator[Row]:
    config, profile = entry.provider.section("credential"), entry.profile
    if not config:
        yield "none", "what callers send is not touched"
        return
    yield from _written(entry.written.get("credential", {}))
    yield "goes to", few(places_of(config, profile))
    taken = (*profile.strip_headers, *(f"query {key}" for key in profile.strip_query))
    yield "taken out", f"besides the usual: {', '.join(taken)}" if taken else ""
    yield "SDKs' tokens", f"callers of {profile.token_path} get a placeholder" if profile.token_path else ""


def _written(node: Any, label: str = "") -> Iterator[Row]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _written(value, f"{label}.{key}" if label else str(key))
    else:
        yield label, ", ".join(map(str, node)) if isinstance(node, list) else str(node)


def _limits(entry: Entry) -> Iterator[Row]:
    profile, config = entry.profile, entry.provider.section("rate_limit")
    yield "set here", limits_of(entry.provider)
    yield from (("published", f"{one.limit}: {one.what}") for one in profile.published)
    yield "waits told by", ", ".join(map(reset_of, profile.resets))
    if config and config.unhinted_pause != 0:
        yield "otherwise", f"a pause of {format_duration(config.unhinted_pause)}, doubling while it goes on"
    yield "renewed", {"utc_day": "at midnight UTC", "utc_month": "on the first, UTC"}.get(profile.renewal or "", "")


def _repeats(entry: Entry) -> Iterator[Row]:
    provider, profile = entry.provider, entry.profile
    retry, key = provider.section("retry"), profile.idempotency
    if not retry:
        yield "never", "retry is off"
        return
    yield "always", f"{', '.join(SAFE_METHODS)}; {retry.attempts} attempts at most"
    if place := key_place(key):
        made = "; tidegate makes one where the caller sent none" if key.mint else ""
        known = f"; remembered {key.retention}" if key.retention else ""
        yield "with a key", f"{keyed_calls(key)} with {place}{made}{known}"
    reads = [f"{'/'.join(one.methods)} {one.path}" for one in profile.repeatable]
    yield "only reads", few(reads) if reads else ""
    yield "all else", "only while no byte of it was sent"
    yield "SDK is told", f"{profile.should_retry}: false, when no retry is left" if profile.should_retry else ""
    yield "deadline", deadline_of(provider)
    yield "timeout", timeouts_of(provider)


def _answers(profile: Profile) -> Iterator[Row]:
    plain = Profile()
    for verdict, meaning in _VERDICTS:
        rules: tuple[Rule, ...] = getattr(profile, verdict)
        if rules != getattr(plain, verdict) and rules:
            yield verdict, f"{meaning}: {'; '.join(map(condition, rules))}"
    yield "request id", profile.request_id or ""


def _webhook(profile: Profile) -> Iterator[Row]:
    webhook = profile.webhook
    if webhook is None:
        return
    yield "scheme", webhook.scheme
    yield "signature", f"header {webhook.header}" if webhook.header else ""
    tolerance = f", {webhook.tolerance} s old at most" if webhook.tolerance else ""
    yield "time", f"header {webhook.timestamp}{tolerance}" if webhook.timestamp else tolerance.removeprefix(", ")
    yield "event", f"known by {webhook.dedupe}" if webhook.dedupe else ""
    yield "docs", webhook.docs


def _sdks(entry: Entry) -> Iterator[str]:
    sdk = entry.profile.sdk
    lines = (("python", sdk.python, sdk.tested.python), ("node", sdk.node, sdk.tested.node), ("env", sdk.env, ""))
    written = [line for line in lines if line[1]]
    for language, text, tested in written:
        yield f"  {language}" + (f" (tested: {tested})" if tested else "")
        yield from layout.verbatim(_based(entry, text or ""))
    if written:
        yield from layout.labelled([("instead of the secret", sdk.placeholder)])


def _based(entry: Entry, text: str) -> str:
    return text.replace("{base}", f"{BASE}/{entry.name}")


def _verified(profile: Profile) -> Iterable[Row]:
    return ((block, f"{one.date}, {one.how}") for block, one in profile.verified.items())
