"""Callers that ask one request after another, while a test does something to the sidecar or the provider."""

import asyncio
from collections import Counter
from typing import Self

from tests.support.caller import Answer, Caller, request


class Traffic:
    """Some callers at once, each on a connection of its own that it keeps as long as it may.

    statuses: how often each was answered. failures: what was no whole answer. answers: all, in order of arrival.
    port, target: where the next requests go; a test may change them.
    """

    def __init__(self, port: int, target: str, callers: int = 4, pause_s: float = 0.003) -> None:
        self.port = port
        self.target = target
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self._pause_s = pause_s
        self._stopping = False
        self._tasks = [asyncio.ensure_future(self._call()) for _ in range(callers)]

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.answers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def more(self, count: int, status: int | None = None) -> None:
        """Wait until so many further answers (with that status) have come."""
        wanted = self._count(status) + count
        async with asyncio.timeout(15):
            while self._count(status) < wanted:  # noqa: ASYNC110 - an event per answer would say no more
                await asyncio.sleep(0.002)

    def _count(self, status: int | None) -> int:
        return len(self.answers) if status is None else self.statuses[status]

    async def _call(self) -> None:
        while not self._stopping:
            port = self.port
            try:
                async with Caller(port) as caller:
                    await self._ask_while_open(caller, port)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.failures.append(repr(error))
                await asyncio.sleep(self._pause_s)

    async def _ask_while_open(self, caller: Caller, port: int) -> None:
        while not self._stopping and port == self.port:
            answer = await caller.ask(request("GET", self.target))
            self.answers.append(answer)
            if not answer.whole:
                self.failures.append("cut short")
            if answer.value(b"connection") == b"close":
                return
            await asyncio.sleep(self._pause_s)
