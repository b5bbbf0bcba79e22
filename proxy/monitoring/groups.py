"""Recording and alerting rules as values, and how they are written as YAML."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import yaml

Severity = Literal["page", "ticket"]
"""What an alert asks for: somebody now, or somebody in working hours."""

_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WIDTH: Final = 100
_SHORT: Final = 80


@dataclass(frozen=True, slots=True)
class Recording:
    """A series that is computed once for several readers; named level:metric:operations (prometheus.io, practices)."""

    name: str
    expr: str

    def told(self, _runbooks: str) -> dict[str, Any]:
        """Return the rule as Prometheus reads it."""
        return {"record": self.name, "expr": _Expr(self.expr)}


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition that somebody should know of.

    hold: how long it must hold, "" for at once. description: the number, and what to do first; both texts are
    templates of Prometheus. labels: beside those of the expression.
    """

    name: str
    severity: Severity
    expr: str
    hold: str
    summary: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def runbook(self) -> str:
        """The name of its runbook's file."""
        return _WORDS.sub("-", self.name.removeprefix("Tidegate")).lower() + ".md"

    def told(self, runbooks: str) -> dict[str, Any]:
        """Return the rule as Prometheus reads it. runbooks: the folder or URL where they lie."""
        url = f"{runbooks.rstrip('/')}/{self.runbook}"
        return {
            "alert": self.name,
            "expr": _Expr(self.expr),
            **({"for": self.hold} if self.hold else {}),
            "labels": {"severity": self.severity, **self.labels},
            "annotations": {"summary": self.summary, "description": self.description, "runbook_url": url},
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other. comment: what they are about. interval: "" for the server's own."""

    name: str
    comment: str
    rules: tuple[Recording | Alert, ...]
    interval: str = ""

    def written(self, runbooks: str, job: str) -> Iterator[str]:
        """Yield the lines of the group as YAML. job: a label for every rule, "" for none."""
        yield from (f"# {line}" for line in textwrap.wrap(self.comment, _WIDTH))
        yield f"- name: {self.name}"
        if self.interval:
            yield f"  interval: {self.interval}"
        yield "  rules:"
        for rule in self.rules:
            told = rule.told(runbooks)
            if job:
                told["labels"] = {**told.get("labels", {}), "job": job}
            first, *rest = yaml.dump(
                told, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True
            ).splitlines()
            yield f"    - {first}"
            yield from (f"      {line}" if line else "" for line in rest)


class _Expr(str):
    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes expressions as they are, line by line, and folds long texts."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = ("|" if type(text) is _Expr else ">") if len(text) > _SHORT or "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(_Expr, _text)
