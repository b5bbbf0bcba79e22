"""Live state, calls and changes as server-sent events (WHATWG HTML section 9.2)."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from proxy.edge.admin.answers import Problem, encoded
from proxy.edge.admin.view import AdminView
from proxy.edge.observe.recent import Kept

MOST_STREAMS: Final = 16
TICK_S: Final = 0.25  # between two looks at the calls
STATE_TICKS: Final = 4  # the state is told once a second
QUIET_TICKS: Final = 40  # then a comment tells that the stream is alive, and finds out whether its reader is
WRITE_S: Final = 5.0
"""Who has not taken what it was sent in this time is dropped; a stream buffers 64 KiB and one piece."""

FIRST: Final = 50
MOST: Final = 200
"""Lines of one event: at once, and later. Who falls behind sees the newest ones."""

KINDS: Final = frozenset({"state", "calls", "changes"})


def add(app: web.Application, view: AdminView) -> None:
    """Add `/api/stream`; `?only=state,calls` leaves the rest out."""
    streams = _Streams(view)
    app.on_shutdown.append(streams.end)
    app.router.add_get("/api/stream", streams.serve, allow_head=False)  # a HEAD would never end


@dataclass(slots=True)
class _Cursor:
    """What one reader has seen. most: lines of the next event."""

    seen: int = 0
    most: int = FIRST

    def fresh(self, kept: Kept) -> list[bytes]:
        lines = kept.since(self.seen, self.most)
        self.seen, self.most = kept.total, MOST
        return lines


class _Streams:
    """All readers. Each has a loop of its own and nothing else runs; what they share is the encoded state."""

    def __init__(self, view: AdminView) -> None:
        self._view = view
        self._open = 0
        self._state = b""
        self._state_at = float("-inf")
        self._ended = asyncio.Event()

    async def end(self, _app: web.Application) -> None:
        """End every stream; they last through a drain, which is worth seeing, and not beyond."""
        self._ended.set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        wanted = KINDS
        if "only" in request.query:
            wanted = frozenset(request.query["only"].split(","))
        if not wanted <= KINDS:
            raise Problem(400, "Unknown stream", f"only takes {', '.join(sorted(KINDS))}", "bad_request")
        if self._open >= MOST_STREAMS:
            detail = f"{MOST_STREAMS} streams are open, and that is all there are; close one"
            raise Problem(503, "Too many streams", detail, "too_many_streams")
        self._open += 1
        try:
            return await self._run(request, wanted)
        finally:
            self._open -= 1

    async def _run(self, request: web.Request, wanted: frozenset[str]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            await self._feed(response, wanted)
        except (ConnectionError, TimeoutError):
            _abort(request)  # the reader has left, or is too slow: what waits for it is let go
        except Exception:  # the head is out, so that no problem document can follow
            logging.getLogger(__name__).exception("a stream of the admin listener failed")
            _abort(request)
        return response

    async def _feed(self, response: web.StreamResponse, wanted: frozenset[str]) -> None:
        cursors: dict[str, _Cursor] = {kind: _Cursor() for kind in ("changes", "calls") if kind in wanted}
        ticks = quiet = 0
        while not self._ended.is_set():
            piece = b"".join(self._pieces(cursors, told=ticks % STATE_TICKS == 0 and "state" in wanted))
            quiet = 0 if piece else quiet + 1
            if quiet >= QUIET_TICKS:
                piece, quiet = b": still here\n\n", 0
            if piece:
                async with asyncio.timeout(WRITE_S):
                    await response.write(piece)
            ticks += 1
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(TICK_S):
                await self._ended.wait()
        except TimeoutError:
            return

    def _pieces(self, cursors: dict[str, _Cursor], *, told: bool) -> Iterator[bytes]:
        if told:
            yield self._told()
        recent = self._view.recent
        runs = {"calls": recent.calls, "changes": recent.changes}
        for kind, cursor in cursors.items():
            if lines := cursor.fresh(runs[kind]):
                data = b"[%b]" % b",".join(line.rstrip() for line in lines)
                yield b"event: %b\ndata: %b\n\n" % (kind.encode(), self._view.redact(data))

    def _told(self) -> bytes:
        """Return the state as an event; it is put together once a second, however many look at it."""
        at = self._view.now()
        if at - self._state_at >= TICK_S * (STATE_TICKS - 1):  # a tick less, because ticks come late
            data = self._view.redact(encoded(self._view.state()).rstrip())
            self._state, self._state_at = b"event: state\ndata: %b\n\n" % data, at
        return self._state


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
