"""Commands through a daemon's API say and do the same as without."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from relayer.api.asks import TokenBody
from tests.relayer.api.trading import TOKEN, Market, until

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(240)]


async def strikelock(*words: str, token: str = "") -> tuple[int, dict[str, Any], str]:
    """Run a command; its exit code, document and stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relayer.cli", *words, "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
        env={**os.environ, "STRIKELOCK_TOKEN": token},
    )
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    return int(process.returncode or 0), json.loads(out), err.decode()


async def done(*words: str, token: str = "") -> dict[str, Any]:
    code, document, said = await strikelock(*words, token=token)
    assert code == 0, (document, said)
    return document


def leg(market: Market, chain: str, units: int) -> str:
    return f"{chain}/{market.leg(chain, units)['asset']}:{units}"


async def test_a_proposal_by_commands_at_the_socket(market):
    writer, holder = (("-c", str(one.actor.config)) for one in (market.writer, market.holder))
    made = await done(
        *("deal", "propose", "option", "--peer", market.holder.actor.url, "--life", "144000", *writer),
        *("--collateral", leg(market, "bitcoin", 10**7), "--strike", leg(market, "evm", 6000 * TOKEN)),
        *("--premium", "auto", "--spot", "60000", "--vol", "0.6"),
    )
    assert (made["state"], made["sent"]) == ("offered", True)
    waiting = (await done("deal", "list", *holder))["proposals"]
    assert [one["proposal"] for one in waiting] == [made["proposal"]]
    assert (await done("deal", "accept", "--refuse", made["proposal"], *holder))["state"] == "refused"


async def test_a_deal_by_commands_at_the_socket(market):
    holder = ("-c", str(market.holder.actor.config))
    deal = await market.agree()
    watching = asyncio.create_task(strikelock("deal", "watch", deal, *holder))
    stepping = asyncio.create_task(until(market.world, lambda: _over(watching)))
    listed = (await done("deal", "list", *holder))["deals"]
    assert [one["deal"] for one in listed] == [deal]
    assert (await done("deal", "exercise", deal, *holder))["will"]["exercise"] is True
    code, document, said = await watching
    await stepping
    assert (code, document["outcome"]) == (0, "exercised")
    assert "collateral funded" in said
    assert (await done("deal", "list", *holder))["deals"] == []
    assert [one["deal"] for one in (await done("deal", "list", "--all", *holder))["deals"]] == [deal]

    shown = await done("deal", "show", deal, *holder)
    assert shown["outcome"] == "exercised"
    assert shown["legs"]["strike"]["amount"] == 6000 * TOKEN


async def test_offers_by_commands_at_the_socket(market):
    writer, holder = (("-c", str(one.actor.config)) for one in (market.writer, market.holder))
    peer = ("--peer", market.writer.actor.url)
    made = await done(
        *("offer", "publish", "--underlying", leg(market, "bitcoin", 10**7), "--life", "200000"),
        *(
            "--strike",
            leg(market, "evm", 600 * TOKEN),
            "--premium",
            str(20 * TOKEN),
            "--least",
            str(10**6),
            *writer,
        ),
    )
    assert (made["size"], made["remaining"], made["withdrawn_at"]) == (10**7, 10**7, None)
    (seen,) = (await done("offer", "list", *peer, *holder))["offers"]
    assert seen["offer"] == made["offer"]
    assert "spot" not in seen
    quoted = await done("offer", "quote", made["offer"], *peer, "--size", str(2 * 10**6), *holder)
    assert quoted["premium"] == 4 * TOKEN
    size, limit = ("--size", str(2 * 10**6)), ("--limit", str(4 * TOKEN))
    taken = await done("offer", "take", made["offer"], *peer, *size, *limit, *holder)
    assert (taken["ours"], taken["size"]) == (True, 2 * 10**6)
    shown = await done("offer", "show", made["offer"], *writer)
    assert shown["remaining"] == 8 * 10**6
    assert [one["taking"] for one in shown["takings"]] == [taken["taking"]]
    assert (await done("offer", "withdraw", made["offer"], *writer))["withdrawn_at"] is not None
    assert (await done("offer", "list", *writer))["offers"] == []


async def _over(task: asyncio.Task[Any]) -> bool:
    return task.done()


async def test_commands_with_a_token_from_anywhere(market, tmp_path):
    fresh = await market.holder.api.new_token(TokenBody(name="a reader", scope="read"))
    at = ("--api", market.holder.url, "-c", str(tmp_path / "no such configuration"))
    assert "deals" in await done("deal", "list", *at, token=fresh.secret)
    code, document, _ = await strikelock("deal", "refund", "0" * 32, *at, token=fresh.secret)
    assert (code, document["error"]["status"]) == (1, 403)
    code, document, _ = await strikelock("deal", "list", *at)
    assert (code, document["error"]["type"]) == (1, "ApiRefused")


async def test_tokens_by_commands(market):
    config = ("-c", str(market.writer.actor.config))
    made = await done("token", "new", "a program", "--scope", "read", "--days", "1", *config)
    at = ("--api", market.writer.url, *config)
    assert "deals" in await done("deal", "list", *at, token=made["secret"])
    await done("token", "revoke", made["id"], *config)
    listed = {one["id"]: one for one in (await done("token", "list", *config))["tokens"]}
    assert listed[made["id"]]["good"] is False
    assert "secret" not in listed[made["id"]]
    code, document, _ = await strikelock("deal", "list", *at, token=made["secret"])
    assert (code, document["error"]["status"]) == (1, 401)
    code, document, _ = await strikelock("token", "revoke", "0" * 16, *config)
    assert (code, document["error"]["type"]) == (1, "NoSuchToken")
