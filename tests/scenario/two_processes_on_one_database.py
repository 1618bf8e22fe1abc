"""A second process on a party's database refuses at once, in words, and the first does not notice."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from htlc.protocols.base import Will
from relayer.demo.plot import CHAIN_PAIRS
from relayer.exits import Exit
from tests.matrix import shared
from tests.processes import duel

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]


# The command, the deal, and whose database it is.
SHARE = [
    ("run", "swap", "bitcoin/evm", 0),
    ("recover", "option", "bitcoin/litecoin", 1),
    ("run", "option", "evm/evm", 0),
    ("recover", "swap", "litecoin/evm", 1),
]
WHOLE = [
    (command, protocol, pair, who)
    for command in ("run", "recover")
    for protocol in ("swap", "option")
    for pair in CHAIN_PAIRS
    for who in (0, 1)
]
OUTCOMES = {"option": "exercised", "swap": "swapped"}


@pytest.mark.parametrize(("command", "protocol", "pair", "who"), shared(SHARE, WHOLE))
async def test_the_second_refuses(world, command, protocol, pair, who):
    async with duel(world, f"twice-{command}-{who}", protocol, pair) as play:
        await play.agree()
        await play.parties[1].store.resolve(play.deal, Will(exercise=True))
        actor = play.actors[who]

        async def backed_up() -> bool:
            return any(actor.settings.backup.folder.glob("*.deal.json"))

        await play.until(backed_up)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "relayer.cli", command, "--config", str(actor.config), "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == Exit.IN_USE
        error = json.loads(out)["error"]
        assert error["type"] == "DatabaseInUse"
        assert error["pid"] == actor._process.pid
        assert str(actor._process.pid) in err.decode()
        assert actor.running
        assert await play.settle() == OUTCOMES[protocol]
