"""schemathesis plays with the document that a party serves, and finds nothing that is not as the document says."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from relayer.api.asks import TokenBody
from relayer.testing.actors import free_port
from tests.relayer.api.trading import Market

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]

HOOKS = Path(__file__).with_name("fuzzing.py")
EXAMPLES = 6  # of each operation, besides some hundreds that its bounds give
SECONDS = 200  # it takes 25 where nothing else runs


async def _fuzz(market: Market, scope: str) -> str:
    """Run it against the holder's API; its words where it finds something, else ""."""
    api = market.holder.api
    fresh = await api.new_token(TokenBody.model_validate({"name": f"fuzz {scope}", "scope": scope}))
    known = {
        "deal": await market.agree(),
        "proposal": await market.offer(),
        "chain": "bitcoin",
        "leg": "collateral",
        "lane": "there",
        "message": "ab" * 32,
        "token": fresh.token.id,
        "offer": (await market.writer.api.publish(market.shelf())).id,
        "taking": "cd" * 32,
        "maker": f"{market.writer.daemon.party.identity}@{market.writer.actor.url}",
        "peer": f"{market.writer.daemon.party.identity}@http://127.0.0.1:{free_port()}",
    }
    words = (
        *("run", f"{market.holder.url}/openapi.json", "--header", f"Authorization: Bearer {fresh.secret}"),
        *("--checks", "all", "--phases", "coverage,fuzzing", "--max-examples", str(EXAMPLES), "--no-shrink"),
        *("--generation-deterministic", "--no-color", "--continue-on-failure", "--suppress-health-check", "all"),
        *("--exclude-path", "/v1/events"),  # which never ends
    )
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), *words),
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS), "STRIKELOCK_FUZZ": json.dumps(known)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=market.world.folder,
    )
    try:
        async with asyncio.timeout(SECONDS):
            text, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    said = text.decode(errors="replace")
    assert "Test cases:" in said or process.returncode, said[-3000:]
    return said if process.returncode else ""


async def test_nothing_is_found(market):
    found = await _fuzz(market, "trade")
    assert not found, found[-20_000:]
    assert (await market.holder.api.party()).live
