"""Whoever opens many connections, or says nothing on them, is kept within bounds."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from relayer import listening
from relayer.errors import CannotListen
from relayer.testing.actors import free_port

MANY = 300


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


@asynccontextmanager
async def listening_at(most: int):
    port = free_port()
    app = web.Application()
    app.add_routes([web.get("/", hello)])
    async with AsyncExitStack() as stack:
        await listening.listen(stack, "ops", app, f"127.0.0.1:{port}", listening.Bounds(most))
        yield port


async def ask(port: int) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as answer:
        return await answer.text()


async def closed(reader: asyncio.StreamReader) -> bool:
    """Whether the other side closed the connection, which may take a moment to arrive."""
    try:
        async with asyncio.timeout(1.0):
            return await reader.read(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def test_more_connections_than_there_may_be_are_closed_as_they_come():
    async with listening_at(20) as port:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MANY)]
        ends = await asyncio.gather(*(closed(reader) for reader, _ in opened))
        assert sum(not end for end in ends) == 20
        with pytest.raises(aiohttp.ClientError):
            await ask(port)
        for _, writer in opened:
            writer.close()
        async with asyncio.timeout(10):
            while await refused(port):
                pass
        assert await ask(port) == "hello"


async def refused(port: int) -> bool:
    try:
        await ask(port)
    except aiohttp.ClientError:
        return True
    return False


async def test_a_connection_on_which_nothing_is_said_is_closed(monkeypatch):
    monkeypatch.setattr(listening, "SILENT_SECONDS", 0.2)
    async with listening_at(1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        assert await ask(port) == "hello"
        writer.close()


async def test_half_a_request_does_not_hold_a_place_for_ever(monkeypatch):
    monkeypatch.setattr(listening, "SILENT_SECONDS", 0.2)
    async with listening_at(1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_one_peer_does_not_get_all_places():
    port = free_port()
    app = web.Application()
    app.add_routes([web.get("/", hello)])
    async with AsyncExitStack() as stack:
        await listening.listen(stack, "ops", app, f"127.0.0.1:{port}", listening.Bounds(20, each=5))
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        ends = await asyncio.gather(*(closed(reader) for reader, _ in opened))
        assert sum(not end for end in ends) == 5
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        async with asyncio.timeout(10):
            assert b"200" in await reader.readline()
        for _, other in [*opened, (reader, writer)]:
            other.close()


async def at_socket(path) -> str:
    connector = aiohttp.UnixConnector(path=str(path))
    async with aiohttp.ClientSession(connector=connector) as session, session.get("http://localhost/") as answer:
        return await answer.text()


def app_of_one() -> web.Application:
    app = web.Application()
    app.add_routes([web.get("/", hello)])
    return app


async def test_a_socket_is_for_its_owner_and_goes_when_it_is_not_listened_at(tmp_path):
    path = tmp_path / "a.sock"
    async with AsyncExitStack() as stack:
        await listening.listen_at_socket(stack, "api", app_of_one(), path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert await at_socket(path) == "hello"
        with pytest.raises(CannotListen, match="another process listens"):
            async with AsyncExitStack() as other:
                await listening.listen_at_socket(other, "api", app_of_one(), path)
        assert await at_socket(path) == "hello"
    assert not path.exists()


async def test_a_socket_that_a_dead_process_left_is_replaced_and_a_file_is_not(tmp_path):
    path = tmp_path / "a.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    async with AsyncExitStack() as stack:
        await listening.listen_at_socket(stack, "api", app_of_one(), path)
        assert await at_socket(path) == "hello"
    path.write_text("something of somebody's")
    with pytest.raises(CannotListen, match="no socket"):
        async with AsyncExitStack() as stack:
            await listening.listen_at_socket(stack, "api", app_of_one(), path)
    assert path.read_text() == "something of somebody's"


async def test_what_is_no_http_does_not_fill_the_log(caplog):
    async with listening_at(5) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")
        async with asyncio.timeout(10):
            assert b"400" in await reader.readline()
        writer.close()
    assert not caplog.records


async def test_an_address_that_is_taken_is_an_error():
    async with listening_at(1) as port:
        with pytest.raises(CannotListen, match=rf"\[ops\] .*:{port}: .*in use"):
            async with AsyncExitStack() as stack:
                await listening.listen(stack, "ops", web.Application(), f"127.0.0.1:{port}")
