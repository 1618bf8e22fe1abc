"""Validators and relayers as processes: one of three validators lies, one of three endpoints lies, processes are
killed at every step and paused, and each message is delivered once all the same."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from chains.evm.messaging import calls
from relayer.exits import Exit
from relayer.loading import load
from relayer.messages.signatures import ASK_SECONDS
from relayer.testing.lanes import NAME, LaneWorld
from tests.relayer import lying
from tests.relayer.test_lanes_on_nodes import free_port, is_delivered, member, until

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]

DYING = str(Path(__file__).parent.parent / "dying_relayer.py")
LYING = str(Path(__file__).parent.parent / "lying_validator.py")
READY_SECONDS = 60


class Process:
    """A strikelock process, and the end of its log."""

    def __init__(self, *words: str, program: tuple[str, ...] = ("-m", "relayer.cli"), log: Path) -> None:
        self.words, self.program, self.log = words, program, log
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> dict:
        """Start it, and wait until it says that it is ready."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, *self.program, *self.words, "--json"),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        text = ""
        async with asyncio.timeout(READY_SECONDS):
            async for line in self.process.stdout:
                text += line.decode()
                try:
                    return json.loads(text)
                except ValueError:
                    continue
        raise AssertionError(f"{self.words} ended: {self.log.read_text()[-2000:]}")

    async def wait(self) -> int:
        return await asyncio.wait_for(self.process.wait(), 60)

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.returncode is None:
            os.kill(self.process.pid, number)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self.process is not None:
            await self.process.wait()


@asynccontextmanager
async def process(*words: str, log: Path, **options) -> AsyncIterator[Process]:
    made = Process(*words, log=log, **options)
    try:
        yield made
    finally:
        await made.kill()


@pytest.fixture
async def world(anvil_factory, tmp_path):
    return await LaneWorld.make(await anvil_factory(), await anvil_factory(), tmp_path)


@asynccontextmanager
async def validators(world: LaneWorld, places, *endpoints: str, how: str = "") -> AsyncIterator[list[str]]:
    """Members as processes, honest ones unless `how` says what they do; their URLs."""
    async with AsyncExitStack() as stack:
        urls = []
        for place in places:
            port = free_port()
            file = world.validator(place, port, endpoints)
            words = ([how] if how else []) + ["validator", "start", "--config", str(file)]
            program = {"program": (LYING,)} if how else {}
            made = process(*words, log=world.folder / f"validator-{place}.log", **program)
            await (await stack.enter_async_context(made)).start()
            urls.append(f"http://127.0.0.1:{port}")
        yield urls


async def relayer_file(world: LaneWorld, urls, name="relayer", **tables) -> str:
    file = world.relayer(name, urls, **tables)
    await world.endow(load(file))
    return str(file)


async def indexes(world: LaneWorld) -> list[int]:
    """The indexes of all deliveries."""
    query = {"address": world.inbox, "topics": [calls.DELIVERED], "fromBlock": "0x0", "toBlock": "latest"}
    return sorted(calls.read_delivered(log).index for log in await world.there.rpc("eth_getLogs", query))


async def ask(*words: str, config: str, code: int = 0) -> dict:
    """What a command says."""
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relayer.cli", *words, "--config", config, "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(made.communicate(), 60)
    assert made.returncode == code, err.decode()
    return json.loads(out)


async def test_a_lying_signer_and_a_lying_endpoint_stop_nothing(world):
    """Four members, three of them running, each a process: two honest ones, each with a lying endpoint among
    three, and a liar are no quorum; with the third honest one they are."""
    async with lying.lying(world.here.url, lying.other_roots) as node:
        endpoints = (node.url, world.here.url, world.here.url)
        async with AsyncExitStack() as stack:
            urls = await stack.enter_async_context(validators(world, (0, 1), *endpoints))
            (liar,) = await stack.enter_async_context(validators(world, (3,), how="lies"))
            late = free_port()
            config = await relayer_file(world, [liar, *urls, f"http://127.0.0.1:{late}"])
            log = world.folder / "relayer.log"
            relayer = await stack.enter_async_context(process("relayer", "start", "--config", config, log=log))
            await relayer.start()
            await world.send(3)
            await world.finalise(world.here)

            async def accused() -> bool:
                return member(world, 3) in log.read_text()

            await until(accused)
            assert await world.delivered(3) == 0  # two honest signatures of three that are needed
            third = world.validator(2, late, endpoints)
            made = process("validator", "start", "--config", str(third), log=world.folder / "validator-2.log")
            await (await stack.enter_async_context(made)).start()
            await until(lambda: is_delivered(world, 3))
    assert await indexes(world) == [0, 1, 2]


@pytest.mark.parametrize("how", ["keeps-one-waiting", "talks-nonsense"])
async def test_a_signer_that_wastes_time_holds_nobody_up(world, how):
    async with validators(world, (0, 1, 2)) as urls, validators(world, (3,), how=how) as strange:
        config = await relayer_file(world, [*strange, *urls])
        async with process("relayer", "start", "--config", config, log=world.folder / "relayer.log") as relayer:
            await relayer.start()
            for count in range(1, 4):
                await world.send(1)
                await world.finalise(world.here)
                await until(partial(is_delivered, world, count), ASK_SECONDS - 1)


async def test_a_signer_of_two_roots_halts_the_lane_until_somebody_has_looked(world):
    """Two of the three signatures that are needed: all are asked again and again. Then two more members come."""
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(validators(world, (0,)))
        urls += await stack.enter_async_context(validators(world, (3,), how="says-two-things"))
        late = [free_port() for _ in range(2)]
        config = await relayer_file(world, [*urls, *(f"http://127.0.0.1:{port}" for port in late)])
        log = world.folder / "relayer.log"
        relayer = await stack.enter_async_context(process("relayer", "start", "--config", config, log=log))
        await relayer.start()
        await world.send(1)
        await world.finalise(world.here)

        async def halted() -> bool:
            lane = (await ask("query", "lanes", config=config))[NAME]
            return f"{member(world, 3)} signed two roots" in str(lane["halted"])

        await until(halted)
        assert not (await ask("relayer", "health-check", config=config, code=Exit.UNHEALTHY))["ready"]
        for place, port in zip((1, 2), late, strict=True):
            file = world.validator(place, port)
            made = process(
                "validator", "start", "--config", str(file), log=world.folder / f"validator-{place}.log"
            )
            await (await stack.enter_async_context(made)).start()
        await world.finalise(world.here)
        assert await world.delivered(1) == 0
        await ask("relayer", "resume", NAME, config=config)
        await until(partial(is_delivered, world, 1))


@pytest.mark.parametrize("where", ["before-read", "after-read", "after-proved", "before-stored", "after-stored"])
async def test_a_relayer_dies_at_a_step_and_goes_on(world, where):
    await _die(world, where)


@pytest.mark.parametrize("where", ["before-sent", "after-sent", "after-settled"])
async def test_a_relayer_dies_around_sending_and_goes_on(world, where):
    await _die(world, where)


async def _die(world: LaneWorld, where: str) -> None:
    async with validators(world, (0, 1, 2)) as urls:
        config = await relayer_file(world, urls)
        await world.send(3)
        await world.finalise(world.here)
        words = ("relayer", "start", "--config", config)
        async with process(where, *words, program=(DYING,), log=world.folder / "dying.log") as first:
            with suppress(AssertionError):  # it may die before it is ready
                await first.start()
            await world.there.mine(4)  # so that a delivery may be settled

            async def over() -> bool:
                await world.there.mine(1)
                return first.process.returncode is not None

            await until(over)
            assert await first.wait() == -signal.SIGKILL
        async with process(*words, log=world.folder / "again.log") as second:
            await second.start()
            await until(lambda: is_delivered(world, 3))
    assert await indexes(world) == [0, 1, 2]


@pytest.mark.parametrize("where", ["before-voted", "after-voted"])
async def test_a_validator_dies_at_its_vote_and_signs_nothing_else(world, where):
    await world.send(2)
    await world.finalise(world.here)
    file = str(world.validator(0, free_port()))
    words = ("validator", "start", "--config", file)
    async with process(where, *words, program=(DYING,), log=world.folder / "dying.log") as first:
        with suppress(AssertionError):  # it may die before it is ready
            await first.start()
        assert await first.wait() == -signal.SIGKILL
    folder = load(Path(file)).validator.folder
    async with process(*words, log=world.folder / "again.log") as second:
        await second.start()

        async def left() -> bool:
            return len(list(folder.glob("*.json"))) == 1

        await until(left)
    (claim,) = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    data = {"to": world.outbox, "data": "0x" + calls.checkpoint_call(world.lane.id).hex()}
    assert claim["root"][2:] == (await world.here.rpc("eth_call", data, "latest"))[66:]


async def test_a_paused_relayer_that_wakes_does_no_harm(world):
    async with validators(world, (0, 1, 2)) as urls:
        config = await relayer_file(world, urls)
        other = await relayer_file(world, urls, "other")
        async with AsyncExitStack() as stack:
            words = ("relayer", "start", "--config", config)
            first = await stack.enter_async_context(process(*words, log=world.folder / "first.log"))
            await first.start()
            await world.send(2)
            await world.finalise(world.here)
            await until(lambda: is_delivered(world, 2))
            first.signal(signal.SIGSTOP)
            words = ("relayer", "start", "--config", other)
            second = await stack.enter_async_context(process(*words, log=world.folder / "second.log"))
            await second.start()
            await world.send(2)
            await world.finalise(world.here)
            await until(lambda: is_delivered(world, 4))
            first.signal(signal.SIGCONT)
            await world.send(2)
            await world.finalise(world.here)
            await until(lambda: is_delivered(world, 6))
    assert await indexes(world) == list(range(6))


async def test_verbs_of_operators(world):
    async with validators(world, (0, 1, 2)) as urls:
        config = await relayer_file(world, urls)
        await world.send(2)
        await world.finalise(world.here)

        asked = partial(ask, config=config)
        assert (await asked("query", "pending"))[NAME]["pending"] == 2
        await asked("relayer", "pause", NAME)
        assert (await asked("query", "lanes"))[NAME]["paused"] is True
        assert not (await asked("relayer", "health-check", code=Exit.UNHEALTHY))["ready"]
        await asked("relayer", "clear")
        assert await world.delivered(2) == 0  # paused
        await asked("relayer", "resume", NAME)
        assert (await asked("relayer", "clear"))[NAME]["pending"] == 0
        assert await world.delivered(2) == 2
        assert (await asked("relayer", "health-check"))["ready"]
        logs = await world.here.rpc(
            "eth_getLogs",
            {"address": world.outbox, "topics": [calls.SENT], "fromBlock": "0x0", "toBlock": "latest"},
        )
        found = await asked("query", "message", logs[0]["topics"][2])
        assert (found["state"], found["index"]) == ("delivered", 0)
        missing = await asked("query", "message", "0x" + "01" * 32, code=1)
        assert missing["error"]["type"] == "NoSuchMessage"
        wrong = await asked("relayer", "pause", "nowhere", code=1)
        assert wrong["error"]["type"] == "NoSuchLane"
        nothing = await asked("relayer", "retry", logs[0]["topics"][2], code=1)
        assert nothing["error"]["error"] == "NotFailed"
