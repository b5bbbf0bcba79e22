"""What is promised of a provider's calls: in words, and where it can't be meant."""

from collections.abc import Iterator
from typing import Final

from proxy.config import Loaded
from proxy.core.units import format_duration
from proxy.edge.documents import KeyPath
from proxy.problems import Finding
from proxy.sansio.slo import FirstPath, Objectives, Slo, format_percent

_LEAST: Final = 0.5
"""Whoever promises less than that has written a ratio for a percentage."""


def promised(objectives: Objectives) -> str:
    """Say what is promised of some calls."""
    parts = [] if objectives.availability is None else [f"{format_percent(objectives.availability)} succeed"]
    if (latency := objectives.latency) is not None:
        share = format_percent(latency.objective)
        parts.append(f"{share} of the successful ones begin within {format_duration(latency.under)}")
    return ", ".join(parts)


def promise_rows(loaded: Loaded, provider: str) -> Iterator[tuple[str, str, str]]:
    """Yield the objectives of a provider as rows of `tidegate explain`: label, value, where it came from."""
    where, slo = where_promised(loaded, provider), loaded.settings.slo_of(provider)
    if slo is None:
        yield "slo", "off" if loaded.settings.providers[provider].slo is False else "none", loaded.origin(where)
        return
    yield "slo", "", ""
    yield "  all calls", promised(slo), loaded.origin(where)
    for path, objectives in slo.paths.items():
        yield f"  {path}", promised(objectives), loaded.origin((*where, "paths", path))
    yield "  window", format_duration(slo.window), loaded.origin((*where, "window"))


def promises_of_call(slo: Slo | None, method: str, path: bytes) -> str:
    """Say which objectives a call counts for, "" for none. path: without query."""
    if slo is None:
        return ""
    own = FirstPath(method, slo.paths).of(path)
    return promised(slo) + ("" if own is None else f"; of {own}, {promised(slo.paths[own])}")


def where_promised(loaded: Loaded, provider: str) -> KeyPath:
    """Return the path of the `slo` that holds for a provider: its own, else the file's."""
    own = loaded.settings.providers[provider].slo
    return ("slo",) if own is None and loaded.settings.slo is not None else ("providers", provider, "slo")


def unmeant(loaded: Loaded) -> Iterator[Finding]:
    """Find objectives that nobody has, that can't be missed, that no call reaches, and ratios for percentages."""
    settings = loaded.settings
    places = {where_promised(loaded, name): name for name in reversed(settings.providers) if settings.slo_of(name)}
    if settings.slo is not None and settings.providers and ("slo",) not in places:
        yield ("slo",), "holds for no provider, because each has an slo of its own; leave it out"
    for where, name in places.items():
        slo = settings.slo_of(name)
        for at, objectives in () if slo is None else _with_places(where, slo):
            yield from _numbers(loaded, at, name, objectives)
        if slo is not None:
            yield from _unreached(where, slo)
            yield from _whole(loaded, where, name, slo)


def _with_places(where: KeyPath, slo: Slo) -> Iterator[tuple[KeyPath, Objectives]]:
    yield where, slo
    yield from (((*where, "paths", path), objectives) for path, objectives in slo.paths.items())


def _numbers(loaded: Loaded, where: KeyPath, provider: str, objectives: Objectives) -> Iterator[Finding]:
    if objectives.availability is not None and objectives.availability < _LEAST:
        text = f"{format_percent(objectives.availability)} promises that most calls fail; write one such as 99.9%"
        yield (*where, "availability"), text
    latency = objectives.latency
    if latency is None:
        return
    if latency.objective < _LEAST:
        text = f"{latency.percentile:g} is a percentage, which most calls may miss; write one such as 95"
        yield (*where, "latency", "percentile"), text
    deadline = loaded.settings.providers[provider].section("deadline")
    if deadline and latency.under >= deadline.total:
        under, total = format_duration(latency.under), format_duration(deadline.total)
        text = f"{under} can't be missed, because calls to {provider} end within deadline.total ({total}); write less"
        yield (*where, "latency", "under"), text


def _unreached(where: KeyPath, slo: Slo) -> Iterator[Finding]:
    """Find the paths whose every call counts for an earlier one."""
    before: list[str] = []
    for path in slo.paths:
        method, _, template = path.rpartition(" ")
        rivals = [one for one in before if one.rpartition(" ")[0] in ("", method)]
        # A template fits itself, as a text; what ends in * fits more than one segment.
        sample = template[:-1] + "rest/rest" if template.endswith("*") else template
        if (taken := FirstPath(method, rivals).of(sample.encode())) is not None:
            text = f"{path} never counts, because {taken} before it fits the same calls; put it first"
            yield (*where, "paths", path), text
        before.append(path)


def _whole(loaded: Loaded, where: KeyPath, provider: str, slo: Slo) -> Iterator[Finding]:
    """Find the paths written with what stands before them in an address of the sidecar's or the provider's."""
    if where == ("slo",):  # they are of every provider
        return
    for prefix in (f"/{provider}", loaded.settings.providers[provider].base_url.prefix):
        for path in slo.paths:
            method, space, template = path.rpartition(" ")
            if prefix and template.startswith(f"{prefix}/"):
                right = f"{method}{space}{template.removeprefix(prefix)}"
                text = f"{path} means {prefix}{template}, because a path is what follows {prefix}; write {right}"
                yield (*where, "paths", path), text
