"""A party dies for good and leaves a package with a watchtower. The tower, which has no key of anybody's, brings
it its refund or its claim on either chain, and what is in the package can pay nobody else."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from chains.extras import BadPresigned
from htlc.protocols import protocol
from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from relayer.package import Package, check_package, make_package, read_package
from relayer.party import Party
from relayer.settings import SEED_FILE
from relayer.testing.actors import PASSPHRASE, Actor
from relayer.testing.world import UTXO_NAMES
from relayer.tower import Tower
from settlement import seed as seeds
from settlement.backup import write_file
from tests.attesters import quorum
from tests.stage import Player, fold, stage

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

PAIR = "bitcoin/evm"
STEPS = 400
SHRINK = 20
FEES = 400_000  # satoshis, at most: what the tower had to bid is the owner's


async def package(player: Player, deal: str) -> Package:
    """What the player's `tower export` writes now."""
    party: Party = player.party
    await party.observe(deal)
    made = await make_package(await party.store.deal(deal), party.seed.identity(), party.chains, party.wallets)
    return read_package(made.text().encode(), "test")


@asynccontextmanager
async def tower(world, name: str, made: Package, pair: str = PAIR):
    """A tower with a seed of its own and money for gas, that was handed one package."""
    actor = Actor(f"{name}-tower", world, CHAIN_PAIRS[pair])
    own = seeds.load(actor.folder / SEED_FILE, PASSPHRASE)
    write_file(actor.folder / "packages" / made.name, made.text())
    async with Tower.open(actor.settings, own, actor.folder / "packages") as watching:
        for chain, address in watching.gas.items():
            await world.endow(chain, address, poor=True)
        await watching.load()
        assert not watching.refused
        yield watching


@dataclass(frozen=True)
class Case:
    """Who dies when its deal has come to (who, leg, step), and what the tower must bring it by which path."""

    name: str
    protocol: str
    dies: str
    after: tuple[str, str, str]
    saved: tuple[str, str]
    leaves: bool = False  # the other party goes away at the same time
    exercise: bool = False
    pair: str = PAIR


CASES = (
    Case("refund of coins", "swap", "first", ("first", "x", "fund"), ("x", "refund"), leaves=True),
    Case("claim of coins", "swap", "second", ("second", "y", "fund"), ("x", "claim")),
    Case("refund of tokens", "swap", "second", ("second", "y", "fund"), ("y", "refund"), leaves=True),
    Case("refund of collateral", "option", "first", ("first", "premium", "activate"), ("collateral", "refund")),
    Case(
        "claim of strike", "option", "first", ("first", "premium", "activate"), ("strike", "exercise"),
        exercise=True,
    ),
    Case(
        "claim of an attested strike", "attested", "first", ("first", "premium", "activate"),
        ("strike", "exercise"), exercise=True,
    ),
    Case(
        "refund of an attested strike", "attested", "second", ("second", "strike", "fund"), ("strike", "refund"),
        exercise=True,
    ),
    Case(
        "refund between coins", "swap", "second", ("second", "y", "fund"), ("y", "refund"), leaves=True,
        pair="bitcoin/litecoin",
    ),
    Case(
        "claim between coins", "swap", "second", ("second", "y", "fund"), ("x", "claim"), pair="bitcoin/litecoin"
    ),
    Case("claim of litecoin", "swap", "second", ("second", "y", "fund"), ("x", "claim"), pair="litecoin/evm"),
    Case("refund of ether", "swap", "first", ("first", "x", "fund"), ("x", "refund"), leaves=True, pair="evm/evm"),
    Case("claim of ether", "swap", "second", ("second", "y", "fund"), ("x", "claim"), pair="evm/evm"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_tower_brings_what_is_due(world, case):
    name = f"saved-{case.name.replace(' ', '-')}"
    chains = CHAIN_PAIRS[case.pair]
    async with (
        quorum(world, name, chains, honest=3 if case.protocol == "attested" else 0) as members,
        stage(world, name, chains, attesters=members.urls) as show,
    ):
        legs = plot(case.protocol, Outcome.EXERCISED, "call", case.pair, world.tokens).legs
        small = {key: type(one)(one.chain, one.asset, one.amount // SHRINK) for key, one in legs.items()}
        deal = await show.agree(case.protocol, "initiator" if case.protocol == "swap" else "writer", small)
        await show.second.wants(deal, exercise=case.exercise)
        victim = show.first if case.dies == "first" else show.second
        who, leg, step = case.after
        actor = show.first if who == "first" else show.second

        async def come() -> bool:
            return await show.mined(actor, deal, leg, step)

        await show.until(come)
        made = await package(victim, deal)
        show.awake.discard(victim.role)
        if case.leaves:
            show.awake.clear()
        before = (await show.balances())[victim.role]
        async with tower(world, name, made, case.pair) as watching:
            for _ in range(STEPS):
                await watching.driver.tick()
                await show.tick()
                if not await watching.deals():
                    break
                await world.step(4)
            assert not await watching.deals(), watching.driver.reports
            intents = await watching._store.intents(deal)
            assert {(intent.leg, intent.step) for intent in intents} == {case.saved}
        saved = small[case.saved[0]]
        gained = fold((await show.balances())[victim.role], minus=before)
        key = f"{saved.chain}/{saved.asset}"
        assert saved.amount - (FEES if saved.chain in UTXO_NAMES else 0) <= gained.pop(key) <= saved.amount
        assert not gained


async def test_the_tower_climbs_the_ladder_while_nothing_is_mined(world):
    """A claim of coins whose chain takes no transaction: each attempt is dearer, and the deadline is kept."""
    async with stage(world, "climbs", CHAIN_PAIRS[PAIR]) as show:
        legs = plot("swap", Outcome.EXERCISED, "call", PAIR, world.tokens).legs
        small = {key: type(one)(one.chain, one.asset, one.amount // SHRINK) for key, one in legs.items()}
        deal = await show.agree("swap", "initiator", small)

        async def funded() -> bool:
            return await show.mined(show.second, deal, "y", "fund")

        await show.until(funded)
        made = await package(show.second, deal)
        show.awake.discard(show.second.role)
        async with tower(world, "climbs", made) as watching:
            for _ in range(STEPS):
                await watching.driver.tick()
                await show.tick()
                attempts = await watching._store.intents(deal)
                if not await watching.deals():
                    break
                await world.step(stalled={"bitcoin"} if len(attempts) < 3 else ())
            prices = [intent.tx.price for intent in attempts]
            assert len(prices) >= 3
            assert prices == sorted(set(prices))
            assert (await watching._store.deal(deal)).outcome == "swapped"


async def test_a_package_pays_nobody_else(world):
    """Whoever holds the package can't send the coins elsewhere, nor take them back before their time."""
    async with stage(world, "robbed", CHAIN_PAIRS[PAIR]) as show:
        legs = plot("option", Outcome.EXERCISED, "call", PAIR, world.tokens).legs
        small = {key: type(one)(one.chain, one.asset, one.amount // SHRINK) for key, one in legs.items()}
        deal = await show.agree("option", "writer", small)

        async def funded() -> bool:
            return await show.mined(show.first, deal, "collateral", "fund")

        await show.until(funded)
        chains = show.first.party.chains
        made = await package(show.first, deal)
        assert b"secret" not in made.text().encode()
        ((key, rungs),) = check_package(made, chains).items()
        assert key == ("collateral", "refund")
        node = world.nodes["bitcoin"]
        for tx, spend in rungs:
            (answer,) = await node.rpc("testmempoolaccept", [tx.raw.hex()])
            assert answer["reject-reason"] == "non-final"
            thief = "0014" + "66" * 20
            assert len(thief) == len(spend.script)
            for stolen in (replace(spend, script=thief), replace(spend, amount=spend.amount - 1)):
                with pytest.raises(BadPresigned):
                    chains["bitcoin"].complete(_collateral(made), stolen)
        await _robbed_after_the_time(world, show, made, rungs)


async def _robbed_after_the_time(world, show, made: Package, rungs) -> None:
    """With another output the transaction is refused by the node's own verification; the true one is taken."""
    show.awake.clear()
    while (await world.nodes["bitcoin"].clock()) <= made.deal.terms.times["collateral"]:
        await world.step(60)
    for _ in range(12):
        await world.step(60)  # median time is behind
    tx, spend = rungs[0]
    thief = "0014" + "66" * 20
    forged = tx.raw.hex().replace(spend.script, thief)
    assert forged != tx.raw.hex()
    (answer,) = await world.nodes["bitcoin"].rpc("testmempoolaccept", [forged])
    assert "script-verify" in answer["reject-reason"]
    (answer,) = await world.nodes["bitcoin"].rpc("testmempoolaccept", [tx.raw.hex()])
    assert answer["allowed"]


def _collateral(made: Package):
    return protocol(made.deal.terms.protocol).legs(made.deal.terms)["collateral"]
