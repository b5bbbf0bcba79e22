import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from proxy.edge.upstream.http1 import Connection
from proxy.edge.upstream.pool import FRESH_S, Pool, PoolConfig
from tests.support.upstream import Clock, Transport
from tests.support.virtual import run

CONFIG = PoolConfig(max_connections=3, max_idle=2, idle="30s", max_age="300s")


def connect(pool: Pool, clock: Clock) -> tuple[Connection, Transport]:
    """Open a connection as the engine does."""
    connection, transport = Connection((b"acme", b""), clock, pool.put, pool.forget), Transport()
    assert pool.reserve()
    connection.connection_made(transport)
    return connection, transport


def put(pool: Pool, clock: Clock) -> tuple[Connection, Transport]:
    """Open a connection and give it back as after a clean exchange."""
    connection, transport = connect(pool, clock)
    connection.idle_since = clock.at
    pool.put(connection)
    return connection, transport


@contextmanager
def unread(connection: Connection) -> Iterator[None]:
    """Let the kernel hold a byte that the loop has not seen yet."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection.watch(ours.fileno())
        theirs.send(b"x")
        yield


def test_the_connection_used_last_is_used_first_and_by_one_call_only() -> None:
    async def test() -> None:
        clock = Clock()
        pool = Pool(CONFIG, clock)
        older, newer = put(pool, clock)[0], put(pool, clock)[0]
        assert (pool.open, pool.idle) == (2, 2)
        assert [pool.take(clock.at, repeatable=True) for _ in range(3)] == [newer, older, None]
        assert (pool.open, pool.idle) == (2, 0)

    run(test())


def test_no_connection_may_be_opened_while_as_many_are_busy_as_may_be() -> None:
    async def test() -> None:
        clock = Clock()
        pool = Pool(CONFIG, clock)
        connections = [connect(pool, clock)[0] for _ in range(3)]
        assert not pool.reserve()
        assert pool.open == 3
        connections[0].close()
        assert pool.reserve()
        assert not pool.reserve()

    run(test())


def test_the_connection_that_idled_longest_makes_room_for_a_new_one() -> None:
    async def test() -> None:
        clock = Clock()
        pool = Pool(CONFIG, clock)
        _, busy = connect(pool, clock)
        _, older = put(pool, clock)
        _, newer = put(pool, clock)
        assert pool.reserve()
        assert [one.ended for one in (busy, older, newer)] == ["", "closed", ""]
        assert (pool.open, pool.idle) == (3, 1)
        assert pool.reserve()
        assert (newer.ended, pool.open, pool.idle) == ("closed", 3, 0)
        assert not pool.reserve()
        assert busy.ended == ""

    run(test())


def test_more_idle_connections_than_are_kept_are_closed() -> None:
    async def test() -> None:
        clock = Clock()
        pool = Pool(CONFIG, clock)
        transports = [put(pool, clock)[1] for _ in range(3)]
        assert [transport.ended for transport in transports] == ["", "", "closed"]
        assert (pool.open, pool.idle) == (2, 2)

    run(test())


def test_one_that_idled_too_long_or_is_too_old_is_closed_not_used() -> None:
    async def test() -> None:
        clock = Clock()
        pool = Pool(CONFIG, clock)
        _, transport = put(pool, clock)
        assert pool.take(clock.at + 30.1, repeatable=True) is None
        aged, aged_transport = connect(pool, clock)
        clock.at += 300.1
        aged.idle_since = clock.at
        pool.put(aged)
        assert pool.take(clock.at, repeatable=True) is None
        assert (transport.ended, aged_transport.ended, pool.open) == ("closed", "closed", 0)

    run(test())


def test_a_call_that_must_not_be_repeated_takes_only_a_fresh_one() -> None:
    async def test() -> None:
        clock = Clock()
        pool = Pool(CONFIG, clock)
        connection, _ = put(pool, clock)
        assert pool.take(clock.at + FRESH_S + 0.01, repeatable=False) is None
        assert pool.take(clock.at + FRESH_S - 0.01, repeatable=False) is connection
        pool.put(connection)
        assert pool.take(clock.at + FRESH_S + 0.01, repeatable=True) is connection

    run(test())


def test_one_on_which_something_has_arrived_unread_is_passed_over() -> None:
    async def test() -> None:
        clock = Clock()
        pool = Pool(CONFIG, clock)
        other, _ = put(pool, clock)
        suspect, _ = put(pool, clock)
        with unread(suspect):
            assert pool.take(clock.at, repeatable=True) is None
            assert pool.take(clock.at, repeatable=True) is other  # the suspect one went to the far end

    run(test())


def test_bytes_that_nobody_asked_for_close_an_idle_connection() -> None:
    async def test() -> None:
        clock = Clock()
        pool = Pool(CONFIG, clock)
        connection, transport = put(pool, clock)
        connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
        assert (transport.ended, pool.open, pool.idle) == ("closed", 0, 0)

    run(test())


def test_one_that_the_provider_closes_leaves_the_pool() -> None:
    async def test() -> None:
        clock = Clock()
        pool = Pool(CONFIG, clock)
        connection, _ = put(pool, clock)
        connection.connection_lost(None)
        assert (pool.open, pool.idle) == (0, 0)
        assert pool.take(clock.at, repeatable=True) is None

    run(test())


def test_the_sweeper_closes_idle_connections_without_any_call() -> None:
    async def test() -> None:
        pool = Pool(CONFIG, asyncio.get_running_loop().time)
        clock = Clock()
        connection, transport = connect(pool, clock)
        connection.idle_since = asyncio.get_running_loop().time()
        pool.put(connection)
        await asyncio.sleep(29)
        assert transport.ended == ""
        await asyncio.sleep(2)
        assert (transport.ended, pool.open) == ("closed", 0)

    run(test())


def test_the_sweeper_comes_back_for_connections_that_became_free_later() -> None:
    async def test() -> None:
        now = asyncio.get_running_loop().time
        pool = Pool(CONFIG, now)
        transports = []
        for _ in range(2):
            connection, transport = connect(pool, Clock())
            connection.idle_since = now()
            pool.put(connection)
            transports.append(transport)
            await asyncio.sleep(20)
        assert [transport.ended for transport in transports] == ["closed", ""]
        await asyncio.sleep(30)
        assert [transport.ended for transport in transports] == ["closed", "closed"]

    run(test())


def test_closing_ends_free_connections_now_and_busy_ones_when_they_come_back() -> None:
    async def test() -> None:
        clock = Clock()
        pool = Pool(CONFIG, clock)
        busy, busy_transport = connect(pool, clock)
        _, free_transport = put(pool, clock)
        pool.close()
        assert (free_transport.ended, busy_transport.ended, pool.open) == ("closed", "", 1)
        pool.put(busy)
        assert (busy_transport.ended, pool.open) == ("closed", 0)

    run(test())
