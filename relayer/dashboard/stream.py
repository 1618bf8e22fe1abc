"""Server-sent events: the board, each time it shows something else. Bounded in number, in pace and in memory."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from relayer.dashboard.board import BoardMaker

PACE_SECONDS: Final = 1.0  # between two looks for something new
BEAT_SECONDS: Final = 15.0  # a reader hears from us so often, or the line is dead
WRITE_SECONDS: Final = 10.0  # a reader who takes longer is let go
MAX_STREAMS: Final = 32
RETRY_AFTER: Final = "5"


class Streams:
    """All readers at once. `close` ends them, so that the server can stop."""

    def __init__(self, maker: BoardMaker) -> None:
        self._maker = maker
        self._open = 0
        self._closing = asyncio.Event()

    async def close(self, _: web.Application | None = None) -> None:
        """End every stream after its current event."""
        self._closing.set()

    async def serve(self, request: web.Request, first: int) -> web.StreamResponse:
        """Send boards until the reader goes. Raises HTTPServiceUnavailable where too many read already."""
        if self._open >= MAX_STREAMS:
            raise web.HTTPServiceUnavailable(text="too many streams", headers={"Retry-After": RETRY_AFTER})
        self._open += 1
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        try:
            await response.prepare(request)
            await self._send(response, first)
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()  # what it never took would keep the connection
        except ConnectionError:
            pass  # the reader is gone, which is how streams end
        finally:
            self._open -= 1
        return response

    async def _send(self, response: web.StreamResponse, first: int) -> None:
        loop = asyncio.get_running_loop()
        last, sent_at = None, loop.time()
        while not self._closing.is_set():
            board = await self._maker.board(first)
            if board is not last:
                last, sent_at = board, loop.time()
                await _write(response, f"event: board\ndata: {board.text}\n\n")
            elif loop.time() - sent_at > BEAT_SECONDS:
                sent_at = loop.time()
                await _write(response, ": still here\n\n")
            try:
                await asyncio.wait_for(self._closing.wait(), PACE_SECONDS)
            except TimeoutError:
                continue


async def _write(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(text.encode())
