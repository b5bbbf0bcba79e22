import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sansio.hosts import HostRule, Served, try_host

RULE = HostRule(["tidegate.internal", "My_Sidecar.", "kiosk"])


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:4780",
        "localhost.",
        "stripe.localhost",
        "Stripe.Localhost.:4780",
        "127.0.0.1",
        "127.0.0.1:4780",
        "10.1.2.3:4781",
        "[::1]",
        "[::1]:4780",
        "[2001:DB8::1]:65535",
        "tidegate.internal",
        "TIDEGATE.internal.:80",
        "my_sidecar:4780",
    ],
)
def test_own_names_and_address_literals_are_served(host: str) -> None:
    assert RULE.admits(host)
    assert RULE.admits(host.encode())


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        ".",
        ":4780",
        "evil.example",
        "localhost.evil.example",
        "notlocalhost",
        ".localhost",
        "a..localhost",
        "localhost..",
        "-.localhost",
        "tidegate.internal.evil.example",
        "user@localhost",
        "evil.example@127.0.0.1",
        "localhost:80@evil.example",
        "localhost#evil.example",
        "localhost/evil.example",
        "localhost\\evil.example",
        "localhost, evil.example",
        "localhost evil.example",
        " localhost",
        "localhost\n",
        "localhost:4780\n",
        "localhost:",
        "localhost:65536",
        "localhost:-1",
        "localhost:+80",
        "localhost:http",
        "localhost:80:80",
        "localhost:\u0664\u0662",
        "\u217cocalhost",
        "\u212aiosk",
        "loca\u0131host",
        "localhost\x00",
        "::1",
        "[::1",
        "::1]",
        "[::1]4780",
        "[::1]:",
        "[::1].evil.example",
        "[fe80::1%eth0]",
        "[localhost]",
        "[127.0.0.1]",
        "[[::1]]",
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "http://localhost",
        "%6cocalhost",
        "a" * 64 + ".localhost",
        "a." * 130 + "localhost",
    ],
)
def test_every_other_host_is_refused(host: str) -> None:
    assert not RULE.admits(host)
    assert not RULE.admits(host.encode())


def test_bytes_outside_ascii_are_refused() -> None:
    assert not RULE.admits(b"localhost\xff")


def test_a_host_is_admitted_again_and_again() -> None:
    rule = HostRule()
    assert [rule.admits(b"a.localhost") for _ in range(3)] == [True, True, True]
    assert [rule.admits(b"evil.example") for _ in range(3)] == [False, False, False]


def test_more_names_than_are_remembered_are_still_served() -> None:
    rule = HostRule()
    assert all(rule.admits(f"p{number}.localhost") for number in range(1000))


@pytest.mark.parametrize("name", ["", "http://a", "a:80", "a b", "*.example.com", "[::1]"])
def test_a_configured_name_that_is_none_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="not a host name"):
        HostRule([name])


def test_a_configured_name_that_is_none_is_not_repeated_because_it_may_be_a_secret() -> None:
    with pytest.raises(ValueError, match="not a host name") as caught:
        HostRule(["an example of a secret"])
    assert "example of" not in str(caught.value)


@given(st.binary(max_size=40))
def test_arbitrary_bytes_never_raise_and_only_admitted_forms_pass(host: bytes) -> None:
    if RULE.admits(host):
        name = try_host(host)
        assert name is not None
        assert name in host.decode().lower()


@given(st.text(max_size=40))
def test_arbitrary_text_never_raises(host: str) -> None:
    assert RULE.admits(host) in {True, False}


SERVED = Served(["tidegate.internal"], [4780, 4801])
NO_MORE = frozenset[int]()


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "any.localhost",
        "tidegate.internal",
        "127.0.0.1",
        "10.1.2.3",
        "[::1]",
        "127.1",
        "0x7f.1",
        "0",
        "1.0x",
    ],
)
def test_every_name_that_the_listeners_serve_leads_here_on_any_of_their_ports(host: str) -> None:
    assert SERVED.includes(host, 4780, NO_MORE)
    assert SERVED.includes(host, 4801, NO_MORE)
    assert SERVED.includes(host, 80, frozenset((80,)))
    assert not SERVED.includes(host, 80, NO_MORE)


@pytest.mark.parametrize("host", ["other.example", "localhost.example", "127.0.0.1.example", "a1", "x0x1"])
def test_any_other_name_leads_elsewhere(host: str) -> None:
    assert not SERVED.includes(host, 4780, NO_MORE)
