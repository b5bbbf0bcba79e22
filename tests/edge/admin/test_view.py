"""What stands in for the process behind the admin pages offers exactly what the process does."""

import inspect

from proxy.control import Control
from proxy.edge.admin.view import AdminView
from tests.support.admin import View

NAMES = sorted(name for name in vars(AdminView) if not name.startswith("_"))


def test_the_process_and_its_stand_in_take_the_same_arguments() -> None:
    assert len(NAMES) > 10
    for name in NAMES:
        wanted = inspect.getattr_static(AdminView, name)
        for kind in (Control, View):
            found = inspect.getattr_static(kind, name, None)
            if inspect.isfunction(wanted):
                assert inspect.isfunction(found), (kind, name)
                assert list(inspect.signature(found).parameters) == list(inspect.signature(wanted).parameters)


def test_both_are_views() -> None:
    kinds: list[type[AdminView]] = [Control, View]  # mypy compares the rest
    assert len(kinds) == 2
