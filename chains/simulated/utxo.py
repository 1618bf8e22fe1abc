"""A chain of coins: one output of at least the amount fills a leg, time is the median of eleven stamps,
replacements pay more (BIP125)."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from chains.errors import (
    BadKey,
    FeeAboveCap,
    InsufficientFunds,
    NothingToSpend,
    WouldFail,
)
from chains.legs import NATIVE, Leg
from chains.port import Key, SignedTx, Spend
from chains.simulated.keys import agreed, consent_of, key_of, opens, short
from chains.simulated.ledger import Event, Ledger, SimTx
from chains.simulated.node import Node
from chains.simulated.spec import ChainSpec

FUND_SIZE, BACK_SIZE, SPEND_SIZE = 153, 110, 160  # vbytes; each further input 68
INPUT_SIZE = 68
DUST = 300


class UtxoLedger(Ledger):
    """coins: unspent, by outpoint: (address, amount)."""

    def __init__(self, spec: ChainSpec, rng: Random, begin: int) -> None:
        super().__init__(spec, rng, begin)
        self.coins: dict[str, tuple[str, int]] = {}
        self.at: dict[str, tuple[str, ...]] = {}  # outpoints by address, oldest first
        self.issued = 0

    def endow(self, address: str, amounts: Sequence[int]) -> None:
        """Coins from nowhere, before everything begins."""
        for amount in amounts:
            point = f"{self.fresh(address, amount)}:0"
            self.coins[point] = (address, amount)
            self.at[address] = (*self.at.get(address, ()), point)
            self.issued += amount

    def refusal(self, tx: SimTx) -> str | None:
        if any(claim not in self.coins for claim in tx.claims):
            return "missing inputs"
        if tx.after is not None and self.clock(self.height) <= tx.after:
            return "non-final"
        return None

    def orphaned(self, tx: SimTx) -> bool:
        return any(claim not in self.coins and claim.partition(":")[0] not in self.pool for claim in tx.claims)

    def beats(self, tx: SimTx, rivals: list[SimTx]) -> str | None:
        if not self.spec.replaces:
            return "txn-mempool-conflict"
        fee = sum(rival.fee + rival.pin for rival in rivals) + tx.size * self.spec.step // 1000
        dearer = all(tx.price > rival.price for rival in rivals)
        return None if tx.fee >= fee and dearer else "insufficient fee"

    def valid(self, tx: SimTx, clock: int) -> bool:
        return all(claim in self.coins for claim in tx.claims) and (tx.after is None or clock > tx.after)

    def apply(self, tx: SimTx, height: int, clock: int) -> bool:
        spent = 0
        for claim in tx.claims:
            address, amount = self.coins[claim]
            spent += amount
            self.put(self.coins, claim, None)
            self.put(self.at, address, tuple(one for one in self.at[address] if one != claim))
        if tx.leg is not None and tx.path is not None:
            self.note(tx.leg, Event(height, spent, tx.txid, True, tx.path.name, tx.preimages))
        for i, (address, _, amount) in enumerate(tx.outs):
            point = f"{tx.txid}:{i}"
            self.put(self.coins, point, (address, amount))
            self.put(self.at, address, (*self.at.get(address, ()), point))
            self.note(address, Event(height, amount, tx.txid))
        return True

    def fills(self, amount: int, total: int) -> int:
        return amount

    def unconfirmed(self, address: str) -> list[Spend]:
        return [
            Spend(tx.txid, tx.path.name, sum(self.coins[claim][1] for claim in tx.claims), tx.preimages, 0)
            for tx in self.pool.values()
            if tx.leg == address and tx.path is not None and all(claim in self.coins for claim in tx.claims)
        ]

    def worth(self) -> dict[str, int]:
        return {NATIVE: sum(amount for _, amount in self.coins.values()) + self.fees[""]}


class UtxoSimWallet:
    """See `chains.port.Wallet`; the rules are those of `chains.bitcoin.wallet`."""

    def __init__(self, node: Node, ledger: UtxoLedger, seed: bytes) -> None:
        self._node = node
        self._ledger = ledger
        self._seed = seed
        self.address = f"{ledger.spec.name}-wallet-{short(seed)}"

    def key(self, nonce: bytes, label: str) -> Key:
        return key_of(self._seed, nonce, self._ledger.spec.name, label)

    async def balance(self, asset: str) -> int:
        self._node.answer()
        return sum(self._ledger.coins[point][1] for point in self._ledger.at.get(self.address, ()))

    async def fund(
        self, leg: Leg, price: int, cap: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        self._node.answer()
        coins = self._claimed(replacing) if replacing else []
        taken = {claim for tx in pending for claim in tx.claims}
        mine = self._ledger.at.get(self.address, ())
        spare = sorted((p for p in mine if p not in taken), key=lambda p: (-self._ledger.coins[p][1], p))
        price = max(price, replacing.price + 1) if replacing else price
        while True:
            total = sum(self._ledger.coins[point][1] for point in coins)
            size = FUND_SIZE + max(len(coins) - 1, 0) * INPUT_SIZE
            fee = self._fee(size, price, [replacing] if replacing else [])
            if coins and total >= leg.amount + fee:
                break
            if not spare:
                raise InsufficientFunds(self._ledger.spec.name, NATIVE, leg.amount + fee, total)
            coins.append(spare.pop(0))
        if fee > cap:
            raise FeeAboveCap(self._ledger.spec.name, fee, cap)
        change = total - leg.amount - fee
        outs = [(self._node.leg_address(leg), NATIVE, leg.amount)]
        outs += [(self.address, NATIVE, change)] if change >= DUST else []
        fee = fee if change >= DUST else total - leg.amount
        return self._sign(coins, fee, size, tuple(outs))

    async def cancel(
        self, tx: SignedTx, price: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        self._node.answer()
        beaten = [tx, replacing] if replacing else [tx]
        coins = self._claimed(tx)
        size = BACK_SIZE + (len(coins) - 1) * INPUT_SIZE
        fee = self._fee(size, max(price, *(one.price + 1 for one in (*beaten, tx))), beaten)
        total = sum(self._ledger.coins[point][1] for point in coins)
        if total - fee < DUST:
            raise InsufficientFunds(self._ledger.spec.name, NATIVE, fee + DUST, total)
        return self._sign(coins, fee, size, ((self.address, NATIVE, total - fee),))

    async def spend(
        self,
        leg: Leg,
        path: str,
        key: Key,
        preimages: Sequence[bytes],
        consents: Sequence[str],
        price: int,
        cap: int,
        pending: Sequence[SignedTx],
        replacing: SignedTx | None = None,
        idle: bool = False,
    ) -> SignedTx:
        self._node.answer()
        chain, ledger, policy = self._ledger.spec.name, self._ledger, leg.path(path)
        if key.public != policy.to:
            raise BadKey(key.public, f"path {path!r} pays {policy.to}")
        if not opens(policy.hashes, preimages):
            raise WouldFail(chain, "the preimages do not open the path")
        if policy.after is not None and ledger.clock(self._node.height) <= policy.after:
            raise WouldFail(chain, "the path is not open yet")
        address = self._node.leg_address(leg)
        attested = [] if policy.quorum is None else self._standing(leg, address, replacing)[:1]
        if not agreed(policy, address, "".join(attested), consents):
            raise WouldFail(chain, "the consent is not for what stands at the leg")
        coins = attested or self._standing(leg, address, replacing)  # a quorum signs for one coin
        price = max(price, replacing.price + 1) if replacing else price
        size = SPEND_SIZE + (len(coins) - 1) * INPUT_SIZE
        fee = self._fee(size, price, [replacing] if replacing else [])
        total = sum(ledger.coins[point][1] for point in coins)
        if fee > cap:
            raise FeeAboveCap(chain, fee, cap)
        if total - fee < DUST:
            raise NothingToSpend(chain, address)
        outs = ((self.address, NATIVE, total - fee),)
        return self._sign(coins, fee, size, outs, address, leg.path(path), tuple(preimages))

    def _standing(self, leg: Leg, address: str, replacing: SignedTx | None) -> list[str]:
        """The coin every spend takes comes first; those that came besides follow."""
        points = list(self._ledger.at.get(address, ()))
        if replacing is not None:
            main = [point for point in points if point == replacing.claims[0]]
        else:
            full = [point for point in points if self._ledger.coins[point][1] >= leg.amount]
            main = (full or sorted(points, key=lambda point: -self._ledger.coins[point][1]))[:1]
        if not main:
            raise NothingToSpend(self._ledger.spec.name, address)
        others = [p for p in points if p != main[0] and self._ledger.coins[p][1] > 10 * INPUT_SIZE]
        return [main[0], *others]

    async def consent(self, leg: Leg, path: str, key: Key) -> str:
        self._node.answer()
        address = self._node.leg_address(leg)
        if not self._ledger.at.get(address):
            raise NothingToSpend(self._ledger.spec.name, address)
        return consent_of(key.public, self._place(leg, path, address, key.public), path)

    async def check_consent(self, leg: Leg, path: str, signer: str, consent: str) -> bool:
        self._node.answer()
        address = self._node.leg_address(leg)
        if not self._ledger.at.get(address):
            return False
        return consent == consent_of(signer, self._place(leg, path, address, signer), path)

    # --- inside ------------------------------------------------------------------------------------------

    def _place(self, leg: Leg, path: str, address: str, signer: str) -> str:
        """What a signature is for: the leg, or of a member of a quorum the coin that stands there."""
        quorum = leg.path(path).quorum
        member = quorum is not None and signer in quorum.members
        return self._standing(leg, address, None)[0] if member else address

    def _claimed(self, tx: SignedTx) -> list[str]:
        if any(claim not in self._ledger.coins for claim in tx.claims):
            raise WouldFail(self._ledger.spec.name, f"a coin that {tx.txid} claims is spent")
        return list(tx.claims)

    def _fee(self, size: int, price: int, beaten: Sequence[SignedTx]) -> int:
        least = max((tx.fee for tx in beaten), default=0)
        step = size * self._ledger.spec.step // 1000 + 1 if beaten else 0
        return max(-(-size * price // 1000), least + step)

    def _sign(
        self,
        coins: Sequence[str],
        fee: int,
        size: int,
        outs: tuple[tuple[str, str, int], ...],
        leg: str | None = None,
        path: object = None,
        preimages: tuple[bytes, ...] = (),
    ) -> SignedTx:
        txid = self._ledger.fresh(coins, fee, outs)
        price = fee * 1000 // size
        tx = SimTx(txid, self._node.owner, tuple(coins), price, fee, size, outs, leg, path, preimages)  # type: ignore[arg-type]
        return self._ledger.register(tx)
