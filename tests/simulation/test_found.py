"""Faults that the simulation found in the driver, each as small as it can be said, and the seeds that failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chains.errors import ChainError, FeeAboveCap, NothingToSpend
from chains.legs import Leg, Path
from chains.port import FeeEstimate, Key, SignedTx, TxPhase, TxState
from htlc.executor import Executor, Work
from htlc.fees import FeePolicy
from htlc.lineage import Attempt, Attempts
from htlc.ports import Deal, Intent
from htlc.protocols import protocol
from htlc.protocols.base import Close, Flight, SpendLeg
from relayer.simulation.memory import MemoryJournal
from relayer.simulation.run import Stage
from tests.htlc.deals import GUARDS, NOW, SWAP_TERMS, plan, spent

SEEDS = (1000000682, 11000001066, 12000000462, 2000000234, 2000001150, 11000001461, 2000001692)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_that_failed_once(seed) -> None:
    assert Stage().play(seed).failures == []


class Wallet:
    """Signs a spend unless `refuse(replacing)` gives an error."""

    def __init__(self, refuse) -> None:
        self.refuse = refuse
        self.replaced: list[str | None] = []

    def key(self, nonce, label):
        return Key("key", b"")

    async def spend(self, leg, path, key, preimages, consents, price, cap, pending, replacing=None, idle=False):
        error = self.refuse(replacing)
        if error is not None:
            raise error
        self.replaced.append(replacing and replacing.txid)
        return SignedTx("bitcoin", "new", b"", ("new:0",), price, 1)


class Chain:
    def __init__(self) -> None:
        self.sent: list[str] = []

    async def fees(self):
        return FeeEstimate(5_000, 20_000, 1_000)

    async def broadcast(self, tx):
        self.sent.append(tx.txid)


def unseen(number: int) -> Attempt:
    """An attempt that was stored and never seen."""
    tx = SignedTx("bitcoin", f"tx{number}", b"", (f"coin{number}:0",), 1_000, 200)
    return Attempt(Intent(number, "deal", "x", "refund", tx, NOW - 90_000), TxState(TxPhase.UNSEEN))


async def refund(wallet: Wallet, *attempts: Attempt) -> Chain:
    """Carry out a refund whose deadline is long past."""
    chain = Chain()
    policies = {"bitcoin": FeePolicy(patience=3600, usual_cost=200_000_000, cap=50_000, step=1000)}
    deal = Deal("deal", SWAP_TERMS, "initiator", GUARDS, {"bitcoin": 1, "evm": 1}, NOW)
    journal = MemoryJournal()
    await journal.add(deal)
    executor = Executor(journal, {"bitcoin": chain}, {"bitcoin": wallet}, policies)
    executor.begin({}, {"bitcoin": "tip"}, NOW)
    leg = Leg("bitcoin", "native", 1000, b"s" * 32, (Path("refund", "key", after=NOW),))
    work = Work(deal, protocol("swap"), {"x": leg}, Attempts(attempts, {"bitcoin": 3}), NOW)
    await executor.perform(work, SpendLeg("x", "refund", (), NOW - 80_000))
    return chain


@pytest.mark.parametrize("error", [FeeAboveCap("bitcoin", 2, 1), NothingToSpend("bitcoin", "x")])
async def test_a_bid_that_cannot_be_raised_is_sent_as_it_is(error) -> None:
    """Stored, never sent, and too dear to be signed anew: the party died in between and came back late."""
    sent: list[str] = []

    async def broadcast(self, tx):
        sent.append(tx.txid)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Chain, "broadcast", broadcast)
        with pytest.raises(ChainError):
            await refund(Wallet(lambda _: error), unseen(1))
    assert sent == ["tx1"]


async def test_the_attempt_whose_coin_still_stands_is_replaced() -> None:
    """A reorganisation took the coin of the newest attempt."""
    wallet = Wallet(lambda old: NothingToSpend("bitcoin", "x") if old and old.txid == "tx2" else None)
    chain = await refund(wallet, unseen(1), unseen(2))
    assert wallet.replaced == ["tx1"]
    assert chain.sent == ["new"]


async def test_a_new_coin_needs_no_attempt_to_replace() -> None:
    wallet = Wallet(lambda old: NothingToSpend("bitcoin", "x") if old else None)
    chain = await refund(wallet, unseen(1))
    assert wallet.replaced == [None]
    assert chain.sent == ["new"]


def test_a_spend_of_a_coin_that_is_gone_holds_no_deal_open() -> None:
    lost = Attempts((unseen(1),), {"bitcoin": 3})
    assert lost.settled(ordered=())
    assert not lost.settled(ordered=("bitcoin",))  # its nonce would block what comes after
    funding = Attempt(Intent(1, "deal", "x", "fund", unseen(1).tx, NOW), TxState(TxPhase.UNSEEN))
    assert not Attempts((funding,), {"bitcoin": 3}).settled(ordered=())


def test_a_node_that_is_behind_closes_no_deal() -> None:
    """y was claimed, so s is out; our node lost sight of x, which is still ours to claim."""
    legs = {"y": spent("y", "claim", "s")}
    fundings = {"y": Flight.DONE}
    assert plan(SWAP_TERMS, "participant", legs, fundings=fundings) == ()
    late = SWAP_TERMS.times["x"] + 1
    assert plan(SWAP_TERMS, "participant", legs, fundings=fundings, now=late) == (Close("forfeited"),)


async def again(tips: list[str], *states: TxPhase) -> list[str]:
    """What a refund that can't be raised sends, over looks that find it in these states."""
    chain = Chain()
    policies = {"bitcoin": FeePolicy(patience=3600, usual_cost=200_000_000, cap=50_000, step=1000)}
    deal = Deal("deal", SWAP_TERMS, "initiator", GUARDS, {"bitcoin": 1, "evm": 1}, NOW)
    wallet = Wallet(lambda _: FeeAboveCap("bitcoin", 2, 1))
    executor = Executor(MemoryJournal(), {"bitcoin": chain}, {"bitcoin": wallet}, policies)
    leg = Leg("bitcoin", "native", 1000, b"s" * 32, (Path("refund", "key", after=NOW),))
    for tip, state in zip(tips, states, strict=True):
        first, second = unseen(1), replace(unseen(2), state=TxState(state))
        executor.begin({"bitcoin": [first.tx, second.tx]}, {"bitcoin": tip}, NOW)
        work = Work(deal, protocol("swap"), {"x": leg}, Attempts((first, second), {"bitcoin": 3}), NOW)
        with pytest.raises(ChainError):
            await executor.perform(work, SpendLeg("x", "refund", (), NOW - 80_000))
    return chain.sent


async def test_a_lineage_is_sent_again_once_a_block() -> None:
    assert await again(["a", "a", "a", "b", "b"], *[TxPhase.UNSEEN] * 5) == ["tx2", "tx2"]


async def test_what_a_mempool_had_and_lost_is_sent_again_at_once() -> None:
    states = (TxPhase.UNSEEN, TxPhase.PENDING, TxPhase.UNSEEN, TxPhase.UNSEEN)
    assert await again(["a"] * 4, *states) == ["tx2", "tx2"]
