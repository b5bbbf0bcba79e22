import argparse
from pathlib import Path

import pytest

from proxy.core.units import Listen, parse_listen
from proxy.terminal.client import Client, Refused, Unreachable, client_of
from tests.support.wire import CLOSE, Wire, in_thread
from tests.terminal.stand_in import Admin, event, serving


def at(admin: Admin, token: str | None = None) -> Client:
    return client_of(argparse.Namespace(admin=admin.url, token=token, config=None))


def where(admin: str | None, config: Path | None = None) -> Listen:
    return client_of(argparse.Namespace(admin=admin, token=None, config=config)).where


def test_the_state_is_read_over_tcp_and_over_a_unix_socket(tmp_path: Path) -> None:
    with serving(Admin(state={"ready": True})) as admin:
        assert at(admin).state() == {"ready": True}
    with serving(Admin(state={"ready": False}), tmp_path / "a"):
        assert Client(parse_listen(f"unix:{tmp_path}/a")).state() == {"ready": False}


def test_a_stream_is_read_event_by_event_and_comments_are_pauses() -> None:
    sent = event("state", {"a": 1}) + b": still here\n\n" + event("calls", [1]) + b"event: x\ndata: {broken\n\n"
    with serving(Admin(events=[sent])) as admin:
        told = list(at(admin).events("state,calls"))
        assert told == [("", None), ("state", {"a": 1}), ("", None), ("calls", [1]), ("x", None)]
        assert admin.asked == ["/api/stream?only=state,calls"]


def test_an_event_cut_short_is_not_told() -> None:
    with serving(Admin(events=[event("state", 1)[:-1]])) as admin:
        assert list(at(admin).events("state")) == [("", None)]


def test_the_token_of_a_variable_or_file_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_TOKEN", "at_example")
    (tmp_path / "token").write_text("at_example\n")
    with serving(Admin(state={"ok": 1}, token="at_example")) as admin:
        assert at(admin, "env:ADMIN_TOKEN").state() == {"ok": 1}
        assert at(admin, f"file:{tmp_path}/token").state() == {"ok": 1}
        with pytest.raises(Refused, match="The admin token is missing: send it; name it with --token"):
            at(admin).state()


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("at_example", "a literal secret is refused"),
        ("env:NOT_SET_HERE", "--token env:NOT_SET_HERE: the variable is not set"),
        ("exec:/bin/echo x", "takes env:NAME or file:/absolute/path"),
    ],
)
def test_a_token_that_can_t_be_read_is_refused_and_never_shown(token: str, reason: str) -> None:
    with pytest.raises(Refused) as raised:
        at(Admin(port=1), token)
    assert reason in str(raised.value)
    assert "at_example" not in str(raised.value)


def test_nobody_there_and_a_server_in_trouble_are_unreachable_and_another_answer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="Connection refused"):
        Client(Listen("127.0.0.1", 1)).state()
    with pytest.raises(Unreachable, match="No such file"):
        Client(parse_listen(f"unix:{tmp_path}/absent")).state()
    with serving(Admin(status=503)) as admin, pytest.raises(Unreachable, match="HTTP: 503"):
        at(admin).state()
    with serving(Admin(status=404)) as admin, pytest.raises(Refused, match="HTTP: 404"):
        list(at(admin).events("state"))


def test_a_line_that_is_no_http_moves_no_cursor() -> None:
    with in_thread(Wire([b"\x1b[2J\r\n", CLOSE])) as wire, pytest.raises(Unreachable) as caught:
        Client(Listen("127.0.0.1", wire.port)).state()
    assert str(caught.value).startswith("\\x1b[2J")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:4799", Listen("127.0.0.1", 4799)),
        ("http://127.0.0.1:4799/", Listen("127.0.0.1", 4799)),
        ("10.0.0.1:80", Listen("10.0.0.1", 80)),
        ("localhost", Listen("localhost", 4781)),
        ("http://[::1]:1", Listen("::1", 1)),
        ("unix:/run/a", Listen("", 0, "/run/a")),
    ],
)
def test_an_address_is_a_url_or_a_host_with_a_port_or_a_unix_path(text: str, expected: Listen) -> None:
    assert where(text) == expected


@pytest.mark.parametrize(
    "text", ["https://h:1", "http://", "http://h:x", "http://h/metrics", "http://u:p@h", "unix:a", "http://h:70000"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="--admin is no address"):
        where(text)


def test_without_an_address_it_is_the_configuration_s(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    for listen in ("127.0.0.1:4799", f"unix:{tmp_path}/a"):
        file.write_text(f"admin: {{listen: '{listen}'}}\nproviders: {{mock: {{}}}}\n")
        assert where(None, file) == parse_listen(listen)
    file.write_text("admin: {listen: '127.0.0.1:0'}\nproviders: {mock: {}}\n")
    with pytest.raises(Refused, match=r"is any free port; .*--admin"):
        where(None, file)


def test_a_listener_at_every_address_is_reached_at_this_machine_s() -> None:
    with serving(Admin(state={"ok": 1})) as admin:
        assert Client(Listen("0.0.0.0", admin.port)).state() == {"ok": 1}
