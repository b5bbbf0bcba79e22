"""Judges a configuration without running it: is it valid, sensible, and are its secrets there."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from proxy.config import Loaded, read
from proxy.core.errors import ConfigError
from proxy.core.secret import SecretRef
from proxy.core.units import format_duration
from proxy.edge.documents import KeyPath
from proxy.edge.secrets import Secrets
from proxy.edge.upstream.tls import TlsConfig, flaws
from proxy.lints import contrary_to_profile, misplaced
from proxy.problems import Finding
from proxy.promises import unmeant
from proxy.settings import Leg, Provider
from proxy.tracing import uninstalled

CERTIFICATE_SOON_S: Final = 14 * 86400.0
"""How long before its end a client certificate is told of, in seconds."""


def check(path: str | Path, *, secrets: bool = True) -> list[str]:
    """Validate and lint a configuration file; `secrets` says whether to read the secrets too.

    Returns: one line per problem, `file:line: key: text`; none when all is well. Never any part of a secret.
    """
    try:
        loaded = read(path)
    except ConfigError as error:
        return error.problems
    found = [*uninstalled(loaded.settings), *lint(loaded), *contrary_to_profile(loaded)]
    if secrets:
        found += unreadable(loaded)
        found += misplaced(loaded)
        found += unusable(loaded, time.time())
    return [loaded.problem(where, text) for where, text in found]


def lint(loaded: Loaded) -> Iterator[Finding]:
    """Find what is valid and yet can't be meant."""
    if not loaded.settings.providers:
        yield ("providers",), "names no provider; write for instance providers: {mock: {}}"
    for name, provider in loaded.settings.providers.items():
        yield from _times(("providers", name), provider, loaded)
    yield from unmeant(loaded)
    for where, leg, tls in _tls_sections(loaded):
        yield from _tls(where, leg, tls)


def unreadable(loaded: Loaded, sources: tuple[str, ...] = ("env", "file", "exec")) -> Iterator[Finding]:
    """Find the secrets of these sources that can't be read now; commands are run for that."""
    secrets = _secrets(loaded)
    for where, ref in loaded.settings.secret_refs():
        if ref.source in sources and (problem := secrets.slot(ref).problem):
            yield where, _unread(ref, problem)


def _secrets(loaded: Loaded) -> Secrets:
    reading = loaded.settings.secrets
    secrets = Secrets(lambda _: None)
    secrets.configure(reading.exec_timeout, reading.exec_ttl)
    return secrets


def _unread(ref: SecretRef, problem: str) -> str:
    todo = {"env": f"export {ref.name}", "exec": "mend the command"}.get(ref.source, "put the secret there")
    return f"{ref}: {problem}; {todo}, or name another place"


def unusable(loaded: Loaded, now_ts: float) -> Iterator[Finding]:
    """Find the certificates and keys that can be read and yet do not serve, or not much longer."""
    secrets = _secrets(loaded)
    for where, _, tls in _tls_sections(loaded):
        slots = {key: secrets.slot(ref) for key, ref in tls.references().items()}
        for key, text in flaws(tls, slots, now_ts, CERTIFICATE_SOON_S):
            yield (*where, key), text


def _tls_sections(loaded: Loaded) -> Iterator[tuple[KeyPath, Leg, TlsConfig]]:
    """Yield every section of TLS with its leg; one that an account inherits comes once."""
    for name, provider in loaded.settings.providers.items():
        told: set[TlsConfig] = set()
        for path, leg in provider.legs():
            if leg.tls is not None and leg.tls not in told:
                told.add(leg.tls)
                yield ("providers", name, *path, "tls"), leg, leg.tls


def _tls(where: KeyPath, leg: Leg, tls: TlsConfig) -> Iterator[Finding]:
    if leg.base_url.scheme != "https":
        yield where, "has no effect without https:// in base_url; write that, or leave tls out"
    if len(tls.pins) == 1:
        text = "is one pin only: when the provider changes its key, every call fails; add that of its next key"
        yield (*where, "pins"), text


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
