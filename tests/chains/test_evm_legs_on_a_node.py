"""Legs locked, claimed, refunded, released and recovered on a real EVM node."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from chains.errors import AccountBusy, FeeAboveCap, InsufficientFunds, NothingToSpend, WouldFail
from chains.evm.wallet import Push
from chains.legs import Path
from chains.port import LegFacts, TxPhase
from chains.testing.anvil import Anvil
from tests.chains.evm_world import ETHER, PLENTY, TOKENS, World, world

pytestmark = pytest.mark.node


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def here() -> AsyncIterator[World]:
    async with Anvil() as node, world(node) as made:
        yield made


@pytest.fixture(params=["native", "token"])
def asset(request: pytest.FixtureRequest, here: World) -> str:
    return "native" if request.param == "native" else here.token


async def test_a_leg_is_locked_and_its_claim_pushed_by_a_third_party(here: World, asset: str) -> None:
    writer, holder, pusher = [await here.wallet() for _ in range(3)]
    swap = await here.swap_leg(asset, 10**9, holder, writer)
    assert await here.facts(swap.leg) == LegFacts()
    locked = await here.lock(writer, swap.leg)
    facts = await here.facts(swap.leg)
    assert (facts.full, facts.held, facts.spends) == (1, 10**9, ())
    assert (await here.trace(locked)).phase is TxPhase.MINED
    before = await holder.balance(asset)
    claimed = await here.spend(pusher, swap.leg, "claim", swap.preimage, idle=True)
    assert (await here.trace(claimed)).phase is TxPhase.PENDING
    await here.node.mine()
    facts = await here.facts(swap.leg)
    [spend] = facts.spends
    assert (facts.full, facts.held) == (2, 0)
    assert (spend.txid, spend.path, spend.amount, spend.depth) == (claimed.txid, "claim", 10**9, 1)
    assert spend.preimages == (swap.preimage,)
    assert await holder.balance(asset) == before + 10**9
    state = await here.trace(claimed)
    assert state.succeeded
    assert state.depth == 1
    assert 60_000 < state.size < 110_000


async def test_balances_are_exact_to_the_wei(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**17, holder, writer)
    locked = await here.lock(writer, swap.leg)
    claimed = await here.spend(holder, swap.leg, "claim", swap.preimage)
    await here.node.mine()
    fees = [(await here.trace(tx)).fee for tx in (locked, claimed)]
    assert all(fees)
    assert await writer.balance("native") == ETHER - 10**17 - fees[0]
    assert await holder.balance("native") == ETHER + 10**17 - fees[1]


async def test_a_refund_must_wait_for_its_time(here: World, asset: str) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg(asset, 10**9, holder, writer, wait=500)
    await here.lock(writer, swap.leg)
    after = swap.leg.path("refund").after
    assert after is not None
    await here.node.advance_to(after - 1)
    with pytest.raises(WouldFail, match="TooEarly"):
        await here.spend(writer, swap.leg, "refund")
    await here.node.advance_to(after)
    before = await writer.balance(asset)
    refunded = await here.spend(writer, swap.leg, "refund")
    await here.node.mine()
    state, facts = await here.trace(refunded), await here.facts(swap.leg)
    assert (facts.held, facts.spends[0].path, facts.spends[0].preimages) == (0, "refund", ())
    paid = 10**9 - (state.fee if asset == "native" else 0)
    assert await writer.balance(asset) == before + paid


async def test_a_release_wants_the_other_partys_consent(here: World, asset: str) -> None:
    writer, holder, stranger = [await here.wallet() for _ in range(3)]
    leg = here.leg(
        asset,
        10**9,
        Path("refund", writer.address, after=2**31 - 1),
        Path("release", writer.address, signers=(holder.address,)),
    )
    await here.chain.watch(leg, 0)
    await here.lock(writer, leg)
    consent = await holder.consent(leg, "release", holder.key(b"", ""))
    forged = await stranger.consent(leg, "release", stranger.key(b"", ""))
    other = await holder.consent(leg, "refund", holder.key(b"", ""))
    for text, good in ((consent, True), (forged, False), (other, False), ("0xzz", False), ("", False)):
        assert await writer.check_consent(leg, "release", holder.address, text) is good
    for text in (forged, other, "0xzz"):
        with pytest.raises(WouldFail):
            await here.spend(writer, leg, "release", consents=[text])
    with pytest.raises(WouldFail):
        await here.spend(writer, leg, "release")
    await here.spend(writer, leg, "release", consents=[consent])
    await here.node.mine()
    facts = await here.facts(leg)
    assert (facts.held, [s.path for s in facts.spends]) == (0, ["release"])


async def test_a_wrong_preimage_and_an_empty_vault_are_refused_before_anything_is_signed(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    with pytest.raises(NothingToSpend):
        await here.spend(holder, swap.leg, "claim", swap.preimage)
    await here.lock(writer, swap.leg)
    for wrong in (secrets.token_bytes(32), swap.preimage[:31], swap.preimage + b"\0"):
        with pytest.raises(WouldFail):
            await here.spend(holder, swap.leg, "claim", wrong)
    with pytest.raises(WouldFail):
        await here.spend(holder, swap.leg, "claim")


async def test_deposits_add_up_and_late_ones_are_spent_by_the_same_path(here: World, asset: str) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg(asset, 1000, holder, writer)
    vault = here.vault(swap.leg)
    await here.pay(vault, asset, 400)
    facts = await here.facts(swap.leg)
    assert (facts.full, facts.held) == (None, 400)
    await here.pay(vault, asset, 600)
    await here.pay(vault, asset, 7)  # too much
    facts = await here.facts(swap.leg)
    assert (facts.full, facts.held) == (2, 1007)
    await here.spend(holder, swap.leg, "claim", swap.preimage)
    await here.node.mine()
    await here.pay(vault, asset, 50)  # late
    facts = await here.facts(swap.leg)
    assert (facts.full, facts.held, facts.spends[0].amount) == (4, 50, 1007)
    await here.spend(writer, swap.leg, "claim", swap.preimage)
    await here.node.mine()
    facts = await here.facts(swap.leg)
    assert (facts.full, facts.held) == (5, 0)
    assert [(s.amount, s.depth) for s in facts.spends] == [(1007, 3), (50, 1)]


async def test_a_stray_token_is_recovered_and_says_nothing_of_the_legs_state(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 1000, holder, writer)
    await here.lock(writer, swap.leg)
    await here.pay(here.vault(swap.leg), here.token, 55)
    before = await holder.balance(here.token)
    push = Push(swap.leg, "claim", (swap.preimage,))
    tx = await writer.push(push, here.token, await here.price(), PLENTY, [])
    await here.chain.broadcast(tx)
    await here.node.mine()
    assert await holder.balance(here.token) == before + 55
    facts = await here.facts(swap.leg)
    assert all(spend.preimages == (swap.preimage,) for spend in facts.spends)
    # The coin that stood there goes along with the token, to the same recipient, and is seen as spent.
    assert sum(spend.amount for spend in facts.spends) + facts.held == 1000


async def test_a_claim_may_pay_another_legs_vault(here: World, asset: str) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    second = await here.swap_leg(asset, 1000, holder, writer)
    first = here.leg(asset, 1000, Path("move", here.vault(second.leg), second.leg.path("claim").hashes))
    await here.lock(writer, first)
    await here.spend(holder, first, "move", second.preimage)
    await here.node.mine()
    assert (await here.facts(second.leg)).full == 1
    await here.spend(holder, second.leg, "claim", second.preimage)
    await here.node.mine()
    assert (await here.facts(second.leg)).held == 0


async def test_funds_and_fees_are_checked_before_signing(here: World) -> None:
    poor, holder = await here.wallet(ether=10**15, tokens=99), await here.wallet()
    price = await here.price()
    coin = await here.swap_leg("native", 10**15, holder, poor)
    with pytest.raises(InsufficientFunds) as coins:  # the amount is there, the fee is not
        await poor.fund(coin.leg, price, PLENTY, [])
    assert coins.value.needed > coins.value.available == 10**15
    token = await here.swap_leg(here.token, 100, holder, poor)
    with pytest.raises(InsufficientFunds) as tokens:
        await poor.fund(token.leg, price, PLENTY, [])
    assert (tokens.value.needed, tokens.value.available, tokens.value.asset) == (100, 99, here.token)
    small = await here.swap_leg("native", 1, holder, poor)
    with pytest.raises(FeeAboveCap) as above:
        await poor.fund(small.leg, price, 21_000 * price, [])
    assert above.value.fee > above.value.cap
    tight = await poor.fund(small.leg, price, 22_000 * price, [])
    assert 21_000 * price < tight.fee <= 22_000 * price


async def test_what_pending_transactions_will_take_is_not_spent_twice(here: World) -> None:
    writer, holder = await here.wallet(ether=10**18), await here.wallet()
    first = await here.swap_leg("native", 6 * 10**17, holder, writer)
    second = await here.swap_leg("native", 6 * 10**17, holder, writer)
    tokens = [await here.swap_leg(here.token, TOKENS * 2 // 3, holder, writer) for _ in range(2)]
    price = await here.price()
    pending = [await writer.fund(first.leg, price, PLENTY, [])]
    with pytest.raises(InsufficientFunds):
        await writer.fund(second.leg, price, PLENTY, pending)
    pending.append(await writer.fund(tokens[0].leg, price, PLENTY, pending))
    with pytest.raises(InsufficientFunds):
        await writer.fund(tokens[1].leg, price, PLENTY, pending)
    assert [tx.claims[0].split(":")[1] for tx in pending] == ["0", "1"]


async def test_a_first_reveal_waits_for_an_idle_account(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    await here.lock(writer, swap.leg)
    other = await here.swap_leg("native", 10**9, writer, holder)
    busy = await holder.fund(other.leg, await here.price(), PLENTY, [])
    key = holder.key(b"", "")
    with pytest.raises(AccountBusy):  # signed, not sent
        await holder.spend(
            swap.leg, "claim", key, [swap.preimage], [], await here.price(), PLENTY, [busy], idle=True
        )
    await here.chain.broadcast(busy)
    with pytest.raises(AccountBusy):  # in the node's pool
        await here.spend(holder, swap.leg, "claim", swap.preimage, idle=True)
    await here.node.mine()
    await holder.spend(swap.leg, "claim", key, [swap.preimage], [], await here.price(), PLENTY, [busy], idle=True)


async def test_a_vault_or_an_account_with_code_is_not_funded(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    for account in (here.vault(swap.leg), writer.address):
        await here.node.rpc("anvil_setCode", account, "0xef0100" + "11" * 20)
        with pytest.raises(WouldFail, match=account):
            await writer.fund(swap.leg, await here.price(), PLENTY, [])
        await here.node.rpc("anvil_setCode", account, "0x")


async def test_two_wallets_and_two_parties_see_the_same(here: World) -> None:
    writer, holder = await here.wallet(), await here.wallet()
    other = await here.another()
    swap = await here.swap_leg("native", 10**9, holder, writer)
    await other.watch(swap.leg, 0)
    await here.lock(writer, swap.leg)
    mine, theirs = await here.chain.look(), await other.look()
    assert mine.tip == theirs.tip
    assert mine.legs[here.vault(swap.leg)] == theirs.legs[here.vault(swap.leg)]
    assert here.chain.identity == other.identity == f"eip155:{here.node.chain_id}/{here.factory.lower()}"


async def test_a_batch_pushes_what_it_can_and_skips_the_rest(here: World, asset: str) -> None:
    writer, holder, pusher = [await here.wallet() for _ in range(3)]
    swaps = [await here.swap_leg(asset, 1000 + n, holder, writer) for n in range(4)]
    for swap in swaps[:3]:
        await here.lock(writer, swap.leg)
    pushes = [Push(swap.leg, "claim", (swap.preimage,)) for swap in swaps]  # the last is empty
    price = await here.price()
    batch = await pusher.push_many(pushes, asset, price, PLENTY, [])
    await here.spend(holder, swaps[0].leg, "claim", swaps[0].preimage)  # somebody was faster
    await here.node.mine()
    before = await holder.balance(asset)
    await here.chain.broadcast(batch)
    await here.node.mine()
    state = await here.trace(batch)
    assert state.succeeded
    assert await holder.balance(asset) == before + 1001 + 1002
    for swap in swaps[1:3]:
        [spend] = (await here.facts(swap.leg)).spends
        assert (spend.txid, spend.path, spend.preimages) == (batch.txid, "claim", (swap.preimage,))
    with pytest.raises(NothingToSpend):
        await pusher.push_many(pushes, asset, price, PLENTY, [])


async def test_a_leg_with_one_path_and_no_hash(here: World, asset: str) -> None:
    """The shortest witness there is."""
    writer, holder = await here.wallet(), await here.wallet()
    leg = here.leg(asset, 1000, Path("gift", holder.address))
    await here.chain.watch(leg, 0)
    await here.lock(writer, leg)
    await here.spend(writer, leg, "gift")
    await here.node.mine()
    assert (await here.facts(leg)).held == 0
