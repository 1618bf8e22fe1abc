"""What a relayer delivers, and what that costs: two nodes, a database and a validator, all on this machine."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from chains.evm.client import Client
from chains.evm.messaging.message import Message
from chains.evm.messaging.tree import CHUNK, Tree
from chains.testing.anvil import Anvil
from options.bench.machine import describe
from relayer.loading import load
from relayer.messages.relayer import Relayer
from relayer.party import load_seed
from relayer.testing.lanes import DEPTH, NAME, LaneWorld
from relayer.validator.service import Validator
from settlement.spans import Spans
from settlement.store import Store

BATCH = 50
WAIT = 900.0  # seconds for anything here
BULK = 5000  # messages stored at once in preparing a start
QUIET = 0.05  # seconds between two blocks: chains make no three of them at once


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: messages in the backlog, single messages, messages stored before a start."""

    backlog: int = 100_000
    singles: int = 200
    stored: int = 1_000_000


class Counting:
    """Counts the calls of a client, and when deliveries were sent (monotonic seconds)."""

    def __init__(self) -> None:
        self.calls = 0
        self.sent: list[float] = []

    def around(self, clients: Iterable[Client]) -> None:
        """Count the calls of clients from now on."""
        for client in clients:
            client.call = self._counted(client.call)  # type: ignore[method-assign, assignment]

    def _counted(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(method: str, *params: Any) -> Any:
            self.calls += 1
            if method == "eth_sendRawTransaction":
                self.sent.append(time.monotonic())
            return await call(method, *params)

        return counted


async def measure(sizes: Sizes, folder: Path) -> dict[str, Any]:
    """Every figure. Raises what nodes and relayer raise."""
    here, there = Anvil(folder=folder / "here"), Anvil(folder=folder / "there")
    await asyncio.gather(here.start(), there.start())
    try:
        world = await LaneWorld.make(here, there, folder, size=1)
        gas = await _gas_of_a_batch(world)
        backlog = await _backlog(world, sizes.backlog)
        overhead = await _overhead(world, sizes.singles)
    finally:
        await asyncio.gather(here.stop(), there.stop())
    cold = await _cold_start(folder, sizes.stored)
    flags = f"--backlog {sizes.backlog} --singles {sizes.singles} --stored {sizes.stored}"
    return {
        "command": f"strikelock bench relay {flags}",
        "seed": "none: nothing is drawn but keys",
        "gas_per_message": gas,
        **backlog,
        **overhead,
        **cold,
        "machine": describe(),
    }


async def _gas_of_a_batch(world: LaneWorld) -> int:
    """Gas a message in a batch of fifty, with signatures, to an empty recipient."""
    await world.flood(BATCH)
    await world.finalise(world.here)
    async with _running(world, "gas") as (relayer, _):
        await _until(lambda: _delivered(world, BATCH))
        await world.finalise(world.there)
        await _until(lambda: _settled(relayer, BATCH))
        totals = await relayer.store.messages.spent()
    number, gas, _ = totals["there"]
    return gas // (BATCH if number == 1 else BATCH * number)


async def _backlog(world: LaneWorld, count: int) -> dict[str, Any]:
    """Deliver a backlog: messages a second from the start of the relayer until the last is in a block."""
    await world.flood(count)
    await world.finalise(world.here)
    counting = Counting()
    already = BATCH
    started = time.perf_counter()
    async with _running(world, "backlog", counting) as (relayer, _):
        await _until(lambda: _delivered(world, already + count), pause=0.25)
        seconds = time.perf_counter() - started
        calls = counting.calls
        await world.finalise(world.there)
        totals = await relayer.store.messages.spent()
    number, gas, _ = totals.get("there", (0, 0, 0))
    return {
        "backlog": count,
        "messages_per_second": round(count / seconds, 1),
        "rpc_calls_per_message": round(calls / count, 4),
        "batches": number,
        "gas_per_message_in_backlog": gas // count if number else None,
        "peak_resident_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


async def _overhead(world: LaneWorld, count: int) -> dict[str, Any]:
    """From the announcement of the block that makes a message final, as the relayer's connection gets it, to the
    submission of the delivery; one message at a time. Signatures are made in between."""
    counting, took = Counting(), []
    async with _running(world, "backlog", counting, socket_=True) as (relayer, _):
        for _ in range(count):
            await world.send(1)
            await world.here.mine(DEPTH - 2)
            await asyncio.sleep(QUIET)
            before, began = len(counting.sent), time.monotonic()
            await world.here.mine(1)  # with this block it is final
            await _until(partial(_sent, counting, before), pause=0.002)
            announced = relayer.announced_at("here")
            assert began <= announced <= counting.sent[before]  # noqa: S101 - else it measures something else
            took.append(counting.sent[before] - announced)
    took.sort()
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    places = {name: min(len(took) - 1, int(len(took) * share)) for name, share in shares.items()}
    return {"event_to_submission_ms": {name: round(took[at] * 1000, 1) for name, at in places.items()}}


async def _cold_start(folder: Path, count: int) -> dict[str, Any]:
    """Open a relayer on a database with many messages, until it knows its tree and may work."""
    here, there = Anvil(folder=folder / "here2"), Anvil(folder=folder / "there2")
    await asyncio.gather(here.start(), there.start())
    try:
        world = await LaneWorld.make(here, there, folder / "cold", size=1)
        settings = load(world.relayer("cold", ()))
        await _fill(world, str(settings.party.folder / "relay.db"), count)
        started = time.perf_counter()
        async with Relayer.open(settings, load_seed(settings)) as relayer:
            seconds = time.perf_counter() - started
            stored = relayer.runners[NAME].stored
    finally:
        await asyncio.gather(here.stop(), there.stop())
    return {"stored": stored, "cold_start_seconds": round(seconds, 3)}


async def _fill(world: LaneWorld, path: str, count: int) -> None:
    """Store messages as if they had been read, all of them delivered but the last thousand."""
    tree = Tree()
    async with await Store.open(path, drive=True) as store:
        await store.messages.open_lane(world.lane, NAME)
        for start in range(0, count, BULK):
            part = [
                (
                    100 + i // 100,
                    Message(world.lane, i, world.recipient, world.recipient, 100_000, i.to_bytes(32, "big")),
                )
                for i in range(start, min(start + BULK, count))
            ]
            roots = {}
            for _, message in part:
                tree.append(message.id)
                if tree.count % CHUNK == 0:
                    roots[tree.count // CHUNK - 1] = tree.levels[0][-1]
            await store.messages.add(world.lane.id, part, roots, f"searched:{NAME}", Spans())
        await store.messages.put_spans(f"settled:{NAME}", Spans([(0, max(0, count - 1000))]))


def _message(world: LaneWorld, index: int) -> Message:
    return Message(world.lane, index, world.recipient, world.recipient, 100_000, index.to_bytes(32, "big"))


# --- running


@asynccontextmanager
async def _running(
    world: LaneWorld, name: str, counting: Counting | None = None, socket_: bool = False
) -> AsyncIterator[tuple[Relayer, Validator]]:
    """A validator and a relayer that carries."""
    port = _free_port()
    urls = [node.url.replace("http://", "ws://") if socket_ else node.url for node in (world.here, world.there)]
    chains = {"here": world.chain("here", urls[0]), "there": world.chain("there", urls[1])}
    signing = load(world.validator(0, port, urls[:1] * 3))
    tables: dict[str, Any] = {"chains": chains}
    settings = load(world.relayer(name, [f"http://127.0.0.1:{port}"], **tables))
    await world.endow(settings)
    stop = asyncio.Event()
    async with (
        Validator.open(signing, load_seed(signing)) as validator,
        Relayer.open(settings, load_seed(settings)) as relayer,
    ):
        if counting is not None:
            counting.around(relayer.clients())
        async with asyncio.TaskGroup() as group:
            group.create_task(validator.run(stop))
            group.create_task(relayer.run(stop))
            try:
                yield relayer, validator
            finally:
                stop.set()


async def _delivered(world: LaneWorld, count: int) -> bool:
    return await world.delivered(count) == count


async def _settled(relayer: Relayer, count: int) -> bool:
    return relayer.runners[NAME].state.settled.size >= count


async def _sent(counting: Counting, before: int) -> bool:
    return len(counting.sent) > before


async def _until(check: Callable[[], Awaitable[bool]], pause: float = 0.05) -> None:
    async with asyncio.timeout(WAIT):
        while True:
            if await check():
                return
            await asyncio.sleep(pause)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
