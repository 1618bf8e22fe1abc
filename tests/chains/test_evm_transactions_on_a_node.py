"""Replacement, cancellation, nonces and tracing on a real EVM node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from chains.errors import Rejected, WouldFail
from chains.evm.transaction import read_transaction
from chains.port import SignedTx, TxPhase
from chains.testing.anvil import Anvil
from tests.chains.evm_world import PLENTY, World, world

pytestmark = pytest.mark.node


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def here() -> AsyncIterator[World]:
    async with Anvil() as node, world(node) as made:
        yield made


def outbids(new: SignedTx, old: SignedTx) -> bool:
    fields = [(read_transaction(tx).price, read_transaction(tx).tip) for tx in (new, old)]
    return all(8 * a >= 9 * b for a, b in zip(*fields, strict=True)) and new.claims == old.claims


async def test_a_funding_is_replaced_and_only_one_is_mined(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    first = await here.fund(writer, swap.leg)
    second = await writer.fund(swap.leg, first.price, PLENTY, [first], replacing=first)
    assert outbids(second, first)
    await here.chain.broadcast(second)
    assert (await here.trace(first)).phase is TxPhase.UNSEEN
    assert (await here.trace(second)).phase is TxPhase.PENDING
    await here.node.mine()
    await here.node.mine(2)
    states = [await here.trace(tx) for tx in (first, second)]
    assert [(s.phase, s.depth) for s in states] == [(TxPhase.DISPLACED, 3), (TxPhase.MINED, 3)]
    assert (await here.facts(swap.leg)).held == 10**9
    with pytest.raises(WouldFail, match="nonce 0 was used"):
        await writer.fund(swap.leg, second.price, PLENTY, [first, second], replacing=second)
    with pytest.raises(WouldFail, match="nonce 0 was used"):
        await writer.cancel(second, second.price, [first, second])


async def test_a_claim_is_replaced(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg(here.token, 10**6, holder, writer)
    await here.lock(writer, swap.leg)
    first = await here.spend(holder, swap.leg, "claim", swap.preimage, idle=True)
    second = await here.spend(holder, swap.leg, "claim", swap.preimage, replacing=first, idle=True)
    assert outbids(second, first)
    third = await here.spend(holder, swap.leg, "claim", swap.preimage, replacing=second)
    assert outbids(third, second)
    await here.node.mine()
    assert [(await here.trace(tx)).phase for tx in (first, second, third)] == [
        TxPhase.DISPLACED,
        TxPhase.DISPLACED,
        TxPhase.MINED,
    ]
    assert [spend.txid for spend in (await here.facts(swap.leg)).spends] == [third.txid]


async def test_a_funding_is_cancelled(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    funding = await here.fund(writer, swap.leg)
    cancel = await writer.cancel(funding, 1, [funding])
    assert outbids(cancel, funding)
    again = await writer.cancel(funding, 1, [funding, cancel], replacing=cancel)
    assert outbids(again, cancel)
    await here.chain.broadcast(again)
    with pytest.raises(Rejected):
        await here.chain.broadcast(cancel)
    await here.node.mine()
    assert (await here.trace(funding)).phase is TxPhase.DISPLACED
    assert (await here.trace(cancel)).phase is TxPhase.DISPLACED
    state = await here.trace(again)
    assert (state.phase, state.size) == (TxPhase.MINED, 21_000)
    assert (await here.facts(swap.leg)).held == 0


async def test_sending_again_is_success_and_a_doomed_transaction_is_rejected(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    tx = await here.fund(writer, swap.leg)
    await here.chain.broadcast(tx)
    await here.node.mine()
    await here.chain.broadcast(tx)
    late = await here.swap_leg("native", 10**9, holder, writer)
    doomed = await writer.fund(late.leg, await here.price(), PLENTY, [])
    inner = replace(read_transaction(doomed), nonce=0)
    with pytest.raises(Rejected, match=doomed.chain):
        await here.chain.broadcast(inner.sign("evm", writer.address, writer.key(b"", "").secret))


async def test_nonces_follow_pending_transactions_and_a_lost_one_leaves_a_gap_that_is_named(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    legs = [(await here.swap_leg("native", 10**9, holder, writer)).leg for _ in range(4)]
    price = await here.price()
    pending: list[SignedTx] = []
    for leg in legs[:3]:
        pending.append(await writer.fund(leg, price, PLENTY, pending))
    assert [int(tx.claims[0].split(":")[1]) for tx in pending] == [0, 1, 2]
    assert {tx.claims[0].split(":")[0] for tx in pending} == {writer.address.lower()}
    for tx in (pending[0], pending[2]):  # the second never reaches the node
        await here.chain.broadcast(tx)
    await here.node.mine()
    phases = [(await here.trace(tx)).phase for tx in pending]
    assert phases == [TxPhase.MINED, TxPhase.UNSEEN, TxPhase.PENDING]
    assert writer.gaps(1, [pending[0], pending[2]]) == (1,)
    assert writer.gaps(1, pending) == ()
    # Without the lost one in the journal its nonce is free, and using it lets the third be mined.
    fill = await writer.fund(legs[3], price, PLENTY, [pending[0], pending[2]])
    assert fill.claims == pending[1].claims
    await here.chain.broadcast(fill)
    await here.node.mine()
    assert [(await here.trace(tx)).phase for tx in pending] == [TxPhase.MINED, TxPhase.DISPLACED, TxPhase.MINED]


async def test_a_transaction_in_the_pool_that_the_journal_does_not_know_keeps_its_nonce(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    legs = [(await here.swap_leg("native", 10**9, holder, writer)).leg for _ in range(2)]
    unknown = await here.fund(writer, legs[0])
    tx = await writer.fund(legs[1], await here.price(), PLENTY, [])
    assert (unknown.claims[0][-2:], tx.claims[0][-2:]) == (":0", ":1")


async def test_a_claim_that_came_second_is_mined_without_effect(here: World) -> None:
    writer, holder, tower = [await here.wallet() for _ in range(3)]
    swap = await here.swap_leg("native", 10**9, holder, writer)
    await here.lock(writer, swap.leg)
    price = await here.price()
    key = holder.key(b"", "")
    first = await holder.spend(swap.leg, "claim", key, [swap.preimage], [], 2 * price, PLENTY, [])
    second = await tower.spend(swap.leg, "claim", key, [swap.preimage], [], price, PLENTY, [])
    for tx in (first, second):
        await here.chain.broadcast(tx)
    await here.node.mine()
    states = [await here.trace(tx) for tx in (first, second)]
    assert [state.phase for state in states] == [TxPhase.MINED, TxPhase.MINED]
    assert [state.succeeded for state in states] == [True, False]
    assert states[1].fee > 0
    assert len((await here.facts(swap.leg)).spends) == 1


async def test_a_trace_is_as_of_the_last_look(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    await here.chain.look()
    tx = await here.lock(writer, swap.leg)
    assert (await here.chain.trace(tx, 0)).phase is TxPhase.PENDING
    assert (await here.trace(tx)).phase is TxPhase.MINED


async def test_a_tip_never_exceeds_the_price_and_estimates_are_in_order(here: World) -> None:
    fees = await here.chain.fees()
    assert 0 < fees.floor <= fees.economical <= fees.urgent
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    for price in (fees.floor, fees.economical, fees.urgent, 10 * fees.urgent):
        inner = read_transaction(await writer.fund(swap.leg, price, PLENTY, []))
        assert inner.price == price
        assert 0 <= inner.tip <= price
    assert inner.tip > fees.urgent  # a rising bid buys a better place
