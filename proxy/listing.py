"""Shows the catalogue: a table of all presets, and a page for one."""

from collections.abc import Iterator

from proxy.config import Provider, catalogue, preset
from proxy.core.units import format_duration
from proxy.explain import injected_names


def table() -> str:
    """Return one line per preset: name, title, address, authentication, limits."""
    rows = [("NAME", "PROVIDER", "ADDRESS", "CREDENTIAL", "LIMITS")]
    for name in catalogue():
        provider = _provider(name)
        rows.append((name, provider.profile.title, str(provider.base_url), _scheme(provider), _limits(provider)))
    wide = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
    return "\n".join("".join(f"{cell:<{wide[i]}}" for i, cell in enumerate(row)).rstrip() for row in rows)


def page(name: str) -> str:
    """Return all that a user of this preset wants to know; `name` must be in the catalogue."""
    provider = _provider(name)
    profile = provider.profile
    rows = [
        ("address", str(provider.base_url)),
        ("docs", profile.docs),
        ("credential", _credential(provider)),
        ("limits", _limits(provider)),
        ("retried", _retried(provider)),
        ("deadline", format_duration(deadline.total) if (deadline := provider.section("deadline")) else "none"),
        *(("note", note) for note in profile.notes),
        *_sdk(name, provider),
    ]
    lines = [f"{name}: {profile.title}", *(f"  {key:<12}{value}" for key, value in rows if value)]
    return "\n".join([*lines, "", "in the configuration:", "  providers:", f"    {name}: {{}}"])


def _provider(name: str) -> Provider:
    return Provider.model_validate(preset(name).data)


def _scheme(provider: Provider) -> str:
    config = provider.section("credential")
    return str(config.scheme) if config else "none"


def _credential(provider: Provider) -> str:
    config = provider.section("credential")
    if not config:
        return "none"
    written = ", ".join(f"{key}: {value}" for key, value in config.model_dump(mode="json", exclude_unset=True).items())
    return f"{{{written}}}, sent as {', '.join(injected_names(config, provider.profile))}"


def _limits(provider: Provider) -> str:
    config = provider.section("rate_limit")
    return ", ".join(map(str, config.limits)) if config and config.limits else "none set"


def _retried(provider: Provider) -> str:
    retry, key = provider.section("retry"), provider.profile.idempotency
    if not retry:
        return "nothing"
    always = "GET, HEAD, PUT, DELETE, OPTIONS"
    keyed = ", ".join(method for method in key.methods if method not in always.split(", ")) if key.header else ""
    return f"{always}" + (f"; {keyed} with the header {key.header}" if keyed else "; all else only if nothing was sent")


def _sdk(name: str, provider: Provider) -> Iterator[tuple[str, str]]:
    base = f"http://127.0.0.1:4780/{name}"
    for language, line in provider.profile.sdk:
        if line:
            yield language, line.replace("{base}", base)
