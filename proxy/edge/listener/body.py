"""The caller's request body: whole when it is small or already here, else a stream that remembers its start."""

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import StreamReader

from proxy.core.call import Body, Call, WholeBody
from proxy.core.errors import BodyTimeout, CallerGone, DeadlineExceeded
from proxy.edge.listener.head import RequestHead


class CallerBody(Body):
    """A body that is forwarded as it arrives, and can be sent again while no more than `keep` bytes have come.

    idle_s: the longest wait in seconds for the next piece, or for all of a body that is awaited before it is sent.
    """

    whole = None

    def __init__(self, content: StreamReader, head: RequestHead, keep: int, idle_s: float) -> None:
        self.length = head.length
        self._expects = head.expects
        self._content = content
        self.keep = keep
        self.idle_s = idle_s
        self._kept: list[bytes] | None = []
        self._kept_bytes = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield what is remembered, then what arrives.

        Raises: BodyTimeout when the caller stalls, CallerGone when it leaves or its framing breaks.
        """
        for piece in list(self._kept or ()):
            yield piece
        while piece := await self._next_in_time():
            self._remember(piece)
            yield piece

    async def whole_body(self) -> bytes:
        """Return everything once it has come, which may be never. Raises: CallerGone."""
        pieces: list[bytes] = []
        while piece := await self._next():
            pieces.append(piece)
        return b"".join(pieces)

    async def _next_in_time(self) -> bytes:
        try:
            async with asyncio.timeout(self.idle_s):
                return await self._next()
        except TimeoutError:
            raise BodyTimeout(f"no further piece of the request body came within {self.idle_s:g} s") from None

    async def _next(self) -> bytes:
        try:
            return await self._content.readany()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # aiohttp names a broken body in many ways
            raise CallerGone(f"the request body ended early ({type(error).__name__})") from None

    @property
    def is_here(self) -> bool:
        """Whether the last byte has come."""
        return self._content.is_eof()

    def arrives_later(self) -> bool:
        """Say whether the body must be passed on as it comes."""
        return not self.is_here and (self._expects or self.length is None or self.length > self.keep)

    def _remember(self, piece: bytes) -> None:
        if self._kept is None:
            return
        self._kept_bytes += len(piece)
        if self._kept_bytes > self.keep:
            self._kept = None
        else:
            self._kept.append(piece)

    def can_replay(self) -> bool:
        """Say whether everything read so far is remembered."""
        return self._kept is not None


class LargeBody(WholeBody):
    """A body that happened to arrive whole, yet is above what may be sent again.

    Once a byte of it went out it is not repeated, as if it had been forwarded piece by piece; as long as none did,
    it may still be sent.
    """

    def can_replay(self) -> bool:
        """Say no, so that the answer does not depend on how the bytes arrived."""
        return False


async def gather(body: CallerBody, call: Call, now: Callable[[], float]) -> Body:
    """Return the body in one piece if it is all here, or small and of known length: then it goes out with its head.

    A caller that waits for `100 Continue` sends nothing yet, so its body is never awaited here.
    Raises: BodyTimeout, DeadlineExceeded, CallerGone.
    """
    if body.arrives_later():
        return body
    data = await (body.whole_body() if body.is_here else _await_whole(body, call, now))
    kind = WholeBody if len(data) <= body.keep else LargeBody
    return kind(data, chunked=body.length is None)


async def _await_whole(body: CallerBody, call: Call, now: Callable[[], float]) -> bytes:
    # One time for all of it: nothing has been asked of the provider yet, and a caller that drips holds a place.
    began_at = now()
    left_s = call.deadline_at - began_at
    try:
        async with asyncio.timeout(min(body.idle_s, left_s)):
            return await body.whole_body()
    except TimeoutError:
        if left_s < body.idle_s:
            raise DeadlineExceeded("the deadline of the call passed before its request body was here") from None
        raise BodyTimeout(f"the request body was not here within {body.idle_s:g} s") from None
    finally:
        call.record.receive_s = now() - began_at
