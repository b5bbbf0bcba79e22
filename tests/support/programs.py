"""Programs that tests call and Python packages do not bring."""

import os
import shutil

import pytest


def program(name: str) -> str:
    """Return the program's path. Without it the test is skipped; on the build server (CI=true) it fails."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is missing: tests/install.sh fetches it, where it can"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
