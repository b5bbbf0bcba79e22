"""What may never be written, as functions over one file: each yields what breaks it.

tests/test_dangers.py applies them to the checkout, and to samples that must be caught.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.support.rules import Source

REVEALERS: Final = (
    "proxy/credentials/", "proxy/edge/secrets.py", "proxy/sansio/redact.py", "proxy/core/secret.py",
    "proxy/terminal/client.py",  # the admin token, to the admin listener
    "proxy/edge/observe/collector.py",  # what the collector asks for, to the collector
)  # fmt: skip
"""Where a secret may be opened."""

FALSE_ONLY: Final = {
    "allow_redirects": "a redirect must not take a credential elsewhere (CWE-601)",
    "follow_redirects": "a redirect must not take a credential elsewhere (CWE-601)",
    "trust_env": "a proxy from the environment would see every secret",
    "shell": "a shell makes a program of what it is given (CWE-78)",
}
"""Settings that may only be the literal False."""

NEVER_FALSE: Final = {
    "verify": "certificates are always verified (CWE-295)",
    "ssl": "certificates are always verified (CWE-295)",
    "verify_ssl": "certificates are always verified (CWE-295)",
    "check_hostname": "a certificate is for one host (CWE-297)",
}

_ELSEWHERE: Final = r"""(?:\b(?:src|href)\s*=|@import|url\(|\bimport\b[^;]*)\s*['"]?(?:https?:)?//"""
_MARKUP: Final = (
    r"(?:inner|outer)HTML|insertAdjacentHTML|document\.write(?:ln)?|srcdoc|DOMParser|createContextualFragment"
)
_PROGRAM: Final = r"""\beval\s*\(|\bnew\s+Function\b|\bset(?:Timeout|Interval)\(\s*['"`]|javascript:"""
ON_PAGES: Final = {
    rf"\b(?:{_MARKUP})\b": "text is not made into markup; use textContent and elements (CWE-79)",
    _PROGRAM: "text is not run as a program (CWE-95)",
    r"""<[^>]*\son[a-z]+\s*=|\bsetAttribute\(\s*['"`]on""": "no inline handlers, which the policy drops",
    r"""<style|<[^>]*\sstyle\s*=|\bsetAttribute\(\s*['"`]style""": "no inline styles, which the policy drops",
    r"<script(?![^>]*\ssrc=)": "no inline scripts, which the policy drops; put it into a file",
    _ELSEWHERE: "nothing comes from elsewhere; the console needs no network",
}
"""What may stand nowhere in the console's files, and why."""


def dangers(source: Source) -> Iterator[str]:
    """The package keeps to `FALSE_ONLY` and `NEVER_FALSE`, has no assert, and opens secrets in few places."""
    for node in ast.walk(source.tree):
        line = f"{source.path}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Assert):
            yield f"{line}: assert vanishes under python -O (CWE-617); raise an error"
        if isinstance(node, ast.Attribute) and node.attr == "reveal" and not source.path.startswith(REVEALERS):
            yield f"{line}: a secret is opened outside credentials and redaction"
        if isinstance(node, ast.Call) and loads_anything(node):
            yield f"{line}: YAML is read by safe_load, or with a Loader that is called Safe (CWE-502)"
        yield from (f"{line}: {problem}" for name, value in settings(node) for problem in misset(name, value))


def settings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield name and value of what a keyword, an attribute, a variable or an entry of a mapping is set to."""
    match node:
        case ast.keyword(arg=str(name), value=value):
            yield name, value
        case ast.Assign(targets=targets, value=value):
            yield from ((last_name(target), value) for target in targets)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield last_name(target), value
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            yield from ((str(key.value), value) for key, value in pairs if isinstance(key, ast.Constant))


def misset(name: str, value: ast.expr) -> Iterator[str]:
    """Yield what is wrong with giving this value to that name."""
    is_false = isinstance(value, ast.Constant) and value.value is False
    if name in FALSE_ONLY and not is_false:
        yield f"{name} may only be False: {FALSE_ONLY[name]}"
    if name in NEVER_FALSE and is_false:
        yield f"{name} may never be False: {NEVER_FALSE[name]}"
    if name == "verify_mode" and last_name(value) != "CERT_REQUIRED":
        yield "verify_mode may only be CERT_REQUIRED: certificates are always verified (CWE-295)"


def loads_anything(call: ast.Call) -> bool:
    """Say whether the call makes of YAML whatever objects the text names, and not plain values alone."""
    function = call.func
    if not isinstance(function, ast.Attribute) or last_name(function.value) != "yaml":
        return False
    loaders = call.args[1:] + [word.value for word in call.keywords if word.arg == "Loader"]
    plain = function.attr in {"load", "load_all"} and not any("Safe" in last_name(loader) for loader in loaders)
    return plain or function.attr.startswith(("unsafe_load", "full_load"))


def last_name(node: ast.expr) -> str:
    """Return the name that an expression ends in: `trust_env` of `session.trust_env`; empty for none."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def page_dangers(path: str, text: str) -> Iterator[str]:
    """The console keeps to its Content-Security-Policy, and what came from outside stays text."""
    for pattern, why in ON_PAGES.items():
        for found in re.finditer(pattern, text, re.IGNORECASE):
            yield f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]!r}: {why}"
