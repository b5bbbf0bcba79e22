"""Decides whether a path holds a dot segment, in any spelling that some server resolves (CWE-22)."""

import re
from typing import Final

# One or two dots, plain or encoded, between slashes or backslashes, plain or encoded; what stands behind a `;` is a
# parameter that some servers drop before they look.
_DOT_SEGMENT: Final = re.compile(r"(?:^|/|\\|%2f|%5c)(?:\.|%2e){1,2}(?:$|/|\\|;|%2f|%5c|%3b)", re.IGNORECASE)


def has_dot_segment(target: str) -> bool:
    """Say whether the path of a raw target holds a segment `.` or `..`; the query is not looked at."""
    return ("." in target or "%2" in target) and _DOT_SEGMENT.search(target.partition("?")[0]) is not None
