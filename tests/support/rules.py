"""The rules of the house, as functions over one file's syntax tree: each yields what breaks it.

tests/test_floors.py applies them to the checkout, and to samples that must be caught.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
MAX_FILE: Final = 300
MAX_FUNCTION: Final = 50
MAX_NESTING: Final = 3

FLOORS: Final = {"core": 0, "sansio": 1, "policies": 2, "credentials": 2, "webhooks": 2, "edge": 3}
TOP_FLOOR: Final = 4
"""Modules directly under proxy/: assembly, which may import everything."""

SIDEWAYS: Final = {("proxy/policies/credential.py", "credentials")}
"""The one step that is not down: the credential policy is the frame that all schemes fit into."""

NO_CLOCKWORK: Final = {"asyncio", "time", "random", "logging", "socket"}
"""What a machine in sansio/ must be told instead."""

ARITHMETIC: Final = {"backports", "brotli", "compression", "orjson"}
"""Libraries that a machine may use, because they only compute: bytes in, values out."""

FORBIDDEN_NAMES: Final = {"utils", "util", "helpers", "helper", "common", "manager", "base"}

Blocks = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file: its path below the checkout, with slashes, and its text."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def package(self) -> str:
        """The directory below proxy/, empty for the modules at its top."""
        parts = self.path.split("/")
        return parts[1] if len(parts) > 2 else ""

    def excused(self, line: int) -> bool:
        """Say whether the line, or the one above it, raises a ceiling and gives the reason."""
        lines = self.text.splitlines()[max(0, line - 2) : line]
        return any(re.search(r"# ceiling: \w+ \w+", text) for text in lines)


def sources(folder: str) -> list[Source]:
    """Return every Python file below a folder of the checkout."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    return [Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of everything that a file imports, names out of packages included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def upward_imports(source: Source) -> Iterator[str]:
    """A file imports its own package and lower floors only."""
    own = FLOORS.get(source.package, TOP_FLOOR)
    for line, name in imports(source.tree):
        parts = name.split(".")
        if parts[0] == "tests":
            yield f"{source.path}:{line}: imports tests"
        if parts[0] != "proxy" or len(parts) < 2 or parts[1] == "__version__":
            continue
        other = FLOORS.get(parts[1], TOP_FLOOR)
        same = parts[1] == source.package or own == other == TOP_FLOOR
        if other >= own and not same and (source.path, parts[1]) not in SIDEWAYS:
            yield f"{source.path}:{line}: floor {own} imports {name} of floor {other}"


def foreign_imports(source: Source) -> Iterator[str]:
    """The words and the machines know the standard library and pydantic; the machines no clock, dice or wire."""
    if source.package not in {"core", "sansio"}:
        return
    for line, name in imports(source.tree):
        top = name.split(".")[0]
        if top not in sys.stdlib_module_names | {"proxy", "pydantic", "pydantic_core"} | ARITHMETIC:
            yield f"{source.path}:{line}: {source.package}/ imports {top}"
        if source.package == "sansio" and top in NO_CLOCKWORK:
            yield f"{source.path}:{line}: a machine imports {top}; it must be told what it needs"


def ceilings(source: Source) -> Iterator[str]:
    """Files, functions and nesting stay small (arguments: ruff). `# ceiling: REASON` at the place raises one."""
    length = len(source.text.splitlines())
    if length > MAX_FILE and not source.excused(1):
        yield f"{source.path}: {length} lines, more than {MAX_FILE}"
    for node in ast.walk(source.tree):
        if not isinstance(node, Function) or source.excused(node.lineno):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > MAX_FUNCTION:
            yield f"{source.path}:{node.lineno}: {node.name} has {lines} lines, more than {MAX_FUNCTION}"
        if (depth := nesting(node)) > MAX_NESTING:
            yield f"{source.path}:{node.lineno}: {node.name} nests {depth} deep, more than {MAX_NESTING}"


def nesting(node: ast.AST) -> int:
    """Return how many blocks stand inside one another; an `elif` is no deeper than its `if`."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.Lambda | ast.ClassDef):
            continue
        is_elif = isinstance(node, ast.If) and node.orelse == [child] and isinstance(child, ast.If)
        deepest = max(deepest, nesting(child) + (isinstance(child, Blocks) and not is_elif))
    return deepest


def unexplained_ignores(source: Source) -> Iterator[str]:
    """An ignored finding names its rule, and the reason follows after ` - ` or in a comment of its own."""
    for number, line in enumerate(source.text.splitlines(), 1):
        match = re.search(r"# (?:noqa|type: ignore|nosec|pragma)\b(.*)", line)
        if match and not re.search(r"( - |# )\w", match[1]):
            yield f"{source.path}:{number}: an ignore without its reason: {match[0]}"


def unmirrored(paths: list[str], tests: set[str]) -> Iterator[str]:
    """Every module has the test file of the same name at the same place."""
    for path in paths:
        folder, _, name = path.removeprefix("proxy/").rpartition("/")
        expected = f"tests/{folder}/test_{name}".replace("//", "/")
        if not name.startswith("__") and expected not in tests:
            yield f"{path}: {expected} is missing"


def vague_names(path: str) -> Iterator[str]:
    """No file or folder is named after nothing in particular."""
    for part in Path(path).with_suffix("").parts:
        if FORBIDDEN_NAMES & set(part.split("_")):
            yield f"{path}: {part} says nothing; name it after what it decides"
