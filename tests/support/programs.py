"""Programs that tests call and Python packages do not bring."""

import os
import shutil

import pytest


def program(*names: str) -> str:
    """Return the path of the first of these that is there.

    Without any the test is skipped; on the build server (CI=true) it fails.
    """
    found = next((path for name in names if (path := shutil.which(name)) is not None), None)
    if found is None:
        reason = f"{' or '.join(names)} is missing: tests/install.sh fetches it, where it can"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
