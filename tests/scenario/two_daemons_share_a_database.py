"""Two daemons of one party share a database: whichever is killed or stopped, whenever, the other goes on, nothing
is lost, and nothing is done twice."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from chains.port import TxPhase
from htlc.protocols.base import Will
from relayer.demo.plot import CHAIN_PAIRS
from relayer.testing.actors import Actor
from tests.matrix import shared
from tests.sharing import SharedDuel, pause, resume, shared_duel

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

STOPPING = (sys.executable, str(Path(__file__).parent.parent / "stopping_before_commit.py"))
OUTCOMES = {"option": "exercised", "swap": "swapped"}
PATIENCE = 60.0  # real seconds, many leases long


async def soon(what: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something in real time, while the world stands still."""
    async with asyncio.timeout(PATIENCE):
        while not await what():  # noqa: ASYNC110 - other processes bring it about
            await asyncio.sleep(0.1)


def is_stopped(pid: int) -> bool:
    """As the kernel says (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def others(play: SharedDuel, daemon: Actor) -> Actor:
    return next(one for one in play.daemons if one is not daemon)


async def check_nothing_doubled(play: SharedDuel, *deals: str) -> None:
    """No nonce and no coin was ever signed for two purposes, and nothing was mined twice."""
    purposes, mined = defaultdict(set), []
    for deal in deals or (play.deal,):
        for intent in await play.parties[0].store.intents(deal):
            for claim in intent.tx.claims:
                purposes[intent.tx.chain, claim].add((deal, intent.leg))
            if intent.final is not None and intent.final.phase is TxPhase.MINED:
                mined.append((deal, intent.leg, intent.step))
    assert {claim: found for claim, found in purposes.items() if len(found) > 1} == {}
    assert len(mined) == len(set(mined))


SHARE = [("swap", "bitcoin/evm"), ("option", "bitcoin/evm"), ("option", "evm/evm")]
WHOLE = [(protocol, pair) for protocol in OUTCOMES for pair in CHAIN_PAIRS]


@pytest.mark.parametrize(("protocol", "pair"), shared(SHARE, WHOLE))
async def test_whoever_drives_a_deal_is_killed_at_every_step(world, postgres, protocol, pair):
    """kill -9 after everything that the party signs; the one that was killed before is back by then."""
    async with shared_duel(world, postgres, f"killed-{protocol}", protocol, pair) as play:
        await play.agree()
        await play.second.start()
        await play.parties[1].store.resolve(play.deal, Will(exercise=True))
        victims, known = [], 0

        async def over() -> bool:
            nonlocal known
            found = len(await play.intents())
            holder = await play.holder()
            if found > known and holder is not None:
                known = found
                heir = others(play, holder)
                if not heir.running:
                    await heir.start()
                await holder.kill()
                victims.append(holder)
                await soon(lambda: play.held_by(heir))
            return await play.closed()

        await play.until(over)
        assert set(victims) == set(play.daemons)
        assert await play.settle() == OUTCOMES[protocol]
        await check_nothing_doubled(play)


@pytest.mark.parametrize(("protocol", "pair"), shared([("swap", "bitcoin/evm"), ("option", "evm/evm")], WHOLE))
async def test_a_daemon_that_slept_before_it_stored_finds_itself_fenced(world, postgres, protocol, pair):
    """SIGSTOP between signature and commit, for longer than the lease, while the other one signs its own."""
    async with shared_duel(world, postgres, f"slept-{protocol}", protocol, pair) as play:
        one, two = play.daemons
        one.command = STOPPING
        await play.agree()
        await play.parties[1].store.resolve(play.deal, Will(exercise=True))

        async def stopped() -> bool:
            return is_stopped(one._process.pid)

        await play.until(stopped)
        assert await play.intents() == ()
        await two.start()
        await soon(lambda: play.held_by(two))

        async def signed() -> bool:
            return bool(await play.intents())

        await play.until(signed)
        before = await play.intents()
        resume(one)

        async def dropped() -> bool:
            return "deal dropped" in one.log.read_text()

        await soon(dropped)
        assert await play.intents() == before
        assert await play.held_by(two)
        assert await play.settle() == OUTCOMES[protocol]
        await check_nothing_doubled(play)


MOMENTS = {"swap": [("x", "fund"), ("y", "claim")], "option": [("collateral", "fund"), ("premium", "activate")]}
STOPS = [("swap", "bitcoin/evm", 1), ("option", "bitcoin/evm", 0)]
ALL_STOPS = [(protocol, pair, moment) for protocol in OUTCOMES for pair in CHAIN_PAIRS for moment in (0, 1)]


@pytest.mark.parametrize(("protocol", "pair", "moment"), shared(STOPS, ALL_STOPS))
async def test_a_daemon_that_is_stopped_and_wakes_does_nothing_twice(world, postgres, protocol, pair, moment):
    async with shared_duel(world, postgres, f"stopped-{moment}", protocol, pair) as play:
        await play.agree()
        await play.second.start()
        await play.parties[1].store.resolve(play.deal, Will(exercise=True))

        async def come() -> bool:
            return await play.signed(0, *MOMENTS[protocol][moment])

        await play.until(come)
        sleeper = await play.holder()
        assert sleeper is not None
        pause(sleeper)
        await soon(lambda: play.held_by(others(play, sleeper)))
        for _ in range(3):
            await world.step()
            await asyncio.sleep(0.4)
        resume(sleeper)
        assert await play.settle() == OUTCOMES[protocol]
        await check_nothing_doubled(play)


async def test_two_daemons_drive_many_deals_from_one_wallet(world, postgres):
    """Both sign for one account and one set of coins at once; then one is killed, and the other has all."""
    async with shared_duel(world, postgres, "many", "swap", "bitcoin/evm") as play:
        await asyncio.gather(play.actors[1].start(), *(daemon.start() for daemon in play.daemons))
        deals = [await play.propose() for _ in range(6)]
        play.deal = deals[0]

        async def distributed() -> bool:
            crew = await play.parties[0].store.leases.crew()
            return sorted(len(member.held) for member in crew) == [3, 3]

        await soon(distributed)

        async def funded() -> bool:
            found = [await play.parties[0].store.intents(deal) for deal in deals]
            return all(found)

        await play.until(funded)
        await play.daemons[0].kill()

        async def closed() -> bool:
            stores = [party.store for party in play.parties]
            return None not in [(await store.deal(deal)).outcome for store in stores for deal in deals]

        await play.until(closed)
        outcomes = {(await play.parties[0].store.deal(deal)).outcome for deal in deals}
        assert outcomes == {"swapped"}
        await check_nothing_doubled(play, *deals)
