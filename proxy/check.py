"""Judges a configuration without running it: is it valid, sensible, and are its secrets there."""

from collections.abc import Iterator
from pathlib import Path

from proxy.config import Loaded, read
from proxy.core.errors import ConfigError
from proxy.core.secret import SecretRef
from proxy.core.units import format_duration
from proxy.edge.documents import KeyPath
from proxy.edge.secrets import Secrets
from proxy.problems import Finding
from proxy.settings import Provider


def check(path: str | Path, *, secrets: bool = True) -> list[str]:
    """Validate and lint a configuration file; `secrets` says whether to read the secrets too.

    Returns: one line per problem, `file:line: key: text`; none when all is well. Never any part of a secret.
    """
    try:
        loaded = read(path)
    except ConfigError as error:
        return error.problems
    found = list(lint(loaded))
    if secrets:
        found += unreadable(loaded)
    return [loaded.problem(where, text) for where, text in found]


def lint(loaded: Loaded) -> Iterator[Finding]:
    """Find what is valid and yet can't be meant."""
    if not loaded.settings.providers:
        yield ("providers",), "names no provider; write for instance providers: {mock: {}}"
    for name, provider in loaded.settings.providers.items():
        yield from _times(("providers", name), provider, loaded)


def unreadable(loaded: Loaded) -> Iterator[Finding]:
    """Find the secrets that can't be read now."""
    secrets = Secrets(lambda _: None)
    for name, provider in loaded.settings.providers.items():
        for key, ref in references(provider):
            if problem := secrets.slot(ref).problem:
                todo = f"export {ref.name}" if ref.source == "env" else "put the secret there"
                yield ("providers", name, "credential", key), f"{ref}: {problem}; {todo}, or name another place"


def references(provider: Provider) -> Iterator[tuple[str, SecretRef]]:
    """Yield the key and reference of each secret of a provider."""
    for key, value in provider.section("credential") or ():
        if isinstance(value, SecretRef):
            yield key, value


def _times(where: KeyPath, provider: Provider, loaded: Loaded) -> Iterator[Finding]:
    deadline = provider.section("deadline")
    if not deadline:
        return
    total = format_duration(deadline.total)
    for section, key in (("timeout", "attempt"), ("rate_limit", "max_wait"), ("bulkhead", "max_wait")):
        config = provider.section(section)
        if config and getattr(config, key) > deadline.total:
            longer = format_duration(getattr(config, key))
            # It is told where the user wrote something: at the shorter time, or else at the longer one.
            here = (*where, section, key)
            if loaded.origin((*where, "deadline", "total")) != "default" or loaded.origin(here) == "default":
                yield (*where, "deadline", "total"), f"{total} ends before {section}.{key} ({longer}) can; write more"
            else:
                yield here, f"{longer} is longer than deadline.total ({total}); write less, or a longer deadline"
