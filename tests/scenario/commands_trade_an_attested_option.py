"""By hand: a writer proposes an attested option with the command line and the holder exercises it. Three attesters
are processes of their own; one that the parties don't name is refused."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack

import pytest

from relayer.demo.plot import CHAIN_PAIRS
from relayer.party import Party
from relayer.testing.actors import Actor, AttesterActor

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]

CHAINS = CHAIN_PAIRS["bitcoin/evm"]
STEPS = 300
PACE = 0.3  # real seconds that processes get for a step


async def command(actor: Actor, *words: str, code: int = 0) -> dict:
    """A command of this party, its document."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relayer.cli", *words, "-c", str(actor.config), "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == code, err.decode()
    return json.loads(out)


async def test_from_proposal_to_exercise(world):
    async with AsyncExitStack() as stack:
        quorum = [AttesterActor(f"by-hand-attester-{number}", world, CHAINS) for number in range(3)]
        urls = {attester.member: attester.url for attester in quorum}
        writer, holder = (Actor(f"by-hand-{role}", world, CHAINS, attesters=urls) for role in ("writer", "holder"))
        for actor in (writer, holder):
            async with Party.open(actor.settings, drive=False) as party:
                for chain, wallet in party.wallets.items():
                    await world.endow(chain, wallet.address)
        await world.step()
        for actor in (*quorum, writer, holder):
            stack.push_async_callback(actor.kill)
        await asyncio.gather(*(actor.start() for actor in (*quorum, writer, holder)))

        legs = ("--collateral", "bitcoin/native:500000", "--premium", "evm/TEST:1000000")
        offer = ("deal", "propose", "option", "--peer", holder.url, *legs, "--strike", "evm/TEST:30000000")
        attested = (*offer, "--life", "60", "--exercise", "attested")
        stranger = "02" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        refused = await command(writer, *attested, "--quorum", stranger, code=1)
        assert stranger in refused["error"]["message"]
        proposed = await command(writer, *attested)
        assert (proposed["protocol"], proposed["state"]) == ("attested", "agreed")
        assert "let the holder take the collateral" in proposed["quorum"]["trust"]
        deal = proposed["deal"]
        await command(holder, "deal", "exercise", deal)

        stores = [await stack.enter_async_context(await actor.read()) for actor in (writer, holder)]

        async def closed() -> bool:
            found = [await store.history() for store in stores]
            return all(deals and deals[0].outcome is not None for deals in found)

        for _ in range(STEPS):
            if await closed():
                break
            await asyncio.sleep(PACE)
            await world.step()
        for actor in (writer, holder):
            shown = await command(actor, "deal", "show", deal)
            assert shown["outcome"] == "exercised", actor.tail()
            assert shown["quorum"]["members"] == sorted(urls)
            assert shown["quorum"]["threshold"] == 3
        listed = await command(holder, "deal", "list", "--all")
        assert [one["deal"] for one in listed["deals"]] == [deal]
