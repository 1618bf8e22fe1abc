"""Server-sent events: readers counted, each written to within a bound of time, all ended when the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web


class Line:
    """The way to one reader. seconds: that a write may take; who takes nothing for longer is let go."""

    def __init__(self, response: web.StreamResponse, seconds: float) -> None:
        self._response = response
        self._seconds = seconds

    async def event(self, kind: str, data: str, id_: str | None = None) -> None:
        """One event. data: one line. Raises TimeoutError, ConnectionError."""
        number = "" if id_ is None else f"id: {id_}\n"
        await self._write(f"{number}event: {kind}\ndata: {data}\n\n")

    async def beat(self) -> None:
        """Say that the line is good."""
        await self._write(": still here\n\n")

    async def _write(self, text: str) -> None:
        async with asyncio.timeout(self._seconds):
            await self._response.write(text.encode())


Send = Callable[[Line], Awaitable[None]]


class Readers:
    """All readers of one kind of stream. `closing` is set when the server stops; a stream then ends by itself."""

    def __init__(self) -> None:
        self.open = 0
        self.closing = asyncio.Event()

    async def close(self, _: web.Application | None = None) -> None:
        """End every stream after its current event. A signal handler of an application."""
        self.closing.set()

    async def serve(self, request: web.Request, seconds: float, send: Send) -> web.StreamResponse:
        """Have `send` send until it returns or the reader goes."""
        self.open += 1
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        try:
            await response.prepare(request)
            await send(Line(response, seconds))
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()  # what it never took would keep the connection
        except ConnectionError:
            pass  # the reader is gone, which is how streams end
        finally:
            self.open -= 1
        return response

    async def pause(self, seconds: float) -> None:
        """Wait, but not when the server stops."""
        try:
            await asyncio.wait_for(self.closing.wait(), seconds)
        except TimeoutError:
            return
