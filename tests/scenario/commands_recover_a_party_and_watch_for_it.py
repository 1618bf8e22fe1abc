"""`strikelock recover --words` after kill -9 and the loss of every file but the descriptors, and `strikelock
tower` with a package from `tower export`: as an operator would, in processes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import pytest

from settlement import seed as seeds
from tests.processes import PACE, duel

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

STEPS = 300
SECONDS = 4  # of the world in a step


async def command(*words: str, stdin: str = "") -> tuple[int, dict, str]:
    """A command's exit code, document and stderr."""
    process = await _start(*words)
    out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 120)
    return process.returncode or 0, json.loads(out), err.decode()


async def _start(*words: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relayer.cli", *words), stdin=pipe, stdout=pipe, stderr=pipe
    )


@pytest.mark.parametrize(
    ("backup", "pair", "more"),
    [
        ("file", "bitcoin/evm", ()),
        ("chain", "bitcoin/evm", ("--from-chain",)),
        ("chain", "bitcoin/litecoin", ("--from-chain",)),
    ],
)
async def test_recover_from_the_words_typed_in(world, monkeypatch, backup, pair, more):
    words = [seeds.new_words() for _ in range(2)]
    left = iter(words)
    monkeypatch.setattr(seeds, "new_words", lambda: next(left))
    async with duel(world, f"typed-{backup}", "swap", pair, backup) as play:
        await play.agree()

        async def funded() -> bool:
            return await play.signed(1, "y", "fund")

        await play.until(funded)
        victim = play.actors[0]
        await victim.kill()
        assert (victim.folder / "backup").exists() is (backup == "file")
        for file in victim.folder.iterdir():
            if file.name.startswith(("strikelock.db", "seed")):
                file.rename(file.with_name("burnt-" + file.name))
        run = asyncio.create_task(
            command("recover", "--words", *more, "--config", str(victim.config), "--json", stdin=words[0] + "\n")
        )
        for _ in range(STEPS):
            if run.done():
                break
            await asyncio.sleep(PACE)
            await world.step(SECONDS)
        code, document, err = await run
        assert code == 0, err
        assert document["complete"]
        (deal,) = document["deals"]
        assert (deal["deal"], deal["outcome"], deal["limited"]) == (play.deal, "refunded", True)
        assert deal["legs"]["x"]["path"] == "refund"
        assert f"{play.deal}  x funded" in err
        assert words[0].split()[0] not in err


async def test_a_tower_in_a_process(world):
    async with duel(world, "watched", "swap") as play:
        await play.agree()

        async def funded() -> bool:
            return await play.signed(0, "x", "fund")

        await play.until(funded)
        await world.step()
        victim, keeper = play.actors
        await victim.stop()
        await keeper.stop()
        out = keeper.folder / "packages" / "x.tower.json"
        config = str(victim.config)
        code, made, err = await command(
            "tower", "export", play.deal, "--out", str(out), "--config", config, "--json"
        )
        assert code == 0, err
        assert {(one["leg"], one["path"]) for one in made["spends"]} == {("x", "refund")}
        code, checked, err = await command("tower", "check", str(out), "--config", str(keeper.config), "--json")
        assert code == 0, err
        assert len(checked["spends"]) == len(made["spends"]) > 3
        process = await _start("tower", "--config", str(keeper.config), "--json")
        try:
            for _ in range(STEPS):
                await asyncio.sleep(PACE)
                await world.step(SECONDS)
                seen = await play.parties[0].observe(play.deal)
                if getattr(seen.view.legs["x"], "path", None) == "refund":
                    break
            assert seen.view.legs["x"].path == "refund"
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0
