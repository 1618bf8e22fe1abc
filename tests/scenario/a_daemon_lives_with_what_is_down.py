"""A daemon starts while a chain is down, says so, goes on when it is there, and ends as its operator wants."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import pytest
import tomli_w

from chains.testing.processes import free_port
from relayer.exits import Exit
from relayer.testing.actors import Actor
from tests.chains.evm_proxy import Proxy

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(180)]


def configure(actor: Actor, **tables) -> dict:
    """Write the actor's configuration anew with some tables changed."""
    import tomllib

    document = tomllib.loads(actor.config.read_text())
    for name, table in tables.items():
        document[name] = {**document.get(name, {}), **table}
    actor.config.write_text(tomli_w.dumps(document))
    return document


async def command(*words: str) -> tuple[int, dict]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relayer.cli", *words, "--json", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, json.loads(out or b"{}")


async def until(check, seconds: float = 40.0):
    """The first true answer of a check."""
    async with asyncio.timeout(seconds):
        while True:
            if found := await check():
                return found
            await asyncio.sleep(0.2)


@asynccontextmanager
async def running(actor: Actor, **environment: str):
    await actor.start(environment)
    try:
        yield
    finally:
        await actor.kill()


async def test_it_starts_without_a_chain_and_takes_it_in_later(world):
    actor = Actor("late", world, ("bitcoin", "evm"))
    port, listen = free_port(), f"127.0.0.1:{free_port()}"
    away = world.settings("evm")
    parts = urlsplit(away["url"])
    away["url"] = urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))
    away["patience"] = 0.2
    configure(actor, ops={"listen": listen}, chains={"bitcoin": world.settings("bitcoin"), "evm": away})

    async def checks() -> dict:
        async with aiohttp.ClientSession() as session, session.get(f"http://{listen}/ready") as answer:
            found = await answer.json()
            assert (answer.status == 200) == found["ready"]
            return found

    async def seen(name: str, well: bool) -> bool:
        return (await checks())["checks"][name]["ok"] is well

    async with running(actor):
        await until(lambda: seen("chain bitcoin", True))
        assert not (await checks())["ready"]
        assert (await checks())["live"]
        code, document = await command("health-check", "--config", str(actor.config))
        assert code == Exit.UNHEALTHY
        assert not document["checks"]["chain evm"]["ok"]
        assert "chain is down" in actor.tail(50)

        there = Proxy(int(parts.port))
        server = await asyncio.start_server(there.serve, "127.0.0.1", port)
        await until(lambda: seen("chain evm", True))
        await until(lambda: seen("chain bitcoin", True))
        code, document = await command("health-check", "--config", str(actor.config))
        assert code == Exit.OK, document

        there.refusing = True
        there.drop()
        await until(lambda: seen("chain evm", False))  # ready turns false again
        there.refusing = False
        await until(lambda: seen("chain evm", True))
        server.close()
        there.drop()


async def test_systemd_hears_of_its_life_and_sigterm_ends_it_in_order(world, tmp_path):
    actor = Actor("served", world, ("bitcoin",))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.setblocking(False)
    loop, heard = asyncio.get_running_loop(), []

    async def hears(word: str) -> None:
        while word not in heard:
            heard.extend((await asyncio.wait_for(loop.sock_recv(listener, 4096), 30)).decode().splitlines())

    async with running(actor, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="3000000"):
        await hears("READY=1")
        await hears("WATCHDOG=1")
        os.kill(actor._process.pid, signal.SIGTERM)
        await hears("STOPPING=1")
        assert await asyncio.wait_for(actor.wait(), 30) == Exit.OK
    listener.close()
    assert heard.index("READY=1") < heard.index("STOPPING=1")


async def test_a_second_signal_ends_it_at_once(world):
    actor = Actor("hard", world, ("bitcoin",))
    silent = Proxy(int(urlsplit(world.settings("bitcoin")["url"]).port))
    server = await asyncio.start_server(silent.serve, "127.0.0.1", 0)
    away = {**world.settings("bitcoin"), "timeout": 120.0}
    port = server.sockets[0].getsockname()[1]
    away["url"] = re.sub(r":\d+$", f":{port}", away["url"].rstrip("/"))
    configure(actor, chains={"bitcoin": away})
    async with running(actor):
        silent.speaking.clear()  # the node takes requests and answers none: a step that takes long

        async def waiting() -> bool:
            os.kill(actor._process.pid, signal.SIGTERM)
            return "stopping" in actor.tail(50)

        await until(waiting)
        os.kill(actor._process.pid, signal.SIGTERM)
        assert await asyncio.wait_for(actor.wait(), 10) == Exit.INTERRUPTED
    silent.speaking.set()
    server.close()
    silent.drop()


async def test_what_cannot_be_cured_by_a_restart_has_its_own_exit_codes(world):
    actor = Actor("codes", world, ("bitcoin",))
    code, document = await command("run", "--config", str(actor.config), "--set", "peer.lsten=127.0.0.1:1")
    assert (code, document["error"]["type"]) == (Exit.CONFIG, "BadConfig")
    actor.settings.party.passphrase_file.write_text("wrong")
    code, document = await command("run", "--config", str(actor.config))
    assert (code, document["error"]["type"]) == (Exit.CONFIG, "WrongPassphrase")
