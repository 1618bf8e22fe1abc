"""A maker offers a call; takers take parts of it. Each part is an option of its own: one is exercised, one is not.
Who takes and never pays holds little, for a while, and nothing of it for good."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack

import pytest

from relayer.demo.plot import CHAIN_PAIRS
from relayer.party import Party
from relayer.testing.actors import Actor
from settlement.errors import RefusedByPeer
from settlement.offers import Conditions, Fixed, Place
from settlement.taker import Maker
from settlement.takings import TakingState
from tests.stage import LIFE, Player, flows, fold, stage

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]

CHAINS = CHAIN_PAIRS["bitcoin/evm"]
LEGS = {"collateral": "bitcoin", "premium": "evm", "strike": "evm"}
UNIT = 10**6  # satoshis
SIZE = 10 * UNIT
STRIKE = 600 * 10**6 + 1  # so that a part's share is no whole number
PREMIUM = 20 * 10**6 + 1
SPARE = 200  # seconds from the quote to the start of the option's life, besides what the ladder wants
STEPS = 300
PACE = 0.3  # real seconds that processes get for a step


def maker_of(player: Player) -> Maker:
    return Maker(player.party.identity, player.party.agreement.url)


async def offered(maker: Player, **changes):
    """A call on ten parts, published."""
    soonest = maker.party.ladder("option", LEGS, LIFE)["expiry"]
    now = int(maker.party.clock.now())
    values = {
        "kind": "call",
        "role": "writer",
        "networks": {},
        "underlying": Place("bitcoin", "native"),
        "money": Place("evm", "TEST"),
        "size": SIZE,
        "least": UNIT,
        "step": UNIT,
        "strike": STRIKE,
        "premium": Fixed(PREMIUM),
        "expiry": soonest + SPARE,
        "until": now + SPARE,
        **changes,
    }
    return (await maker.party.shop.publish(Conditions(**values))).offer


async def take(taker: Player, maker: Player, offer, size: int):
    quoted = await taker.party.taker.quote(maker_of(maker), offer, size)
    return await taker.party.taker.take(maker_of(maker), quoted)


async def gain(writer: Player, deal: str) -> dict[str, int]:
    """What a deal that is over brought its writer."""
    found = await writer.party.store.deal(deal)
    return flows(found.terms, str(found.outcome))["writer"]


async def test_one_part_is_exercised_and_another_lapses(world):
    async with stage(world, "parts", CHAINS, roles=("maker", "one", "two")) as play:
        maker, one, two = play.players
        offer = await offered(maker)
        before = await play.balances()
        used = (await take(one, maker, offer, 3 * UNIT)).deal
        unused = (await take(two, maker, offer, 2 * UNIT)).deal
        assert (await maker.party.shop.offer(offer.id)).remaining == SIZE - 5 * UNIT
        await one.wants(used, exercise=True)

        async def over() -> bool:
            ends = [await maker.outcome(used), await one.outcome(used)]
            return None not in (*ends, await maker.outcome(unused), await two.outcome(unused))

        await play.until(over)
        assert await maker.outcome(used) == await one.outcome(used) == "exercised"
        assert await maker.outcome(unused) == await two.outcome(unused) == "expired"
        after = await play.balances()
        for taker, deal, size in ((one, used, 3 * UNIT), (two, unused, 2 * UNIT)):
            terms = (await maker.party.store.deal(deal)).terms
            assert dict(terms.legs) == offer.conditions.legs(size, -(-PREMIUM * size // SIZE))  # rounded up
            gains = flows(terms, await taker.outcome(deal))["holder"]
            paid = await play.fees(taker, deal)
            assert fold(after[taker.role], minus=before[taker.role]) == fold(gains, minus=paid)
        gains = [await gain(maker, deal) for deal in (used, unused)]
        paid = await play.fees(maker, used, unused)
        assert fold(after["maker"], minus=before["maker"]) == fold(*gains, minus=paid)
        standings = await maker.party.shop.takings(offer.id)
        assert [one.state for one in standings] == [TakingState.DONE] * 2
        assert (await maker.party.shop.offer(offer.id)).remaining == SIZE - 5 * UNIT  # sold, whatever became of it


async def test_who_never_pays_holds_little_and_not_for_long(world):
    limits = {"takings_per_peer": 2, "cooldown": 100_000, "locked_per_peer": {"bitcoin/native": 3 * UNIT}}
    roles = ("maker", "griefer", "honest")
    async with stage(world, "griefed", CHAINS, roles=roles, tables={"offers": limits}) as play:
        maker, griefer, honest = play.players
        offer = await offered(maker)
        before = (await play.balances())["maker"]
        play.awake.remove("griefer")  # it agrees, and then does nothing
        with pytest.raises(RefusedByPeer) as refused:
            await take(griefer, maker, offer, 4 * UNIT)
        assert refused.value.code == "TooMuchLocked"
        stuck = [(await take(griefer, maker, offer, size)).deal for size in (UNIT, 2 * UNIT)]
        with pytest.raises(RefusedByPeer) as refused:
            await take(griefer, maker, offer, UNIT)
        assert refused.value.code == "TooManyTakings"
        good = (await take(honest, maker, offer, UNIT)).deal  # others are served meanwhile
        due = (await maker.party.store.deal(stuck[1])).terms.times["premium"]

        async def too_late() -> bool:
            return world.time > due

        await play.until(too_late)
        standings = {one.deal: one for one in await maker.party.shop.takings(offer.id)}
        assert [standings[deal].state for deal in stuck] == [TakingState.AGREED] * 2
        assert all(standings[deal].funded and standings[deal].failed_at for deal in stuck)
        assert standings[good].state is TakingState.LIVE
        fresh = await offered(maker)
        with pytest.raises(RefusedByPeer) as refused:
            await take(griefer, maker, fresh, UNIT)
        assert refused.value.code == "CoolingDown"
        assert (await take(honest, maker, fresh, UNIT)).state is TakingState.AGREED
        await maker.party.shop.withdraw(fresh.id)

        async def over() -> bool:
            return None not in [await maker.outcome(deal) for deal in (*stuck, good)]

        await play.until(over)
        assert [await maker.outcome(deal) for deal in stuck] == ["abandoned"] * 2
        assert await maker.outcome(good) == "expired"
        assert (await maker.party.shop.offer(offer.id)).remaining == SIZE - UNIT  # what was never paid for is back
        deals = [one.deal for one in await maker.party.shop.takings()]

        async def all_over() -> bool:
            return None not in [await maker.outcome(deal) for deal in deals]

        await play.until(all_over)
        after = (await play.balances())["maker"]
        gains = [await gain(maker, deal) for deal in deals]
        assert fold(after, minus=before) == fold(*gains, minus=await play.fees(maker, *deals))


# --- by commands -----------------------------------------------------------------------------------------


async def command(actor: Actor, *words: str, code: int = 0) -> dict:
    """A command of this party, its document."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relayer.cli", *words, "-c", str(actor.config), "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == code, err.decode()
    return json.loads(out)


async def test_commands_publish_quote_and_take(world):
    async with AsyncExitStack() as stack:
        patient = {"offers": {"spot_age": 3600, "quote": 120, "answer": 120}}  # commands take their time
        maker, taker = (Actor(f"shop-{role}", world, CHAINS, tables=patient) for role in ("maker", "taker"))
        for actor in (maker, taker):
            async with Party.open(actor.settings, drive=False) as party:
                for chain, wallet in party.wallets.items():
                    await world.endow(chain, wallet.address)
            stack.push_async_callback(actor.kill)
        await world.step()
        await asyncio.gather(maker.start(), taker.start())

        priced = ("--premium", "auto", "--vol", "0.6", "--spread", "0.05", "--spot", "60000")
        pair = ("--underlying", f"bitcoin/native:{SIZE}", "--strike", "evm/TEST:6000000000")
        parts = ("--least", str(UNIT), "--step", str(UNIT), "--life", "1800")
        refused = await command(maker, "offer", "publish", *pair, *parts, "--premium", "auto", code=1)
        assert refused["error"]["type"] == "BadRequest"
        own = await command(maker, "offer", "publish", *pair, *parts, *priced)
        assert (await command(maker, "offer", "spot", own["offer"], "60500"))["spot"] == 60_500
        assert [one["offer"] for one in (await command(maker, "offer", "list"))["offers"]] == [own["offer"]]
        named = f"{own['maker']}@{maker.url}"
        listed = (await command(taker, "offer", "list", "--peer", named))["offers"]
        assert [(one["offer"], one["remaining"], one["vol"]) for one in listed] == [(own["offer"], SIZE, 0.6)]
        wanted = (own["offer"], "--peer", maker.url, "--size", str(3 * UNIT))
        quote = await command(taker, "offer", "quote", *wanted)
        assert quote["premium"] > 0
        assert quote["legs"]["strike"]["amount"] == 6_000_000_000 * 3 // 10
        dear = await command(taker, "offer", "take", *wanted, "--limit", "1", code=1)
        assert dear["error"]["type"] == "TooDear"
        taken = await command(taker, "offer", "take", *wanted, "--limit", str(2 * quote["premium"]))
        assert (taken["state"], taken["size"]) == ("agreed", 3 * UNIT)
        await command(taker, "deal", "exercise", taken["deal"])
        shown = await command(maker, "offer", "show", own["offer"])
        assert shown["remaining"] == SIZE - 3 * UNIT
        assert [one["taking"] for one in shown["takings"]] == [taken["taking"]]
        assert (await command(maker, "offer", "withdraw", own["offer"]))["withdrawn_at"]
        assert (await command(taker, "offer", "list", "--peer", maker.url))["offers"] == []

        stores = [await stack.enter_async_context(await actor.read()) for actor in (maker, taker)]

        async def closed() -> bool:
            return all([(await store.deal(taken["deal"])).outcome is not None for store in stores])

        for _ in range(STEPS):
            if await closed():
                break
            await asyncio.sleep(PACE)
            await world.step()
        for actor in (maker, taker):
            assert (await command(actor, "deal", "show", taken["deal"]))["outcome"] == "exercised", actor.tail()
        done = await command(taker, "offer", "show", own["offer"], "--peer", maker.url, code=1)
        assert done["error"]["code"] == "OfferOver"
        (sold,) = (await command(maker, "offer", "show", own["offer"]))["takings"]
        assert (sold["state"], sold["outcome"]) == ("done", "exercised")
