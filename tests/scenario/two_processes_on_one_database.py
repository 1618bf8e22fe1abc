"""A second process on a party's database refuses at once, in words, and the first does not notice."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from relayer.exits import Exit
from tests.processes import duel

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("command", ["run", "recover"])
async def test_the_second_refuses(world, command):
    async with duel(world, f"twice-{command}", "swap") as play:
        await play.agree()
        actor = play.actors[0]

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
        assert await play.settle() == "swapped"
