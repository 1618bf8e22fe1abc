"""What every chain must do, as checks that any adapter can be put through.

An adapter's tests give a `Ground` and run each of `CHECKS` on it:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    async def test_the_port_is_kept(ground, check):
        await check(ground)
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

import pytest

from chains.errors import BadAsset, LegError, NothingToSpend, StrikelockError, WouldFail
from chains.legs import NATIVE, Leg, Path
from chains.port import Chain, LegFacts, SignedTx, TxPhase, Wallet

CAP: Final = 10**30  # no fee is refused: what is checked is what happens, not what it costs
RICHES: Final = 50  # legs that a party under test can pay for
WINDOW: Final = 600  # seconds from now to a refund


class Ground(Protocol):
    """A chain to be checked, open, with somebody who makes its blocks. amount: of a leg, native units."""

    chain: Chain
    amount: int

    async def endow(self, address: str, amount: int) -> None:
        """Pay native coin, confirmed."""
        ...

    async def mine(self, blocks: int = 1) -> None:
        """Blocks with what waits for one."""
        ...

    async def pass_time(self, moment: int) -> None:
        """Blocks until the chain's clock is past a UNIX time."""
        ...

    async def reorganise(self, depth: int) -> None:
        """Replace the last blocks by more blocks without transactions."""
        ...

    async def again(self) -> Chain:
        """Another connection to the same chain, open; whoever asks closes it."""
        ...


@dataclass(frozen=True, slots=True)
class _Deal:
    """An owner who locks money, another who may claim it, and the leg between them."""

    ground: Ground
    owner: Wallet
    other: Wallet
    nonce: bytes
    preimage: bytes
    leg: Leg

    @classmethod
    async def make(cls, ground: Ground) -> _Deal:
        chain = ground.chain
        owner, other = chain.wallet(os.urandom(64)), chain.wallet(os.urandom(64))
        for wallet in (owner, other):
            await ground.endow(wallet.address, RICHES * ground.amount)
        preimage, nonce = os.urandom(32), os.urandom(16)
        mine = owner.key(nonce, "leg.owner").public
        tip = (await chain.look()).tip
        paths = (
            Path("claim", other.key(nonce, "leg.to").public, (hashlib.sha256(preimage).digest(),)),
            Path("refund", mine, after=tip.time + WINDOW),
            Path("release", mine, signers=(other.key(nonce, "leg.signer").public,)),
        )
        leg = Leg(chain.name, NATIVE, ground.amount, os.urandom(32), paths)
        chain.check(leg)
        await chain.watch(leg, tip.height)
        return cls(ground, owner, other, nonce, preimage, leg)

    async def facts(self, chain: Chain | None = None) -> LegFacts:
        seen = await (chain or self.ground.chain).look()
        return seen.legs[self.ground.chain.address(self.leg).address]

    async def price(self) -> int:
        return (await self.ground.chain.fees()).urgent

    async def funded(self) -> SignedTx:
        """The funding, mined."""
        tx = await self.owner.fund(self.leg, await self.price(), CAP, ())
        await self.send(tx)
        return tx

    async def send(self, tx: SignedTx) -> None:
        await self.ground.chain.broadcast(tx)
        await self.ground.mine()

    async def phase(self, tx: SignedTx) -> TxPhase:
        await self.ground.chain.look()
        return (await self.ground.chain.trace(tx, 0)).phase

    async def claim(self) -> SignedTx:
        key = self.other.key(self.nonce, "leg.to")
        return await self.other.spend(self.leg, "claim", key, [self.preimage], (), await self.price(), CAP, ())

    async def refund(self) -> SignedTx:
        key = self.owner.key(self.nonce, "leg.owner")
        return await self.owner.spend(self.leg, "refund", key, (), (), await self.price(), CAP, ())


# --- legs and keys ---------------------------------------------------------------------------------------


async def an_address_stands_for_all_of_a_leg(ground: Ground) -> None:
    """Whatever decides who gets the money, or keeps two deals apart, is in the address; nothing else is."""
    deal = await _Deal.make(ground)
    leg, chain = deal.leg, ground.chain
    claim, refund, release = leg.paths
    later = replace(refund, after=(refund.after or 0) + 1)
    others = [
        replace(leg, paths=(claim, refund)),
        replace(leg, paths=(claim, later, release)),
        replace(leg, paths=(replace(claim, hashes=(os.urandom(32),)), refund, release)),
    ]
    found = {chain.address(one).address for one in (leg, *others)}
    assert len(found) == 1 + len(others)
    assert chain.address(replace(leg)) == chain.address(leg)


async def what_can_not_be_is_refused(ground: Ground) -> None:
    """No leg that could not be spent, or is not this chain's, passes `check`."""
    leg = (await _Deal.make(ground)).leg
    claim = leg.paths[0]
    for bad in (
        replace(leg, chain=leg.chain + "-other"),
        replace(leg, amount=0),
        replace(leg, paths=()),
        replace(leg, asset="no such asset"),
        replace(leg, paths=(replace(claim, hashes=(bytes(32),)),)),
        replace(leg, paths=(replace(claim, after=1),)),
        replace(leg, paths=(replace(claim, to="nobody's key"),)),
    ):
        with pytest.raises(LegError):
            ground.chain.check(bad)
    with pytest.raises(BadAsset):
        ground.chain.asset("no such asset")


async def a_wallet_is_its_seeds(ground: Ground) -> None:
    """From the seed alone everything comes back; and no secret is shown by accident."""
    seed, nonce = os.urandom(64), os.urandom(16)
    one, same, another = (ground.chain.wallet(each) for each in (seed, seed, os.urandom(64)))
    assert one.address == same.address != another.address
    assert one.key(nonce, "leg.to") == same.key(nonce, "leg.to")
    key = one.key(nonce, "leg.to")
    assert key.secret.hex() not in repr(key)


# --- looking ---------------------------------------------------------------------------------------------


async def a_funding_is_seen_and_gets_deeper(ground: Ground) -> None:
    """From nothing to full, and a block deeper with each block."""
    deal = await _Deal.make(ground)
    assert await deal.facts() == LegFacts()
    tx = await deal.funded()
    facts = await deal.facts()
    assert (facts.full, facts.held, facts.spends) == (1, ground.amount, ())
    await ground.mine(2)
    assert (await deal.facts()).full == 3
    assert await deal.phase(tx) is TxPhase.MINED


async def a_new_connection_sees_the_same(ground: Ground) -> None:
    """Nothing that matters is kept in the connection: a restart forgets nothing."""
    deal = await _Deal.make(ground)
    tx = await deal.funded()
    await deal.send(await deal.claim())
    chain = await ground.again()
    try:
        await chain.watch(deal.leg, 0)
        assert await deal.facts(chain) == await deal.facts()
        assert await chain.trace(tx, 0) == await ground.chain.trace(tx, 0)
    finally:
        await chain.close()


async def a_reorganisation_takes_back_what_it_took_back(ground: Ground) -> None:
    """The next look shows the chain as it is now; sent again, the money is there again."""
    deal = await _Deal.make(ground)
    tx = await deal.funded()
    await deal.facts()
    await ground.reorganise(1)
    assert (await deal.facts()).full is None
    assert await deal.phase(tx) in (TxPhase.PENDING, TxPhase.UNSEEN)
    await deal.send(tx)
    assert (await deal.facts()).full == 1


# --- spending --------------------------------------------------------------------------------------------


async def a_claim_shows_its_preimage(ground: Ground) -> None:
    """The other party learns the preimage from the chain, and the claimant has the money."""
    deal = await _Deal.make(ground)
    with pytest.raises(NothingToSpend):
        await deal.claim()
    await deal.funded()
    await ground.chain.look()
    tx = await deal.claim()
    await deal.send(tx)
    facts = await deal.facts()
    (spend,) = facts.spends
    assert (spend.txid, spend.path, spend.preimages, spend.depth) == (tx.txid, "claim", (deal.preimage,), 1)
    assert (facts.held, facts.full) == (0, 2)
    assert await deal.phase(tx) is TxPhase.MINED


async def a_wrong_preimage_opens_nothing(ground: Ground) -> None:
    """It is found out before anything is signed."""
    deal = await _Deal.make(ground)
    await deal.funded()
    await ground.chain.look()
    key = deal.other.key(deal.nonce, "leg.to")
    with pytest.raises(WouldFail):
        await deal.other.spend(deal.leg, "claim", key, [os.urandom(32)], (), await deal.price(), CAP, ())


async def a_refund_waits_for_its_time(ground: Ground) -> None:
    """Not before the chain's own clock is past it, and then it goes through."""
    deal = await _Deal.make(ground)
    await deal.funded()
    await ground.chain.look()
    with pytest.raises(WouldFail):
        await deal.refund()
    await ground.pass_time(deal.leg.path("refund").after or 0)
    await ground.chain.look()
    await deal.send(await deal.refund())
    (spend,) = (await deal.facts()).spends
    assert spend.path == "refund"


async def a_release_needs_the_other(ground: Ground) -> None:
    """A consent is its signer's alone, and opens its own path alone."""
    deal = await _Deal.make(ground)
    await deal.funded()
    await ground.chain.look()
    signer, mine = deal.other.key(deal.nonce, "leg.signer"), deal.owner.key(deal.nonce, "leg.owner")
    consent = await deal.other.consent(deal.leg, "release", signer)
    assert await deal.owner.check_consent(deal.leg, "release", signer.public, consent)
    assert not await deal.owner.check_consent(deal.leg, "refund", signer.public, consent)
    assert not await deal.owner.check_consent(deal.leg, "release", mine.public, consent)
    price = await deal.price()
    with pytest.raises(StrikelockError):
        await deal.owner.spend(deal.leg, "release", mine, (), (), price, CAP, ())
    await deal.send(await deal.owner.spend(deal.leg, "release", mine, (), (consent,), price, CAP, ()))
    (spend,) = (await deal.facts()).spends
    assert spend.path == "release"


# --- transactions ----------------------------------------------------------------------------------------


async def sending_again_is_success(ground: Ground) -> None:
    """In the pool or in a block already: whoever sends again after a crash must not fail by it."""
    deal = await _Deal.make(ground)
    tx = await deal.owner.fund(deal.leg, await deal.price(), CAP, ())
    await ground.chain.broadcast(tx)
    await ground.chain.broadcast(tx)
    await ground.mine()
    await ground.chain.look()
    await ground.chain.broadcast(tx)
    assert (await deal.facts()).held == ground.amount


async def one_of_a_lineage_is_mined(ground: Ground) -> None:
    """A replacement conflicts with what it replaces, and outbids it: the leg is paid once."""
    deal = await _Deal.make(ground)
    first = await deal.owner.fund(deal.leg, await deal.price(), CAP, ())
    await ground.chain.broadcast(first)
    dearer = 2 * first.price + ground.chain.price_step
    second = await deal.owner.fund(deal.leg, dearer, CAP, [first], replacing=first)
    assert set(first.claims) & set(second.claims)
    assert second.price > first.price
    await deal.send(second)
    assert [await deal.phase(tx) for tx in (first, second)] == [TxPhase.DISPLACED, TxPhase.MINED]
    assert (await deal.facts()).held == ground.amount


async def a_cancelled_funding_never_confirms(ground: Ground) -> None:
    """The money comes back to its owner, and the leg stays empty."""
    deal = await _Deal.make(ground)
    funding = await deal.owner.fund(deal.leg, await deal.price(), CAP, ())
    await ground.chain.broadcast(funding)
    cancel = await deal.owner.cancel(funding, 2 * funding.price + ground.chain.price_step, [funding])
    await deal.send(cancel)
    assert [await deal.phase(tx) for tx in (funding, cancel)] == [TxPhase.DISPLACED, TxPhase.MINED]
    assert await deal.facts() == LegFacts()


async def pending_transactions_are_reserved(ground: Ground) -> None:
    """What the journal calls pending is not used twice, though no node has it yet."""
    deal = await _Deal.make(ground)
    one = await deal.owner.fund(deal.leg, await deal.price(), CAP, ())
    other = await _Deal.make(ground)
    await ground.endow(deal.owner.address, RICHES * ground.amount)
    await ground.chain.look()
    two = await deal.owner.fund(other.leg, await deal.price(), CAP, [one])
    assert not set(one.claims) & set(two.claims)
    await ground.chain.broadcast(one)
    await ground.chain.broadcast(two)
    await ground.mine()
    assert [await deal.phase(tx) for tx in (one, two)] == [TxPhase.MINED, TxPhase.MINED]


Check: TypeAlias = Callable[[Ground], Awaitable[None]]

CHECKS: Final[tuple[Check, ...]] = (
    an_address_stands_for_all_of_a_leg,
    what_can_not_be_is_refused,
    a_wallet_is_its_seeds,
    a_funding_is_seen_and_gets_deeper,
    a_new_connection_sees_the_same,
    a_reorganisation_takes_back_what_it_took_back,
    a_claim_shows_its_preimage,
    a_wrong_preimage_opens_nothing,
    a_refund_waits_for_its_time,
    a_release_needs_the_other,
    sending_again_is_success,
    one_of_a_lineage_is_mined,
    a_cancelled_funding_never_confirms,
    pending_transactions_are_reserved,
)
