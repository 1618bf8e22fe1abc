"""A process is stopped after it has decided to show its secret and before it signs that, and goes on past the last
moment for it: it drops the plan, and nobody loses more than fees."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from htlc.protocols.base import Will
from relayer.demo.plot import CHAIN_PAIRS
from tests.matrix import shared
from tests.processes import duel

LONG = 6  # seconds of the world in a step while one party is stopped

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

STOPPING = (sys.executable, str(Path(__file__).parent.parent / "stopping.py"))
# The deal, who is stopped before it spends which leg, and what comes of it.
CASES = {
    "claim": ("swap", 0, "y", "refunded"),
    "activation": ("option", 0, "premium", "abandoned"),
    "exercise": ("option", 1, "collateral", "expired"),
}
SHARE = [
    ("bitcoin/evm", "exercise"),
    ("bitcoin/litecoin", "claim"),
    ("evm/evm", "activation"),
    ("litecoin/evm", "claim"),
]
WHOLE = [(pair, case) for pair in CHAIN_PAIRS for case in CASES]
STEPS = {"claim": "claim", "activation": "activate", "exercise": "exercise"}


def is_stopped(pid: int) -> bool:
    """As the kernel says (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize(("pair", "case"), shared(SHARE, WHOLE))
async def test_the_plan_is_dropped(world, pair, case):
    protocol, who, leg, outcome = CASES[case]
    async with duel(world, f"midst-{case}", protocol, pair) as play:
        play.actors[who].command = STOPPING
        await play.agree()
        await play.parties[who].store.resolve(play.deal, Will(exercise=True))
        pid = play.actors[who]._process.pid

        async def stopped() -> bool:
            return is_stopped(pid)

        await play.until(stopped)
        deal = await play.parties[who].store.deal(play.deal)
        margin = deal.terms.times[leg] - deal.guards.reach(deal.terms.legs[leg].chain)

        async def past() -> bool:
            return world.time > (max(margin, deal.terms.times["expiry"]) if case == "exercise" else margin)

        await play.until(past, LONG)
        os.kill(pid, signal.SIGCONT)
        assert await play.settle() == outcome
        assert not await play.signed(who, leg, STEPS[case])
        assert "StalePlan" in play.actors[who].tail(400) or "made anew" in play.actors[who].tail(400)
