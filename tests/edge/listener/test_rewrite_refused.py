"""A provider that would have the caller call another one, and references that could lead there."""

import pytest

from proxy.core.call import Call
from proxy.core.errors import DestinationRefused
from proxy.core.profile import Urls
from proxy.credentials.scheme import strip_query
from proxy.edge.listener.rewrite import Rewriter
from proxy.edge.upstream.dial import Origin
from proxy.sansio.hosts import Served
from tests.support.script import make_call

pytestmark = pytest.mark.security

STRIPE = Origin("https", "api.stripe.example", 443)
BASE = b"http://127.0.0.1:4780/stripe"


def rewriter(origin: Origin = STRIPE) -> Rewriter:
    return Rewriter(Urls(), {"": origin})


def without_key(url: bytes) -> bytes:
    return strip_query(url, (b"app_key",))


def call_at(base: str = BASE.decode()) -> Call:
    call = make_call()
    call.base = base
    return call


@pytest.mark.parametrize(
    ("target", "reference", "shown"),
    [
        (b"/v1/a", b"../../slack/api", b"/stripe/slack/api"),
        (b"/v1/a?p=/x/y", b"./../../../b?c=../d#/../e", b"/stripe/b?c=../d#/../e"),
        (b"/v1/a", b"%2e%2E/b/.", b"/stripe/b/"),
        (b"/v1/a", b"/../../slack/api", b"/stripe/slack/api"),
        (b"/v1/a", b"/v1/./b", b"/stripe/v1/b"),
        (b"/v1/a", b"/..//evil.example/b", b"/stripe//evil.example/b"),
        (b"/v1/a", b" \t../b", b"/stripe/b"),
        (b"/", b"slack/api", b"/stripe/slack/api"),
        (b"/?x", b"slack/api", b"/stripe/slack/api"),
        (b"/a/../../slack/", b"b", b"/stripe/slack/b"),
        (b"/v1/a", b"/..%2fslack", b"https://api.stripe.example/..%2fslack"),
        (b"/v1/a", b"..\\..\\slack", b"https://api.stripe.example/v1/..\\..\\slack"),
        (b"/v1/a", b"b/c?d=/../e", b"b/c?d=/../e"),
        (b"/", b"?page=2", b"?page=2"),
        (b"/", b"#/../top", b"#/../top"),
    ],
)
def test_a_relative_reference_is_resolved_where_it_could_leave_the_provider(
    target: bytes, reference: bytes, shown: bytes
) -> None:
    call = call_at()
    call.target = target
    assert rewriter().header(b"Location", reference, call) == shown
    assert rewriter().header(b"Link", b"<%b>; rel=next" % reference, call) == b"<%b>; rel=next" % shown


def test_what_leads_above_the_base_path_goes_to_the_provider_s_own_address_and_not_to_the_sidecar() -> None:
    below = rewriter(origin=Origin("https", "api.x.example", 443, b"/v2"))
    call = call_at()
    call.target = b"/a/b"
    assert below.header(b"Location", b"../c", call) == b"/stripe/c"
    assert below.header(b"Location", b"../../c", call) == b"https://api.x.example/c"
    assert below.header(b"Location", b"/v22", call) == b"https://api.x.example/v22"


def test_a_path_means_the_address_of_the_account_that_was_asked() -> None:
    here, there = Origin("https", "api.x.example", 443, b"/v1"), Origin("https", "eu.x.example", 443, b"/v1")
    both = Rewriter(Urls(), {"us": here, "eu": there})
    call = call_at()
    for account, host in (("us", b"api"), ("eu", b"eu")):
        call.account = account
        assert both.header(b"Location", b"/files/1", call) == b"https://%b.x.example/files/1" % host
        assert both.header(b"Location", b"/v1/a", call) == b"/stripe/a"


def test_what_is_not_led_back_stays_unless_it_would_mean_something_on_the_sidecar() -> None:
    plain = Rewriter(Urls(fields=("next",)), {"": STRIPE}, without_key, leads=False)
    call = call_at()
    call.target = b"/v1/a"
    assert plain.header(b"Location", b"https://api.stripe.example/v1/b", call) == b"https://api.stripe.example/v1/b"
    assert plain.header(b"Location", b"b?c", call) == b"b?c"
    assert plain.header(b"Location", b"/slack/b", call) == b"https://api.stripe.example/slack/b"
    assert plain.header(b"Location", b"../../slack/b", call) == b"https://api.stripe.example/slack/b"
    call.base = "http://stripe.localhost:4780"
    assert plain.header(b"Location", b"/slack/b", call) == b"/slack/b"
    assert plain.fields == ()


def test_a_field_that_the_profile_does_not_name_is_watched_and_not_led_back() -> None:
    watching = Rewriter(Urls(headers=("x-next",)), {"": STRIPE})
    assert watching.header(b"X-Next", b"https://api.stripe.example/a", call_at()) == BASE + b"/a"
    assert watching.header(b"Location", b"https://api.stripe.example/a", call_at()) == b"https://api.stripe.example/a"
    assert watching.header(b"Location", b"/a", call_at()) == b"https://api.stripe.example/a"


SERVED = Served(["tidegate.internal"], [4780, 4801])
OWN = [
    b"http://127.0.0.1:4780/slack/api",
    b"http://127.0.0.1:4780/stripe/../slack/api",
    b"http://127.0.0.1:4780/stripe/%2e%2e/slack/api",
    b"http://127.0.0.1:4780/stripe-other/a",
    b"http://127.0.0.1:4780",
    b"//127.0.0.1:4780/slack/api",
    b"HTTPS://127.0.0.1:4780/slack/api",
    b"http://stripe@127.0.0.1:4780/slack/api",
    b"http://api.stripe.example:443@127.0.0.1:4780/slack/api",
    b"http://127.0.0.1.:4780/slack/api",
    b"http://127.0.0.1:04780/slack/api",
    b" http://127.0.0.1:47\t80/slack/api",
    b"http://LocalHost:4780/stripe/a",
    b"http://localhost.:4780/slack/api",
    b"http://slack.localhost:4780/stripe/api",
    b"http://[::1]:4780/slack/api",
    b"http://[::ffff:7f00:1]:4780/slack/api",
    b"http://127.1:4780/slack/api",
    b"http://2130706433:4780/slack/api",
    b"http://0x7f.1:4780/slack/api",
    b"http://0:4780/slack/api",
    b"http://10.1.2.3:4780/slack/api",
    b"http://tidegate.internal:4780/slack/api",
    b"http://127.0.0.1:4801/a",
]
UNCLEAR = [
    b"http:/127.0.0.1:4780/slack",
    b"http:slack/api",
    b"http:///slack/api",
    b"///slack/api",
    b"/\\127.0.0.1:4780/slack",
    b"\\slack\\api",
    b"http:\\\\127.0.0.1:4780/slack",
    b"http://other.example\\@127.0.0.1:4780/slack",
    b"http://%31%32%37.0.0.1:4780/slack",
    b"http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1:4780/slack",
    b"http://[::1%25lo]:4780/slack",
    b"http://127.0.0.1:000004780/slack",
]


@pytest.mark.parametrize("leads", [True, False])
@pytest.mark.parametrize("url", OWN + UNCLEAR)
def test_a_url_by_which_the_caller_would_call_another_provider_is_refused(url: bytes, leads: bool) -> None:
    watching = Rewriter(Urls(headers=("operation-location",)), {"": STRIPE}, served=lambda: SERVED, leads=leads)
    link = b'</a>; rel=prev, <%b>; rel="next"' % url
    quoted = b"</a>; title=\"x, <%b>; rel='next'" % url
    for name, value in (
        (b"LOCATION", url), (b"Content-Location", url), (b"Operation-Location", url), (b"Link", link),
        (b"Link", quoted), (b"Link", link.replace(b'>; rel="', b'; rel="')), (b"Link", url + b"; rel=next"),
    ):  # fmt: skip
        with pytest.raises(DestinationRefused, match="the provider's answer names a URL that "):
            watching.header(name, value, call_at())


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://localhost/stripe", b"http://localhost:80/slack"),
        ("http://localhost:80/stripe", b"//LOCALHOST/slack"),
        ("http://localhost/stripe", b"https://localhost/slack"),
        ("http://stripe.localhost:4780", b"http://127.0.0.1:4780/slack"),
        ("http://stripe.localhost:4780", b"http://slack.localhost:4780/"),
        ("http://stripe.localhost:4801", b"http://127.0.0.1:4780/slack"),
        ("http://elsewhere.example:99/stripe", b"http://elsewhere.example:99/slack"),
    ],
)
def test_it_is_refused_by_whatever_name_the_caller_came(base: str, url: bytes) -> None:
    watching = Rewriter(Urls(), {"": STRIPE}, served=lambda: SERVED)
    with pytest.raises(DestinationRefused):
        watching.header(b"Location", url, call_at(base))


@pytest.mark.parametrize("leads", [True, False])
@pytest.mark.parametrize(
    ("base", "url"),
    [
        (BASE.decode(), b"http://127.0.0.1:4780/stripe/v1/a?b"),
        (BASE.decode(), b"http://127.0.0.1:4780/stripe"),
        ("http://stripe.localhost:4780", b"http://Stripe.localhost:4780/a"),
        (BASE.decode(), b"http://127.0.0.1:3000/callback"),
        (BASE.decode(), b"http://localhost/callback"),
        (BASE.decode(), b"https://other.example/a"),
        (BASE.decode(), b"https://other.example:4780/a"),
        (BASE.decode(), b"myapp:127.0.0.1:4780"),
        (BASE.decode(), b"urn:isbn:0451450523"),
    ],
)
def test_a_url_that_leads_elsewhere_or_back_to_the_same_provider_is_left_alone(
    base: str, url: bytes, leads: bool
) -> None:
    watching = Rewriter(Urls(), {"": STRIPE}, served=lambda: SERVED, leads=leads)
    assert watching.header(b"Location", url, call_at(base)) == url
    assert watching.header(b"Link", b"<%b>" % url, call_at(base)) == b"<%b>" % url
