"""An attested option, with the collateral in coins and in a vault: no strike is locked until it is used, one
silent and one lying attester of seven don't matter, and without an attestation the strike comes back.

All deals of a pair run at the same time between the same two parties.
"""

from __future__ import annotations

import json

import pytest

from chains.quorum import deal_member
from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from tests.attesters import quorum
from tests.stage import Stage, flows, fold, stage

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

SHRINK = 20
PAIR = "bitcoin/evm"
KINDS = ("call", "put")  # the collateral of a call is on the first chain, that of a put on the second


async def agree(show: Stage, world, kind: str) -> str:
    legs = plot("option", Outcome.EXERCISED, kind, PAIR, world.tokens).legs
    small = {name: type(leg)(leg.chain, leg.asset, leg.amount // SHRINK) for name, leg in legs.items()}
    return await show.agree("attested", "writer", small, kind=kind)


async def check_money(show: Stage, before, deals: dict[str, str]) -> None:
    """deals: the outcome of each. Every unit is where it says, fees apart."""
    await show.world.step()
    after = await show.balances()
    for player, role in zip(show.players, ("writer", "holder"), strict=True):
        stored = [(await player.party.store.deal(deal), outcome) for deal, outcome in deals.items()]
        assert [deal.outcome for deal, _ in stored] == list(deals.values())
        gains = [flows(deal.terms, outcome)[role] for deal, outcome in stored]
        expected = fold(*gains, minus=await show.fees(player, *deals))
        assert fold(after[player.role], minus=before[player.role]) == expected


async def test_used_and_unused_options_end_as_they_should(world):
    chains = CHAIN_PAIRS[PAIR]
    async with (
        quorum(world, "seven", chains, honest=5, silent=1, lying=1) as members,
        stage(world, "attested", chains, attesters=members.urls) as show,
    ):
        before = await show.balances()
        used = [await agree(show, world, kind) for kind in KINDS]
        unused = [await agree(show, world, kind) for kind in KINDS]
        for deal in used:
            await show.second.wants(deal, exercise=True)
        await show.until(lambda: show.closed(*used, *unused))
        await check_money(show, before, dict.fromkeys(used, "exercised") | dict.fromkeys(unused, "expired"))
        for deal in unused:  # nobody ever locked a strike
            assert not any(intent.leg == "strike" for intent in await show.second.party.store.intents(deal))
        for deal in used:
            stored = await show.second.party.store.deal(deal)
            (held,) = stored.consents_held.values()
            signed = {deal_member(member, stored.terms.digest) for member in members.honest}
            assert json.loads(held).keys() <= signed
            assert stored.terms.quorum.threshold == 5


async def test_without_an_attestation_the_strike_comes_back(world):
    chains = CHAIN_PAIRS[PAIR]
    async with (
        quorum(world, "mute", chains, honest=2, silent=1) as members,
        stage(world, "mute-parties", chains, attesters=members.urls) as show,
    ):
        before = await show.balances()
        deals = [await agree(show, world, kind) for kind in KINDS]
        for deal in deals:
            await show.second.wants(deal, exercise=True)
        await show.until(lambda: show.closed(*deals))
        await check_money(show, before, dict.fromkeys(deals, "expired"))
        for deal in deals:
            steps = {(i.leg, i.step) for i in await show.second.party.store.intents(deal)}
            assert {("strike", "fund"), ("strike", "refund")} <= steps
            assert ("collateral", "exercise") not in steps
