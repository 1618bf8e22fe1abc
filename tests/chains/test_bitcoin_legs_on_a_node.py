"""Legs on real nodes of both chains: funded, claimed, refunded, released, and what they cost."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from chains.bitcoin.encoding import outpoint
from chains.bitcoin.transaction import parse
from chains.errors import BadKey, FeeAboveCap, InsufficientFunds, NothingToSpend, Rejected, WouldFail
from chains.legs import Path
from chains.port import TxPhase
from chains.testing.bitcoind import Bitcoind, from_satoshi
from tests.chains.bitcoin_world import AMOUNT, COIN, PLENTY, PRICE, World, lock, preimage, world

pytestmark = pytest.mark.node


@pytest.fixture(params=["bitcoind", "litecoind"])
def node(request: pytest.FixtureRequest) -> Bitcoind:
    return request.getfixturevalue(request.param)


@pytest_asyncio.fixture
async def here(node: Bitcoind) -> AsyncIterator[World]:
    async with world(node) as made:
        yield made


async def test_funding_and_claim(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    assert await payer.wallet.balance("native") == COIN

    funding = await here.fund(payer, leg)
    facts = await here.facts(leg)
    assert (facts.full, facts.held, facts.spends) == (1, AMOUNT, ())
    assert await payer.wallet.balance("native") == COIN - AMOUNT - funding.fee

    claim = await payee.wallet.spend(leg, "claim", payee.key("to"), [preimage("s")], [], PRICE, PLENTY, [])
    await here.chain.broadcast(claim)
    (spend,) = (await here.facts(leg)).spends
    assert (spend.txid, spend.path, spend.depth) == (claim.txid, "claim", 0)
    assert spend.preimages == (preimage("s"),)

    await here.mine(claim)
    facts = await here.facts(leg)
    assert (facts.full, facts.held) == (2, 0)
    assert facts.spends[0].depth == 1
    assert facts.spends[0].amount == AMOUNT
    assert await payee.wallet.balance("native") == AMOUNT - claim.fee
    state = await here.trace(claim)
    assert (state.depth, state.fee) == (1, claim.fee)
    assert state.size <= 140


async def test_refund_waits_for_median_time(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    later = await here.swap(payer, payee, after=await here.node.clock() - 1)
    await here.fund(payer, later)
    clock = await here.node.clock()
    early = await here.swap(payer, payee, after=clock + 3600)
    await here.fund(payer, early)
    with pytest.raises(WouldFail, match="clock is past"):
        await payer.wallet.spend(early, "refund", payer.key("back"), [], [], PRICE, PLENTY, [])

    refund = await payer.wallet.spend(later, "refund", payer.key("back"), [], [], PRICE, PLENTY, [])
    await here.mine(refund)
    assert (await here.facts(later)).spends[0].path == "refund"
    assert (await here.trace(refund)).size <= 131


async def test_option_legs_within_their_figures(here: World) -> None:
    writer, holder = await here.party(COIN), await here.party()
    sizes = {}
    clock = await here.node.clock()
    for index, path in enumerate(("exercise", "refund", "release")):
        leg = await here.collateral(writer, holder, after=clock - 1 - index)
        await here.fund(writer, leg)
        await here.node.mine()
        consents = []
        if path == "release":
            consents = [await holder.wallet.consent(leg, "release", holder.key("signer"))]
            assert await writer.wallet.check_consent(leg, "release", holder.public("signer"), consents[0])
        party, label = (holder, "to") if path == "exercise" else (writer, "back")
        shown = [preimage("a"), preimage("e")] if path == "exercise" else []
        tx = await party.wallet.spend(leg, path, party.key(label), shown, consents, PRICE, PLENTY, [])
        await here.mine(tx)
        (spend,) = (await here.facts(leg)).spends
        assert (spend.path, spend.preimages) == (path, tuple(shown))
        sizes[path] = (await here.trace(tx)).size
        assert here.chain.claim_cost(leg, path, 1000) >= sizes[path]
    assert sizes["exercise"] <= 167
    assert sizes["refund"] <= 150
    assert sizes["release"] <= 168


async def test_replaced_funding_conflicts_with_all_before_it(here: World) -> None:
    payer, payee = await here.party(AMOUNT, COIN, 2 * COIN), await here.party()
    leg = await here.swap(payer, payee)
    lineage = [await payer.wallet.fund(leg, PRICE, PLENTY, [])]
    await here.chain.broadcast(lineage[0])
    for factor in (1, 3, 9):  # the first asks for the old price and must pay more all the same
        following = await payer.wallet.fund(leg, PRICE * factor, PLENTY, lineage, lineage[-1])
        await here.chain.broadcast(following)
        assert set(lineage[-1].claims) <= set(following.claims)
        assert following.fee > lineage[-1].fee
        assert (await here.trace(lineage[-1])).phase is TxPhase.UNSEEN
        lineage.append(following)
    await here.node.mine()
    assert (await here.trace(lineage[-1])).phase is TxPhase.MINED
    for one in lineage[:-1]:
        assert (await here.trace(one)).phase is TxPhase.DISPLACED
    assert (await here.facts(leg)).held == AMOUNT
    with pytest.raises(WouldFail, match="spent"):
        await payer.wallet.fund(leg, PRICE * 30, PLENTY, lineage, lineage[-1])


async def test_replaced_funding_takes_more_coins_when_it_must(here: World) -> None:
    payer, payee = await here.party(AMOUNT + 200, COIN), await here.party()
    leg = await here.swap(payer, payee)
    small = await payer.wallet.fund(leg, 1_200, PLENTY, [])
    assert len(small.claims) == 1
    await here.chain.broadcast(small)
    large = await payer.wallet.fund(leg, 20_000, PLENTY, [small], small)
    assert large.claims[0] == small.claims[0]
    assert len(large.claims) == 2
    await here.mine(large)


async def test_pending_coins_are_not_used_twice(here: World) -> None:
    payer, payee = await here.party(COIN, COIN), await here.party()
    clock = await here.node.clock()
    one, two, third = [await here.swap(payer, payee, after=clock + wait) for wait in (1, 2, 3)]
    first = await payer.wallet.fund(one, PRICE, PLENTY, [])
    second = await payer.wallet.fund(two, PRICE, PLENTY, [first])
    assert not set(first.claims) & set(second.claims)
    with pytest.raises(InsufficientFunds):
        await payer.wallet.fund(third, PRICE, PLENTY, [first, second])
    await here.mine(first, second)
    outputs = [out.script for tx in (first, second) for out in parse(tx.raw).outputs]
    assert len(set(outputs)) == 4  # change goes to an address of its own


async def test_cancelled_funding(here: World) -> None:
    payer, payee = await here.party(AMOUNT, COIN), await here.party()
    leg = await here.swap(payer, payee)
    first = await payer.wallet.fund(leg, PRICE, PLENTY, [])
    await here.chain.broadcast(first)
    second = await payer.wallet.fund(leg, 3 * PRICE, PLENTY, [first], first)
    await here.chain.broadcast(second)
    cancel = await payer.wallet.cancel(second, PRICE, [first, second])
    await here.chain.broadcast(cancel)
    again = await payer.wallet.cancel(second, PRICE, [first, second, cancel], cancel)
    assert again.fee > cancel.fee > second.fee
    await here.mine(again)
    for tx in (first, second, cancel):
        assert (await here.trace(tx)).phase is TxPhase.DISPLACED
        with pytest.raises(Rejected):
            await here.chain.broadcast(tx)
    facts = await here.facts(leg)
    assert (facts.full, facts.held) == (None, 0)
    assert await payer.wallet.balance("native") == AMOUNT + COIN - again.fee


async def test_replaced_claim(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    await here.fund(payer, leg)
    key, shown = payee.key("to"), [preimage("s")]
    first = await payee.wallet.spend(leg, "claim", key, shown, [], PRICE, PLENTY, [])
    await here.chain.broadcast(first)
    second = await payee.wallet.spend(leg, "claim", key, shown, [], PRICE, PLENTY, [first], first)
    assert second.fee > first.fee
    third = await payee.wallet.spend(leg, "claim", key, shown, [], 10 * PRICE, PLENTY, [first, second], second)
    await here.chain.broadcast(second)
    await here.mine(third)
    assert (await here.trace(second)).phase is TxPhase.DISPLACED
    assert await payee.wallet.balance("native") == AMOUNT - third.fee
    with pytest.raises(NothingToSpend):
        await payee.wallet.spend(leg, "claim", key, shown, [], 99 * PRICE, PLENTY, [third], third)


async def test_decoys_never_make_a_leg_full(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    for amount in (AMOUNT - 1, AMOUNT // 2):
        await here.node.fund(here.address(leg), amount)
    facts = await here.facts(leg)
    assert (facts.full, facts.held) == (None, AMOUNT - 1 + AMOUNT // 2)
    await here.fund(payer, leg)
    least = here.chain.network.dust_p2wsh
    await here.node.fund(here.address(leg), least)  # not worth its own fee
    facts = await here.facts(leg)
    assert (facts.full, facts.held) == (2, 2 * AMOUNT - 1 + AMOUNT // 2 + least)

    key, shown = payee.key("to"), [preimage("s")]
    price = 11 * least
    claim = await payee.wallet.spend(leg, "claim", key, shown, [], price, PLENTY, [])
    assert len(claim.claims) == 3
    await here.mine(claim)
    facts = await here.facts(leg)
    assert (facts.full, facts.held) == (3, least)
    assert facts.spends[0].amount == 2 * AMOUNT - 1 + AMOUNT // 2
    assert len(facts.spends) == 1
    with pytest.raises(NothingToSpend):
        await payee.wallet.spend(leg, "claim", key, shown, [], price, PLENTY, [])


async def test_double_and_late_deposits_are_claimed(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    await here.node.fund(here.address(leg), AMOUNT)
    await here.node.fund(here.address(leg), AMOUNT)
    key, shown = payee.key("to"), [preimage("s")]
    both = await payee.wallet.spend(leg, "claim", key, shown, [], PRICE, PLENTY, [])
    assert len(both.claims) == 2
    await here.mine(both)
    await here.node.fund(here.address(leg), AMOUNT + 5)
    assert (await here.facts(leg)).held == AMOUNT + 5
    late = await payee.wallet.spend(leg, "claim", key, shown, [], PRICE, PLENTY, [both])
    await here.mine(late)
    facts = await here.facts(leg)
    assert (facts.held, [spend.amount for spend in facts.spends]) == (0, [2 * AMOUNT, AMOUNT + 5])
    assert await payee.wallet.balance("native") == 3 * AMOUNT + 5 - both.fee - late.fee


async def test_consent_is_for_what_stands_and_for_the_recipient(here: World) -> None:
    writer, holder = await here.party(COIN), await here.party()
    leg = await here.collateral(writer, holder)
    signer = holder.key("signer")
    with pytest.raises(NothingToSpend):
        await holder.wallet.consent(leg, "release", signer)
    await here.fund(writer, leg)
    with pytest.raises(BadKey):
        await holder.wallet.consent(leg, "release", writer.key("back"))
    consent = await holder.wallet.consent(leg, "release", signer)
    check = writer.wallet.check_consent
    assert await check(leg, "release", signer.public, consent)
    assert not await check(leg, "release", writer.public("back"), consent)
    for bad in ("", "[]", "{}", "null", '{"x": 1}', "x" * 10**6, consent.replace("0", "1"), consent[:-8] + '"}'):
        assert not await check(leg, "release", signer.public, bad)

    await here.node.fund(here.address(leg), 5_000)  # spoils nothing, but is left behind
    assert await check(leg, "release", signer.public, consent)
    key = writer.key("back")
    with pytest.raises(WouldFail, match="consents"):
        await writer.wallet.spend(leg, "release", key, [], [], PRICE, PLENTY, [])
    with pytest.raises(WouldFail, match="not for what stands"):
        await writer.wallet.spend(leg, "release", key, [], ["{}"], PRICE, PLENTY, [])
    first = await writer.wallet.spend(leg, "release", key, [], [consent], PRICE, PLENTY, [])
    await here.chain.broadcast(first)
    bumped = await writer.wallet.spend(leg, "release", key, [], [consent], 5 * PRICE, PLENTY, [first], first)
    await here.mine(bumped)
    assert (await here.facts(leg)).held == 5_000
    assert not await check(leg, "release", signer.public, consent)


async def test_what_a_path_asks_for(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    key, shown = payee.key("to"), [preimage("s")]
    spend = payee.wallet.spend
    with pytest.raises(NothingToSpend):
        await spend(leg, "claim", key, shown, [], PRICE, PLENTY, [])
    await here.fund(payer, leg)
    with pytest.raises(BadKey):
        await spend(leg, "claim", payer.key("back"), shown, [], PRICE, PLENTY, [])
    for wrong in ([], [preimage("x")], [preimage("s") * 2], shown * 2):
        with pytest.raises(WouldFail):
            await spend(leg, "claim", key, wrong, [], PRICE, PLENTY, [])
    with pytest.raises(FeeAboveCap):
        await spend(leg, "claim", key, shown, [], PRICE, 100, [])
    with pytest.raises(NothingToSpend):  # the fee would leave dust
        await spend(
            leg, "claim", key, shown, [], (AMOUNT - here.chain.network.dust_p2wpkh + 1) * 1000 // 139, PLENTY, []
        )
    with pytest.raises(FeeAboveCap):
        await payer.wallet.fund(leg, PRICE, 100, [])


async def test_first_reveal_is_simulated(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee, after=await here.node.clock() - 1)
    await here.fund(payer, leg)
    refund = await payer.wallet.spend(leg, "refund", payer.key("back"), [], [], 10 * PRICE, PLENTY, [])
    await here.chain.broadcast(refund)  # the other party was faster, and bids more
    key, shown = payee.key("to"), [preimage("s")]
    with pytest.raises(WouldFail):
        await payee.wallet.spend(leg, "claim", key, shown, [], PRICE, PLENTY, [], idle=True)
    await payee.wallet.spend(leg, "claim", key, shown, [], 100 * PRICE, PLENTY, [], idle=True)


async def test_sending_again_is_success(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    tx = await payer.wallet.fund(leg, PRICE, PLENTY, [])
    assert (await here.trace(tx)).phase is TxPhase.UNSEEN
    await here.chain.broadcast(tx)
    state = await here.trace(tx)
    assert (state.phase, state.depth, state.fee) == (TxPhase.PENDING, 0, tx.fee)
    await here.chain.broadcast(tx)
    await here.node.mine()
    await here.chain.broadcast(tx)
    assert (await here.trace(tx)).depth == 1
    claim = await payee.wallet.spend(leg, "claim", payee.key("to"), [preimage("s")], [], PRICE, PLENTY, [])
    await here.mine(claim)
    await here.chain.broadcast(claim)


async def test_any_wallet_may_fund(here: World) -> None:
    payer, payee = await here.party(), await here.party()
    leg = await here.swap(payer, payee)
    txid = await here.node.fund(here.address(leg), AMOUNT + 7)
    facts = await here.facts(leg)
    assert (facts.full, facts.held) == (1, AMOUNT + 7)
    claim = await payee.wallet.spend(leg, "claim", payee.key("to"), [preimage("s")], [], PRICE, PLENTY, [])
    assert bytes.fromhex(txid)[::-1] == outpoint(claim.claims[0])[:32]


async def test_three_recipients(here: World) -> None:
    parties = [await here.party() for _ in range(3)]
    paths = (
        Path("one", parties[0].public("k"), (lock("x"),)),
        Path("two", parties[1].public("k"), (lock("y"),), (parties[0].public("s"),)),
        Path("three", parties[2].public("k"), after=await here.node.clock() - 1),
    )
    for index, path in enumerate(paths):
        leg = await here.leg(*paths)
        await here.node.fund(here.address(leg), AMOUNT)
        party = parties[index]
        shown = [preimage("xy"[index])] if path.hashes else []
        consents = [await parties[0].wallet.consent(leg, "two", parties[0].key("s"))] if path.signers else []
        tx = await party.wallet.spend(leg, path.name, party.key("k"), shown, consents, PRICE, PLENTY, [])
        await here.mine(tx)
        assert (await here.facts(leg)).spends[0].path == path.name
        await here.chain.unwatch(leg)
    assert not (await here.chain.look()).legs


async def test_keys_come_from_seed_nonce_and_label(here: World) -> None:
    seed = secrets.token_bytes(64)
    one, two = await here.party(seed=seed), await here.party(seed=seed)
    two.nonce = one.nonce
    assert one.key("x") == two.key("x")
    assert one.key("x") != one.key("y")
    assert one.key("x") != one.wallet.key(bytes(16), "x")
    assert one.key("x").secret.hex() not in repr(one.key("x"))


async def test_dust_limits_are_the_node_s_own(here: World) -> None:
    payer = await here.party(COIN)
    txid = await here.node.wallet("sendtoaddress", await here.node.wallet("getnewaddress"), "1")
    details = (await here.node.wallet("gettransaction", txid))["details"]
    (coin,) = [one for one in details if one["category"] == "receive"]
    network = here.chain.network
    for address, least in (
        (payer.wallet.address, network.dust_p2wpkh),
        (here.address(await here.swap(payer, payer)), network.dust_p2wsh),
    ):
        for amount, allowed in ((least, True), (least - 1, False)):
            inputs = [{"txid": txid, "vout": coin["vout"]}]
            outputs = [{address: from_satoshi(amount)}, {await here.node.wallet("getnewaddress"): "0.99"}]
            raw = await here.node.wallet("createrawtransaction", inputs, outputs)
            signed = (await here.node.wallet("signrawtransactionwithwallet", raw))["hex"]
            (verdict,) = await here.node.rpc("testmempoolaccept", [signed])
            assert verdict["allowed"] is allowed, verdict
