"""Dot segments, in every way in which a path can write them."""

import pytest

from proxy.sansio.paths import has_dot_segment


@pytest.mark.parametrize(
    "target",
    [
        "/.",
        "/..",
        "/v1/../admin",
        "/v1/./charges",
        "/v1/..?q=1",
        "/%2e",
        "/v1/%2E%2e/admin",
        "/v1/.%2e/x",
        "/v1/..;/x",
        "/v1%2f..%5cx",
        "/v1\\..\\x",
    ],
)
def test_a_dot_segment_is_found_plain_and_encoded(target: str) -> None:
    assert has_dot_segment(target)


@pytest.mark.parametrize(
    "target",
    ["/", "/v1/charges", "/.well-known/x", "/v1/a..b", "/v1/...", "/v1/charges?path=/../x", "/%2ewell"],
)
def test_dots_that_are_no_segment_of_their_own_are_left_alone(target: str) -> None:
    assert not has_dot_segment(target)
