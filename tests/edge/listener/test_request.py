import asyncio
from typing import cast
from unittest import mock

import pytest
from aiohttp import HttpVersion11, StreamReader
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from proxy.core.errors import CallerGone
from proxy.edge.listener.request import Request
from tests.support.virtual import START, run

CONTENT = cast(StreamReader, object())


class Connection:
    """The caller's connection. drains: how long it takes the caller to catch up, or what happens instead."""

    def __init__(self, drains: float | Exception = 0.0) -> None:
        self.transport: asyncio.Transport | None = None
        self.writing_paused = True
        self.aborted = False
        self._drains = drains

    async def drain(self) -> None:
        if isinstance(self._drains, Exception):
            raise self._drains
        await asyncio.sleep(self._drains)

    def abort(self) -> None:
        self.aborted = True


def make_request(connection: Connection, *, should_close: bool = False, upgrade: bool = False) -> Request:
    message = RawRequestMessage(
        "GET", "/up/%2f\udcff", HttpVersion11, CIMultiDictProxy(CIMultiDict()), ((b"X-a", b"1"),), should_close, None,
        upgrade, False, URL("/"),
    )  # fmt: skip
    return Request(message, CONTENT, connection)


def test_a_request_is_what_stood_on_the_wire() -> None:
    request = make_request(Connection())
    assert (request.method, request.raw_path, request.version) == ("GET", "/up/%2f\udcff", HttpVersion11)
    assert (request.raw_headers, request.content, request.keep_alive) == (((b"X-a", b"1"),), CONTENT, True)


def test_nothing_follows_when_the_caller_closes_or_wants_another_protocol() -> None:
    assert not make_request(Connection(), should_close=True).keep_alive
    assert not make_request(Connection(), upgrade=True).keep_alive


def test_the_socket_is_asked_of_the_connection_each_time_because_the_caller_may_leave() -> None:
    connection = Connection()
    request = make_request(connection)
    transport = connection.transport = mock.create_autospec(asyncio.Transport, instance=True)
    assert (request.transport, request.behind) == (transport, True)
    connection.transport, connection.writing_paused = None, False
    assert (request.transport, request.behind) == (None, False)


def test_a_caller_that_catches_up_in_time_is_waited_for() -> None:
    run(make_request(Connection(29.0)).drained(30.0))


def test_a_caller_that_does_not_read_is_given_up() -> None:
    async def scenario() -> None:
        with pytest.raises(CallerGone, match="read nothing for 30 s"):
            await make_request(Connection(3600.0)).drained(30.0)
        assert asyncio.get_running_loop().time() == pytest.approx(START + 30.0)

    run(scenario())


def test_a_caller_that_leaves_is_noticed() -> None:
    with pytest.raises(CallerGone, match="in the middle"):
        run(make_request(Connection(ConnectionResetError())).drained(30.0))


def test_aborting_a_request_aborts_its_connection() -> None:
    connection = Connection()
    make_request(connection).abort()
    assert connection.aborted
