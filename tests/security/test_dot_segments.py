"""A path never climbs out of what its provider's policy saw (CWE-22), and every other byte of it passes as it is."""

import itertools
from typing import Final

import pytest

from proxy.core.profile import Profile
from tests.support.caller import run_on_uvloop
from tests.support.listening import listening
from tests.support.script import Script

pytestmark = [pytest.mark.security]

DOT: Final = (".", "%2e", "%2E")
SLASH: Final = ("/", "\\", "%2f", "%2F", "%5c", "%5C")
SEGMENTS: Final = [*DOT, *("".join(pair) for pair in itertools.product(DOT, DOT))]
REFUSED: Final = [
    *(f"/v1/{segment}/admin" for segment in SEGMENTS),
    *(f"/v1{before}{segment}{behind}admin" for before in SLASH for segment in ("..", "%2e%2E") for behind in SLASH),
    *(f"/{segment}" for segment in SEGMENTS),
    *(f"/v1/{segment}?a=1" for segment in ("..", "%2e%2e")),
    "/..;/admin", "/v1/..;x=y/admin", "/v1/%2e%2e%3b/admin", "//../admin", "/v1/../../admin", "/v1/..//admin",
    "/./v1", "/v1/.",
]  # fmt: skip
PASSED: Final = [
    "/", "//", "/v1//x", "/...", "/v1/.../x", "/..a/x", "/a../x", "/.well-known/x", "/v1/x.json", "/v1/1.5",
    "/v1/a..b/c",
    "/v1/%2ehidden", "/v1/x%2e", "/v1/x?path=../../y", "/v1/x?next=/../", "/v1/https://example.com/a.b/",
    "/%252e%252e/x",
    "/v1/%2F%2f/x", "/v1/%zz%", "/v1/~user/%7Euser", "/v1/a;b=c/d,e", "/v1/a%00b", "/v1/:x@y!$&'()*+=",
    "/2010-04-01/x.json",
]  # fmt: skip


def ask(path: str, profile: Profile | None = None, *, by_host: bool = False) -> tuple[int, list[bytes]]:
    """Request a path below the provider; return the status and the targets that were sent on."""
    provider = Script(200)
    start, host = ("", "up.localhost") if by_host else ("/up", "localhost")

    async def scenario() -> int:
        async with listening(provider, profile=profile) as listener:
            lines = f"GET {start}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            return (await listener.ask(lines.encode())).status

    status = run_on_uvloop(scenario())
    return status, [call.target for _, call in provider.sends]


@pytest.mark.parametrize("path", REFUSED)
def test_a_dot_segment_is_refused_however_it_is_written(path: str) -> None:
    assert ask(path) == (400, [])


@pytest.mark.parametrize("path", ["/v1/../admin", "/v1/%2e%2e%2fadmin", "/../mock/x"])
def test_naming_the_provider_by_host_changes_nothing(path: str) -> None:
    assert ask(path, by_host=True) == (400, [])


@pytest.mark.parametrize("path", ["/../other/x", "/..%2fother", "/./x"])
def test_a_provider_that_allows_them_gets_them_and_no_other_provider_is_reached(path: str) -> None:
    assert ask(path, Profile(dot_segments=True)) == (200, [path.encode()])


@pytest.mark.parametrize("path", PASSED)
def test_everything_else_passes_byte_for_byte(path: str) -> None:
    assert ask(path) == (200, [path.encode()])
