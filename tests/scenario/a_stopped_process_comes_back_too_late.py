"""A process is stopped (SIGSTOP) past the last moment at which it may show its secret, and goes on: what it had in
mind is too late, it shows nothing, and nobody loses more than fees."""

from __future__ import annotations

import os
import signal

import pytest

from htlc.protocols.base import Will
from relayer.demo.plot import CHAIN_PAIRS
from tests.matrix import shared
from tests.processes import duel

LONG = 6  # seconds of the world in a step while one party is stopped

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

# who is stopped, when (who, leg, step) was signed, until this deadline's margin; and what comes of it
CASES = {
    "claim": ("swap", 0, (1, "y", "fund"), "y", "refunded"),
    "activation": ("option", 0, (1, "strike", "fund"), "premium", "abandoned"),
    "exercise": ("option", 1, (0, "premium", "activate"), "expiry", "expired"),
}
SHARE = [
    ("bitcoin/evm", "claim"),
    ("evm/evm", "exercise"),
    ("litecoin/evm", "activation"),
    ("bitcoin/litecoin", "exercise"),
]
WHOLE = [(pair, case) for pair in CHAIN_PAIRS for case in CASES]


@pytest.mark.parametrize(("pair", "case"), shared(SHARE, WHOLE))
async def test_it_shows_nothing_after_the_margin(world, pair, case):
    protocol, who, moment, deadline, outcome = CASES[case]
    async with duel(world, f"stopped-{case}", protocol, pair) as play:
        await play.agree()

        async def come() -> bool:
            return await play.signed(*moment)

        await play.until(come)
        pid = play.actors[who]._process.pid
        os.kill(pid, signal.SIGSTOP)
        await play.parties[who].store.resolve(play.deal, Will(exercise=True))
        deal = await play.parties[who].store.deal(play.deal)
        leg = deal.terms.legs.get(deadline)
        margin = deal.terms.times[deadline] - (deal.guards.reach(leg.chain) if leg else 0)
        try:

            async def past() -> bool:
                return world.time > margin

            await play.until(past, LONG)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert await play.settle() == outcome
