"""Durations, sizes, rates and addresses are read as people write them, and nothing else is guessed."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.units import (
    Listen,
    Rate,
    format_duration,
    format_size,
    is_loopback,
    parse_duration,
    parse_listen,
    parse_rate,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("3.5s", 3.5), ("5m", 300.0), ("1h", 3600.0), ("30d", 2592000.0)]
)
def test_a_duration_is_a_number_with_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["30", 30, 1.5, "", "s", "-1s", "1 s", "1S", "1w", "1e3s", "9" * 400 + "s", None])
def test_what_has_no_clear_unit_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["250ms", "30s", "5m", "2h", "7d", "1500ms"])
def test_a_duration_is_written_so_that_it_reads_back(text: str) -> None:
    assert parse_duration(format_duration(parse_duration(text))) == parse_duration(text)


@pytest.mark.parametrize(("text", "size"), [("0B", 0), ("64KiB", 65536), ("1MiB", 1048576), ("2GiB", 2147483648)])
def test_a_size_is_a_whole_number_with_its_unit(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert format_size(size) == text


@pytest.mark.parametrize("text", ["64", 64, "64K", "64KB", "1.5MiB", "-1B", "9" * 5000 + "B"])
def test_what_has_no_clear_unit_is_no_size(text: object) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "rate"), [("100/1s", Rate(100, 1.0)), ("1000 / 1h", Rate(1000, 3600.0)), ("5/250ms", Rate(5, 0.25))]
)
def test_a_rate_is_a_count_per_duration(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["100", "100/s", "0/1s", "1/0s", "-1/1s", "1.5/1s", 100, "9" * 5000 + "/1s"])
def test_what_is_no_count_per_duration_is_no_rate(text: object) -> None:
    with pytest.raises(ValueError, match=r"not a (rate|duration)"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("127.0.0.1:4780", Listen("127.0.0.1", 4780)),
        ("[::1]:4780", Listen("::1", 4780)),
        ("localhost:0", Listen("localhost", 0)),
        ("0.0.0.0:65535", Listen("0.0.0.0", 65535)),
        ("unix:/run/tidegate.sock", Listen("", 0, "/run/tidegate.sock")),
    ],
)
def test_a_listen_address_is_host_and_port_or_a_socket(text: str, listen: Listen) -> None:
    assert parse_listen(text) == listen
    assert str(listen) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "4780", ":4780", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:x", "::1:4780",
        "[::1]", "[::g]:1", "[127.0.0.1", "256.0.0.1:1", "1.2.3:1", "...:1", "*:1", "a b:1", "http://127.0.0.1:1",
        "unix:", "unix:relative", "unix:/a\0b", "unix:/" + "x" * 107, 4780, None,
    ],
)  # fmt: skip
def test_what_could_not_be_listened_on_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="not a listen address"):
        parse_listen(text)


@pytest.mark.parametrize("text", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/a"])
def test_loopback_and_sockets_are_local(text: str) -> None:
    assert parse_listen(text).is_local


@pytest.mark.parametrize("text", ["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "localhost.example.com:1"])
def test_everything_else_is_not_local(text: str) -> None:
    assert not parse_listen(text).is_local


def test_every_address_is_reached_at_this_machine_s_own() -> None:
    assert [Listen(host, 80).dialled for host in ("0.0.0.0", "::", "::1", "10.0.0.5")] == [
        "127.0.0.1", "::1", "::1", "10.0.0.5",
    ]  # fmt: skip


def test_no_name_but_localhost_counts_as_loopback() -> None:
    assert is_loopback("localhost")
    assert not is_loopback("example.com")


@pytest.mark.parametrize("parse", [parse_duration, parse_size, parse_rate, parse_listen])
@given(text=st.text(max_size=30))
def test_no_text_raises_anything_but_a_value_error(parse: Callable[[object], object], text: str) -> None:
    try:
        parse(text)
    except ValueError:
        return
