import pytest

from proxy.core.errors import BadRequest, MisdirectedHost, UnknownProvider
from proxy.core.profile import Profile
from proxy.edge.listener.routes import Route, Routes
from proxy.sansio.hosts import HostRule
from tests.support.script import Script

HERE = b"127.0.0.1:4780"


def make_routes(only: str | None = None, *hosts: str) -> Routes:
    lax = Profile(dot_segments=True)
    profiles = {"stripe": Profile(), "s3": lax, "open-ai": Profile()}
    table = {name: Route(name, Script(200), profile, restart_trace=True) for name, profile in profiles.items()}
    return Routes(lambda: table, HostRule(hosts), only)


def find(path: str, host: bytes | None = HERE, only: str | None = None) -> tuple[str, str]:
    route, target = make_routes(only).find(host, path)
    return route.name, target


@pytest.mark.parametrize(
    ("path", "name", "target"),
    [
        ("/stripe/v1/charges", "stripe", "/v1/charges"),
        ("/stripe/", "stripe", "/"),
        ("/stripe", "stripe", "/"),
        ("/stripe?next=/x/y", "stripe", "/?next=/x/y"),
        ("/stripe/?a=1&a=2", "stripe", "/?a=1&a=2"),
        ("/stripe//v1///x", "stripe", "//v1///x"),
        ("/open-ai/v2/publish/https://example.com/a?b", "open-ai", "/v2/publish/https://example.com/a?b"),
        ("/stripe/a%2fB%zz%7E~;x='\"|^`{}<>", "stripe", "/a%2fB%zz%7E~;x='\"|^`{}<>"),
        ("/stripe/stripe/x", "stripe", "/stripe/x"),
        ("/stripe/..a/.b/c../...", "stripe", "/..a/.b/c../..."),
        ("/stripe/?path=/../x", "stripe", "/?path=/../x"),
        ("/s3/a/../b/./%2e%2e/c", "s3", "/a/../b/./%2e%2e/c"),
    ],
)
def test_the_first_segment_names_the_provider_and_the_rest_goes_on_byte_for_byte(
    path: str, name: str, target: str
) -> None:
    assert find(path) == (name, target)


@pytest.mark.parametrize("path", ["/Stripe/v1", "/STRIPE", "/strip/v1", "/", "//stripe/v1", "/stripe%2fv1", "/?stripe"])
def test_any_other_first_segment_is_unknown_and_the_known_ones_are_told(path: str) -> None:
    with pytest.raises(UnknownProvider, match="configured are: open-ai, s3, stripe"):
        find(path)


@pytest.mark.parametrize(
    "host", [b"stripe.localhost", b"stripe.localhost:4780", b"STRIPE.LocalHost", b"stripe.localhost."]
)
def test_a_host_below_localhost_names_the_provider_and_the_whole_path_goes_on(host: bytes) -> None:
    assert find("/v1/charges?a=1", host) == ("stripe", "/v1/charges?a=1")
    assert find("/open-ai/v1", host) == ("stripe", "/open-ai/v1")


def test_an_unknown_host_below_localhost_is_not_looked_up_by_path() -> None:
    for host in (b"other.localhost", b"a.stripe.localhost"):
        with pytest.raises(UnknownProvider):
            find("/stripe/v1", host)


def test_a_port_of_its_own_looks_at_neither_prefix_nor_host_name() -> None:
    assert find("/open-ai/v1", only="stripe") == ("stripe", "/open-ai/v1")
    assert find("/v1", b"open-ai.localhost", only="stripe") == ("stripe", "/v1")


@pytest.mark.parametrize("only", [None, "stripe"])
@pytest.mark.parametrize("host", [b"evil.example", b"", b"localhost.evil.example", b"127.0.0.1.evil.example", b"a b"])
def test_a_host_that_is_not_served_is_misdirected_on_every_port(host: bytes, only: str | None) -> None:
    with pytest.raises(MisdirectedHost):
        find("/stripe/v1", host, only)


def test_a_configured_host_is_served() -> None:
    route, target = make_routes(None, "tidegate.internal").find(b"tidegate.internal:4780", "/stripe/v1")
    assert (route.name, target) == ("stripe", "/v1")


def test_a_caller_that_knows_no_host_is_served() -> None:
    assert find("/stripe/v1", None) == ("stripe", "/v1")


@pytest.mark.parametrize("path", ["http://stripe/v1", "stripe:443", "*", "", "stripe/v1", "/stripe/v1#x", "/#/stripe"])
def test_a_target_that_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(BadRequest, match="must be a path"):
        find(path)


def test_a_reload_of_the_table_holds_from_the_next_request_on() -> None:
    table: dict[str, Route] = {}
    routes = Routes(lambda: table, HostRule())
    with pytest.raises(UnknownProvider):
        routes.find(HERE, "/new/x")
    table["new"] = Route("new", Script(200), Profile(), restart_trace=False)
    assert routes.find(HERE, "/new/x") == (table["new"], "/x")
