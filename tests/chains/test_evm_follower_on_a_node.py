"""Reorganisations, restarts and looking back on a real EVM node."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from chains.evm.follower import SETTLED
from chains.port import LegFacts, TxPhase
from chains.testing.anvil import Anvil
from tests.chains.evm_tokens import deploy_fee_token
from tests.chains.evm_world import World, world

pytestmark = pytest.mark.node


@pytest_asyncio.fixture(loop_scope="session")
async def here(anvil_factory: Callable[..., Awaitable[Anvil]]) -> AsyncIterator[World]:
    async with world(await anvil_factory()) as made:
        yield made


async def test_a_reorganisation_of_three_blocks_takes_a_funding_back(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    tx = await here.lock(writer, swap.leg)
    await here.node.mine(2)
    assert (await here.facts(swap.leg)).full == 3
    assert (await here.trace(tx)).depth == 3
    old = (await here.chain.look()).tip
    await here.node.reorg(3)
    new = (await here.chain.look()).tip
    assert new.hash != old.hash
    assert await here.facts(swap.leg) == LegFacts()
    state = await here.trace(tx)
    assert (state.phase, state.depth) == (TxPhase.PENDING, 0)
    await here.node.mine()
    assert (await here.facts(swap.leg)).full == 1
    assert (await here.trace(tx)).phase is TxPhase.MINED


async def test_a_reorganisation_of_three_blocks_takes_a_claim_back(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg(here.token, 10**6, holder, writer)
    await here.lock(writer, swap.leg)
    await here.node.mine(3)
    claim = await here.spend(holder, swap.leg, "claim", swap.preimage)
    await here.node.mine(3)
    facts = await here.facts(swap.leg)
    assert (facts.full, facts.held, facts.spends[0].depth) == (7, 0, 3)
    await here.node.reorg(3)
    facts = await here.facts(swap.leg)
    assert (facts.full, facts.held, facts.spends) == (7, 10**6, ())
    assert (await here.trace(claim)).phase is TxPhase.PENDING
    await here.chain.broadcast(claim)
    await here.node.mine()
    facts = await here.facts(swap.leg)
    assert (facts.full, facts.held, facts.spends[0].depth) == (8, 0, 1)


async def test_a_reorganisation_that_replaces_a_funding_by_its_cancellation(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    snapshot = await here.node.rpc("evm_snapshot")
    funding = await here.lock(writer, swap.leg)
    await here.node.mine()
    assert (await here.facts(swap.leg)).full == 2
    await here.node.rpc("evm_revert", snapshot)
    cancel = await writer.cancel(funding, funding.price, [funding])
    await here.chain.broadcast(cancel)
    await here.node.mine(4)
    assert await here.facts(swap.leg) == LegFacts()
    state = await here.trace(funding)
    assert (state.phase, state.depth) == (TxPhase.DISPLACED, 4)


async def test_a_shorter_best_chain_is_followed(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    snapshot = await here.node.rpc("evm_snapshot")
    before = (await here.chain.look()).tip
    await here.lock(writer, swap.leg)
    await here.node.mine(5)
    assert (await here.facts(swap.leg)).full == 6
    await here.node.rpc("evm_revert", snapshot)
    assert (await here.chain.look()).tip == before
    assert await here.facts(swap.leg) == LegFacts()


async def test_a_new_watcher_of_many_legs_asks_for_few_blocks(here: World) -> None:
    """Legs that were full long ago are asked for together; how long ago is not searched for."""
    writer, holder = await here.wallet(), await here.wallet()
    swaps = [await here.swap_leg("native", 10**9, holder, writer) for _ in range(6)]
    since = (await here.chain.look()).tip.height
    for swap in swaps[:4]:
        await here.lock(writer, swap.leg)
    await here.node.mine(SETTLED + 5)
    await here.lock(writer, swaps[4].leg)
    await here.node.mine(3)
    restarted = await here.another()
    for swap in swaps:
        await restarted.watch(swap.leg, since)
    calls: Counter[str] = Counter()
    real = restarted.client.call

    async def counted(method: str, *params: Any) -> Any:
        calls[method] += 1
        return await real(method, *params)

    restarted.client.call = counted  # type: ignore[method-assign, assignment]
    found = [await here.facts(swap.leg, restarted) for swap in swaps]
    assert [facts.full for facts in found] == [SETTLED + 1] * 4 + [4, None]
    assert calls["eth_call"] <= 2 + SETTLED.bit_length()
    await here.node.reorg(2)
    assert [(await here.facts(swap.leg, restarted)).full for swap in swaps[3:5]] == [SETTLED + 1, 4]


async def test_a_new_watcher_looks_back_for_deposits_and_spends(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    since = (await here.chain.look()).tip.height
    await here.node.mine(7)
    vault = here.vault(swap.leg)
    await here.pay(vault, "native", 4 * 10**8)
    await here.node.mine(3)
    await here.pay(vault, "native", 6 * 10**8)
    await here.node.mine(9)
    restarted = await here.another(log_range=4)
    await restarted.watch(swap.leg, since)
    facts = await here.facts(swap.leg, restarted)
    assert facts == await here.facts(swap.leg)
    assert (facts.full, facts.held) == (10, 10**9)
    await here.spend(holder, swap.leg, "claim", swap.preimage)
    await here.node.mine(5)
    await here.pay(vault, "native", 3)
    later = await here.another()
    await later.watch(swap.leg, since)
    facts = await here.facts(swap.leg, later)
    assert facts == await here.facts(swap.leg)
    assert (facts.full, facts.held, [s.depth for s in facts.spends]) == (16, 3, [6])


async def test_pruned_state_counts_from_where_the_node_still_has_it(
    anvil_factory: Callable[..., Awaitable[Anvil]],
) -> None:
    node = await anvil_factory(states=8)
    async with world(node) as here:
        writer, holder = await here.wallet(), await here.wallet()
        swap = await here.swap_leg("native", 10**9, holder, writer)
        await here.lock(writer, swap.leg)
        for height in range(1, 11):
            assert (await here.facts(swap.leg)).full == 1 + 3 * (height - 1)  # it was there when it happened
            await here.node.mine(3)
        await here.node.mine(30)
        # Too many at once: the oldest can't be read any more, but what was seen before them is not forgotten.
        assert (await here.facts(swap.leg)).full == 61
        restarted = await here.another()
        await restarted.watch(swap.leg, 0)
        facts = await here.facts(swap.leg, restarted)
        assert facts.held == 10**9
        assert facts.full is not None
        assert 1 <= facts.full < 61  # fewer than there are, never more


async def test_a_restarted_node_is_followed_on(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    await here.lock(writer, swap.leg)
    await here.node.mine(2)
    facts = await here.facts(swap.leg)
    await here.node.restart()
    assert await here.facts(swap.leg) == facts
    await here.node.rpc("evm_setAutomine", False)
    await here.spend(holder, swap.leg, "claim", swap.preimage)
    await here.node.mine()
    assert (await here.facts(swap.leg)).spends[0].preimages == (swap.preimage,)


async def test_each_block_is_read_once_whatever_the_number_of_legs(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    legs = [(await here.swap_leg(asset, 10**6, holder, writer)).leg for asset in ("native", here.token) * 20]
    await here.chain.look()
    calls: Counter[str] = Counter()
    once = here.chain.client.call

    async def counted(method: str, *params: Any) -> Any:
        calls[method] += 1
        return await once(method, *params)

    here.chain.client.call = counted  # type: ignore[method-assign]
    await here.node.mine(5)
    await here.chain.look()
    assert (calls["eth_getLogs"], calls["eth_call"]) == (5, 5)
    assert sum(calls.values()) <= 5 * 3 + 2
    calls.clear()
    snapshot = await here.chain.look()
    assert dict(calls) == {"eth_getBlockByNumber": 1}
    assert len(snapshot.legs) == len(legs)
    for leg in legs[1:]:
        await here.chain.unwatch(leg)
    assert set((await here.chain.look()).legs) == {here.vault(legs[0])}


async def test_a_long_absence_is_searched_not_read(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    await here.lock(writer, swap.leg)
    await here.chain.look()
    await here.node.mine(400)
    await here.spend(holder, swap.leg, "claim", swap.preimage)
    await here.node.mine(100)
    facts = await here.facts(swap.leg)
    assert (facts.full, facts.held, facts.spends[0].depth) == (501, 0, 100)


async def test_a_fee_on_transfer_token_leaves_the_leg_under_funded(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    token = await deploy_fee_token(here, writer.address, 10**9)
    swap = await here.swap_leg(token, 10**6, holder, writer)
    await here.lock(writer, swap.leg)
    facts = await here.facts(swap.leg)
    assert (facts.full, facts.held) == (None, 990_000)
    await here.node.advance_to(swap.leg.path("refund").after or 0)
    await here.spend(writer, swap.leg, "refund")
    await here.node.mine()
    assert (await here.facts(swap.leg)).held == 0


async def test_a_token_that_stops_answering_holds_up_no_other_leg(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    good = await here.swap_leg("native", 10**6, holder, writer)
    bad = await here.swap_leg(here.token, 10**6, holder, writer)
    for swap in (good, bad):
        await here.lock(writer, swap.leg)
    assert (await here.facts(bad.leg)).full == 1
    await here.node.rpc("anvil_setCode", here.token, "0x5b600056")  # loops until its gas is used up
    await here.node.mine()
    assert (await here.facts(good.leg)).full == 3
    assert (await here.facts(bad.leg)).full is None


async def test_a_leg_watched_during_a_look_is_in_it(here: World) -> None:
    """A leg that is missing from a snapshot would pass for one that was never funded."""
    writer, holder = await here.wallet(), await here.wallet()
    first, second = [await here.swap_leg("native", 10**6, holder, writer) for _ in range(2)]
    for swap in (first, second):
        await here.lock(writer, swap.leg)
    chain = await here.another()
    await chain.watch(first.leg, 0)
    once, watching = chain.client.call, iter([second.leg])

    async def late(method: str, *params: Any) -> Any:
        answer = await once(method, *params)
        if method == "eth_call":
            for leg in watching:
                await chain.watch(leg, 0)
        return answer

    chain.client.call = late  # type: ignore[method-assign]
    snapshot = await chain.look()
    assert [snapshot.legs[here.vault(swap.leg)].held for swap in (first, second)] == [10**6, 10**6]
