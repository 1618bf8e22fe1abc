"""Server-sent events: the board, each time it shows something else. Bounded in number, in pace and in memory."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from relayer.dashboard.board import BoardMaker
from relayer.streaming import Line, Readers

PACE_SECONDS: Final = 1.0  # between two looks for something new
BEAT_SECONDS: Final = 15.0  # a reader hears from us so often, or the line is dead
WRITE_SECONDS: Final = 10.0  # a reader who takes longer is let go
MAX_STREAMS: Final = 32
RETRY_AFTER: Final = "5"


class Streams:
    """All readers at once. `close` ends them, so that the server can stop."""

    def __init__(self, maker: BoardMaker) -> None:
        self._maker = maker
        self._readers = Readers()
        self.close = self._readers.close

    async def serve(self, request: web.Request, first: int) -> web.StreamResponse:
        """Send boards until the reader goes. Raises HTTPServiceUnavailable where too many read already."""
        if self._readers.open >= MAX_STREAMS:
            raise web.HTTPServiceUnavailable(text="too many streams", headers={"Retry-After": RETRY_AFTER})
        return await self._readers.serve(request, WRITE_SECONDS, lambda line: self._send(line, first))

    async def _send(self, line: Line, first: int) -> None:
        loop = asyncio.get_running_loop()
        last, sent_at = None, loop.time()
        while not self._readers.closing.is_set():
            board = await self._maker.board(first)
            if board is not last:
                last, sent_at = board, loop.time()
                await line.event("board", board.text)
            elif loop.time() - sent_at > BEAT_SECONDS:
                sent_at = loop.time()
                await line.beat()
            await self._readers.pause(PACE_SECONDS)
