import asyncio
import socket
from typing import Self
from unittest import mock

import pytest

from proxy.edge.listener.sweep import SWEEP_S, Sweeper
from tests.support.virtual import START, run


class Connection:
    """A connection whose caller can leave. aborted_at: when it was ended."""

    def __init__(self) -> None:
        self.aborted_at: list[float] = []
        self.lost = False

    def __enter__(self) -> Self:
        self._ours, self.caller = socket.socketpair()
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self.caller.close()

    @property
    def socket(self) -> socket.socket | None:
        return None if self.lost else self._ours

    def abort(self) -> None:
        self.aborted_at.append(asyncio.get_running_loop().time())


def test_who_leaves_is_ended_at_the_next_look_and_who_stays_is_not() -> None:
    async def scenario() -> None:
        sweeper = Sweeper()
        with Connection() as left, Connection() as stays:
            sweeper.watch(left)
            sweeper.watch(stays)
            await asyncio.sleep(10.1)
            assert (left.aborted_at, stays.aborted_at) == ([], [])
            left.caller.close()
            await asyncio.sleep(SWEEP_S)
            assert left.aborted_at == pytest.approx([START + 10.5])
            sweeper.forget(left)
            await asyncio.sleep(10.0)
            assert (len(left.aborted_at), stays.aborted_at) == (1, [])

    run(scenario())


def test_who_is_forgotten_is_left_alone_and_may_come_back() -> None:
    async def scenario() -> None:
        sweeper = Sweeper()
        with Connection() as one:
            sweeper.watch(one)
            sweeper.forget(one)
            sweeper.forget(one)
            one.caller.close()
            await asyncio.sleep(10.0)
            assert one.aborted_at == []
            sweeper.watch(one)
            await asyncio.sleep(SWEEP_S + 0.1)
            assert one.aborted_at == pytest.approx([START + 10.5])

    run(scenario())


def test_nothing_runs_while_nobody_is_watched() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        sweeper = Sweeper()
        with Connection() as one:
            sweeper.watch(one)
            sweeper.forget(one)
            await asyncio.sleep(SWEEP_S + 0.1)
            with mock.patch.object(loop, "call_at", wraps=loop.call_at) as timers:
                await asyncio.sleep(10.0)
            assert len(timers.call_args_list) == 1  # this test's own

    run(scenario())


def test_a_connection_whose_socket_is_closed_already_is_passed_over() -> None:
    async def scenario() -> None:
        sweeper = Sweeper()
        with Connection() as one:
            sweeper.watch(one)
            one.lost = True
            await asyncio.sleep(1.1)
            assert one.aborted_at == []

    run(scenario())
