"""The design's laws, checked over the syntax trees: floors, ceilings, mirror and names."""

from collections.abc import Callable, Iterator

import pytest

from tests.support import rules
from tests.support.rules import Source

Rule = Callable[[Source], Iterator[str]]

PACKAGE = rules.sources("proxy")
TESTS = rules.sources("tests")
PACKAGE_RULES: list[Rule] = [
    rules.upward_imports, rules.foreign_imports, rules.ceilings, rules.unexplained_ignores,
]  # fmt: skip


@pytest.mark.parametrize("rule", PACKAGE_RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule: Rule) -> None:
    assert [problem for source in PACKAGE for problem in rule(source)] == []


def test_the_tests_keep_the_ceilings() -> None:
    assert [problem for source in TESTS for problem in rules.ceilings(source)] == []


def test_every_module_has_its_test_file() -> None:
    assert list(rules.unmirrored([source.path for source in PACKAGE], {source.path for source in TESTS})) == []


def test_nothing_is_named_after_nothing_in_particular() -> None:
    assert [problem for source in PACKAGE + TESTS for problem in rules.vague_names(source.path)] == []


def test_there_is_a_package_to_check() -> None:
    assert "proxy/core/call.py" in {source.path for source in PACKAGE}


LONG = "def f() -> None:\n" + "    pass\n" * 50
DEEP = """
def f(rows):
    for row in rows:
        if row:
            with row:
                try:
                    pass
                finally:
                    pass
"""


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (rules.upward_imports, "proxy/core/a.py", "from proxy.sansio.bucket import Bucket"),
        (rules.upward_imports, "proxy/core/a.py", "import proxy.config"),
        (rules.upward_imports, "proxy/sansio/a.py", "from proxy.policies import retry"),
        (rules.upward_imports, "proxy/credentials/a.py", "from proxy.policies.retry import Retry"),
        (rules.upward_imports, "proxy/policies/retry.py", "from proxy.credentials import SCHEMES"),
        (rules.upward_imports, "proxy/policies/retry.py", "def f():\n    from proxy.edge.admin import app"),
        (rules.upward_imports, "proxy/edge/a.py", "from proxy import stack"),
        (rules.upward_imports, "proxy/app.py", "from tests.support.script import Script"),
        (rules.foreign_imports, "proxy/core/a.py", "import aiohttp"),
        (rules.foreign_imports, "proxy/sansio/a.py", "from time import monotonic"),
        (rules.foreign_imports, "proxy/sansio/a.py", "import asyncio.queues"),
        (rules.ceilings, "proxy/a.py", "x = 1\n" * 301),
        (rules.ceilings, "proxy/a.py", LONG),
        (rules.ceilings, "proxy/a.py", DEEP),
        (rules.ceilings, "proxy/a.py", DEEP.replace("def", "# ceiling:\ndef")),
        (rules.unexplained_ignores, "proxy/a.py", "x = 1  # noqa: E501"),
        (rules.unexplained_ignores, "proxy/a.py", "x = 1  # type: ignore[misc]"),
    ],
)
def test_a_breach_is_found(rule: Rule, path: str, text: str) -> None:
    assert len(list(rule(Source(path, text)))) == 1


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (rules.upward_imports, "proxy/core/a.py", "from proxy.core.call import Call"),
        (rules.upward_imports, "proxy/edge/a.py", "from proxy.policies.retry import Retry"),
        (rules.upward_imports, "proxy/policies/credential.py", "from proxy.credentials import SCHEMES"),
        (rules.upward_imports, "proxy/edge/a.py", "from proxy import __version__"),
        (rules.upward_imports, "proxy/app.py", "from proxy import stack"),
        (rules.foreign_imports, "proxy/sansio/a.py", "import math\nfrom pydantic import Field"),
        (rules.foreign_imports, "proxy/edge/a.py", "import aiohttp\nimport time"),
        (rules.ceilings, "proxy/a.py", LONG.replace("    pass\n", "", 1)),
        (rules.ceilings, "proxy/a.py", DEEP.replace("def", "# ceiling: a table reads best whole\ndef")),
        (rules.ceilings, "proxy/a.py", "def f(x):\n    if x == 1: y = 1\n" + "    elif x == 2: y = 2\n" * 5),
        (rules.unexplained_ignores, "proxy/a.py", "x = 1  # noqa: E501 - a URL"),
        (rules.unexplained_ignores, "proxy/a.py", "x = 1  # type: ignore[misc]  # the library has no types"),
    ],
)
def test_what_is_right_is_left_alone(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text))) == []


def test_a_module_without_its_test_file_is_found() -> None:
    tests = {"tests/core/test_call.py", "tests/test_app.py"}
    assert list(rules.unmirrored(["proxy/core/call.py", "proxy/app.py", "proxy/core/__init__.py"], tests)) == []
    assert list(rules.unmirrored(["proxy/cli.py"], tests)) == ["proxy/cli.py: tests/test_cli.py is missing"]


@pytest.mark.parametrize("path", ["proxy/utils.py", "proxy/common/x.py", "tests/support/test_helpers.py"])
def test_a_vague_name_is_found(path: str) -> None:
    assert len(list(rules.vague_names(path))) == 1
