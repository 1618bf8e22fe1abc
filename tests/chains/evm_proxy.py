"""A TCP proxy between a chain and its node that can drop connections or fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Forwards to a port of this machine. Unless `speaking` is set, bytes are taken and not passed on."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.speaking = asyncio.Event()
        self.speaking.set()
        self.refusing = False
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()

    def drop(self) -> None:
        """Break every connection that stands now."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refusing:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, back}
        with suppress(OSError):
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self.speaking.wait()
                sink.write(data)
                await sink.drain()
        finally:
            self._writers.discard(sink)
            sink.transport.abort()


@asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Proxy]:
    made = Proxy(target)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.speaking.set()
        server.close()
        made.drop()
