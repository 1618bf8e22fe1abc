"""A machine burns in the midst of a deal that is recorded on a chain, and its backup folder with it. The seed is
enough: the records are found on the chains, and nobody loses more than fees and what may be forfeited."""

from __future__ import annotations

import pytest

from chains.port import TxPhase
from htlc.ports import RECORD
from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from tests.matrix import shared
from tests.recovering import OPTION, SHRINK, SWAP, Fire, burn
from tests.stage import flows, fold, stage

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

SHARE = [
    Fire(protocol, pair, moment, loser, backup="chain")
    for pair, protocol, loser, moment in (
        ("bitcoin/evm", "option", "first", OPTION[0]),
        ("bitcoin/evm", "option", "second", OPTION[2]),
        ("bitcoin/evm", "option", "first", OPTION[4]),
        ("bitcoin/evm", "swap", "first", SWAP[1]),
        ("bitcoin/evm", "swap", "second", SWAP[2]),
        ("bitcoin/litecoin", "option", "first", OPTION[4]),
        ("bitcoin/litecoin", "option", "second", OPTION[2]),
        ("bitcoin/litecoin", "swap", "first", SWAP[1]),
        ("bitcoin/litecoin", "swap", "second", SWAP[2]),
        ("litecoin/evm", "swap", "second", SWAP[1]),
        ("evm/evm", "option", "second", OPTION[2]),
    )
]
WHOLE = [
    Fire(protocol, pair, moment, loser, alone, backup="chain")
    for pair in CHAIN_PAIRS
    for protocol, moments in (("option", OPTION), ("swap", SWAP))
    for moment in moments
    for loser in ("first", "second")
    for alone in (False, True)
]


@pytest.mark.parametrize("fire", shared(SHARE, WHOLE), ids=lambda fire: fire.name)
async def test_the_seed_is_enough(world, fire):
    await burn(world, fire)


@pytest.mark.parametrize(("pair", "chain"), [("bitcoin/evm", "evm"), ("bitcoin/litecoin", "bitcoin")])
async def test_no_money_moves_before_the_record_is_final(world, pair, chain):
    """And a record that a reorganisation takes away comes back first."""
    async with stage(world, f"recorded-{pair.replace('/', '-')}", CHAIN_PAIRS[pair], backup="chain") as show:
        legs = plot("swap", Outcome.EXERCISED, "call", pair, world.tokens).legs
        small = {key: type(one)(one.chain, one.asset, one.amount // SHRINK) for key, one in legs.items()}
        before = await show.balances()
        deal = await show.agree("swap", "initiator", small)
        undone = False

        async def over() -> bool:
            nonlocal undone
            for player in show.players:
                intents = await player.party.store.intents(deal)
                records = [one for one in intents if one.step == RECORD]
                assert all(one.tx.chain == chain for one in records)
                if len(intents) > len(records):
                    assert records
                    assert all(one.final is not None for one in records)
                elif records and not undone:
                    await world.step()
                    await world.reorganise(chain, 1)
                    undone = True
            return await show.closed(deal)

        await show.until(over)
        assert undone
        await world.step()
        after = await show.balances()
        terms = (await show.first.party.store.deal(deal)).terms
        for player, role in ((show.first, "initiator"), (show.second, "participant")):
            assert await player.outcome(deal) == "swapped"
            fees = await show.fees(player, deal)
            gains = flows(terms, "swapped")[role]
            assert fold(after[player.role], minus=before[player.role]) == fold(gains, minus=fees)


@pytest.mark.parametrize(("pair", "chain"), [("bitcoin/evm", "evm"), ("bitcoin/litecoin", "bitcoin")])
async def test_a_record_that_is_not_taken_bids_more(world, pair, chain):
    """Miners leave the record lying: it is replaced as a whole, and the deal goes through."""
    async with stage(world, f"dearer-{pair.replace('/', '-')}", CHAIN_PAIRS[pair], backup="chain") as show:
        legs = plot("swap", Outcome.EXERCISED, "call", pair, world.tokens).legs
        small = {key: type(one)(one.chain, one.asset, one.amount // SHRINK) for key, one in legs.items()}
        deal = await show.agree("swap", "initiator", small)

        async def records(player):
            return [one for one in await player.party.store.intents(deal) if one.step == RECORD]

        async def stalled():
            tried = [sum(one.leg.startswith("1/") for one in await records(player)) for player in show.players]
            return {chain} if min(tried) < 2 else ()

        async def over() -> bool:
            return await show.closed(deal)

        show.stalled = stalled
        await show.until(over)
        for player in show.players:
            assert await player.outcome(deal) == "swapped"
            found = await records(player)
            parts = int(found[0].leg.rpartition("/")[2])
            mined = [one for one in found if one.final.phase is TxPhase.MINED]
            assert len(found) >= 2 * parts
            assert len(mined) == parts
            assert min(one.tx.price for one in mined) > max(one.tx.price for one in found[:parts])
