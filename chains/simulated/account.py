"""A chain of accounts: nonces in order, vaults whose money is a balance, transactions that revert and cost all the
same, one replacement rule: a tenth more."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from chains.errors import AccountBusy, FeeAboveCap, InsufficientFunds, NothingToSpend, WouldFail
from chains.legs import NATIVE, Leg, Path
from chains.port import Key, SignedTx
from chains.simulated.keys import agreed, consent_of, opens, short
from chains.simulated.ledger import Event, Ledger, SimTx
from chains.simulated.node import Node
from chains.simulated.spec import ChainSpec

PAY_GAS, SPEND_GAS, BACK_GAS = 50_000, 80_000, 21_000
BUMP = (9, 8)


class AccountLedger(Ledger):
    """balances: units by (address, asset). nonces: used up, by account. legs: the vaults' asset by address."""

    def __init__(self, spec: ChainSpec, rng: Random, begin: int) -> None:
        super().__init__(spec, rng, begin)
        self.balances: dict[tuple[str, str], int] = {}
        self.nonces: dict[str, int] = {}
        self.issued: dict[str, int] = {}

    def endow(self, address: str, asset: str, amount: int) -> None:
        """Money from nowhere, before everything begins."""
        self.balances[address, asset] = self.balances.get((address, asset), 0) + amount
        self.issued[asset] = self.issued.get(asset, 0) + amount

    def refusal(self, tx: SimTx) -> str | None:
        account, nonce = split(tx.claims[0])
        return "nonce too low" if nonce < self.nonces.get(account, 0) else None

    def beats(self, tx: SimTx, rivals: list[SimTx]) -> str | None:
        enough = all(tx.price * 10 >= rival.price * 11 for rival in rivals)
        return None if enough else "replacement transaction underpriced"

    def valid(self, tx: SimTx, clock: int) -> bool:
        account, nonce = split(tx.claims[0])
        return nonce == self.nonces.get(account, 0) and self.balances.get((account, NATIVE), 0) >= tx.fee

    def apply(self, tx: SimTx, height: int, clock: int) -> bool:
        account, nonce = split(tx.claims[0])
        self.put(self.nonces, account, nonce + 1)
        self._add(account, NATIVE, -tx.fee)
        if tx.leg is not None and tx.path is not None:
            succeeded = self._sweep(tx, tx.leg, tx.path, height, clock)
        else:
            succeeded = all(self._pay(account, out, tx, height) for out in tx.outs)
        self.book.reverts += not succeeded
        return succeeded

    def _sweep(self, tx: SimTx, vault: str, path: Path, height: int, clock: int) -> bool:
        asset = tx.outs[0][1]
        held = self.balances.get((vault, asset), 0)
        if not held or (path.after is not None and clock < path.after):
            return False
        self.note(vault, Event(height, held, tx.txid, True, path.name, tx.preimages))
        self._add(vault, asset, -held)
        self._add(path.to, asset, held)
        return True

    def _pay(self, account: str, out: tuple[str, str, int], tx: SimTx, height: int) -> bool:
        address, asset, amount = out
        if self.balances.get((account, asset), 0) < amount:
            return False
        self._add(account, asset, -amount)
        self._add(address, asset, amount)
        self.note(address, Event(height, amount, tx.txid))
        return True

    def _add(self, address: str, asset: str, amount: int) -> None:
        key = (address, asset)
        self.put(self.balances, key, self.balances.get(key, 0) + amount)

    def fills(self, amount: int, total: int) -> int:
        return total

    def worth(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for (_, asset), amount in self.balances.items():
            found[asset] = found.get(asset, 0) + amount
        found[NATIVE] = found.get(NATIVE, 0) + self.fees[""]
        return found


def split(claim: str) -> tuple[str, int]:
    """Account and nonce of a claim."""
    account, _, nonce = claim.rpartition(":")
    return account, int(nonce)


class AccountSimWallet:
    """See `chains.port.Wallet`; the rules are those of `chains.evm.wallet`."""

    def __init__(self, node: Node, ledger: AccountLedger, seed: bytes) -> None:
        self._node = node
        self._ledger = ledger
        self._seed = seed
        self.address = f"{ledger.spec.name}-account-{short(seed)}"

    def key(self, nonce: bytes, label: str) -> Key:
        return Key(self.address, self._seed)

    async def balance(self, asset: str) -> int:
        self._node.answer()
        return self._ledger.balances.get((self.address, asset), 0)

    async def fund(
        self, leg: Leg, price: int, cap: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        self._node.answer()
        nonce = self._slot(pending, replacing)
        reserved = self._reserved(leg.asset, nonce, pending)
        available = self._ledger.balances.get((self.address, leg.asset), 0) - reserved
        if available < leg.amount:
            raise InsufficientFunds(self._ledger.spec.name, leg.asset, leg.amount, max(available, 0))
        out = (self._node.leg_address(leg), leg.asset, leg.amount)
        return self._sign(nonce, PAY_GAS, price, cap, (out,), [replacing])

    async def cancel(
        self, tx: SignedTx, price: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        self._node.answer()
        nonce = self._slot(pending, tx)
        return self._sign(nonce, BACK_GAS, price, None, (), [tx, replacing])

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
        chain, policy = self._ledger.spec.name, leg.path(path)
        address = self._node.leg_address(leg)
        if not opens(policy.hashes, preimages):
            raise WouldFail(chain, "bad witness")
        if not agreed(policy, address, address, consents):
            raise WouldFail(chain, "bad signature")
        nonce = self._slot(pending, replacing)
        if idle and any(self._nonce(tx) != nonce for tx in self._flying(pending)):
            raise AccountBusy(chain, self.address)
        if not self._ledger.balances.get((address, leg.asset), 0):
            raise NothingToSpend(chain, address)
        if policy.after is not None and self._ledger.clock(self._node.height) < policy.after:
            raise WouldFail(chain, "too early")
        out = (policy.to, leg.asset, leg.amount)
        return self._sign(nonce, SPEND_GAS, price, cap, (out,), [replacing], address, policy, tuple(preimages))

    async def consent(self, leg: Leg, path: str, key: Key) -> str:
        return consent_of(key.public, self._node.leg_address(leg), path)

    async def check_consent(self, leg: Leg, path: str, signer: str, consent: str) -> bool:
        self._node.answer()
        return consent == consent_of(signer, self._node.leg_address(leg), path)

    # --- inside ------------------------------------------------------------------------------------------

    def _nonce(self, tx: SignedTx) -> int:
        return split(tx.claims[0])[1]

    def _used(self) -> int:
        return self._ledger.nonces.get(self.address, 0)

    def _flying(self, pending: Sequence[SignedTx]) -> list[SignedTx]:
        return [tx for tx in pending if self._nonce(tx) >= self._used()]

    def _slot(self, pending: Sequence[SignedTx], replacing: SignedTx | None) -> int:
        if replacing is not None:
            nonce = self._nonce(replacing)
            if nonce < self._used():
                raise WouldFail(self._ledger.spec.name, f"nonce {nonce} was used by a mined transaction")
            return nonce
        taken = {self._nonce(tx) for tx in pending}
        nonce = self._used()
        while nonce in taken or f"{self.address}:{nonce}" in self._ledger.claimed:
            nonce += 1
        return nonce

    def _reserved(self, asset: str, own: int, pending: Sequence[SignedTx]) -> int:
        """What other transactions of ours will take, of each nonce the dearest."""
        taken: dict[int, int] = {}
        for tx in self._flying(pending):
            nonce = self._nonce(tx)
            if nonce == own:
                continue
            inner = self._ledger.known[tx.txid]
            paid = sum(out[2] for out in inner.outs if out[1] == asset) if inner.leg is None else 0
            taken[nonce] = max(taken.get(nonce, 0), paid + (tx.fee if asset == NATIVE else 0))
        return sum(taken.values())

    def _sign(
        self,
        nonce: int,
        gas: int,
        price: int,
        cap: int | None,
        outs: tuple[tuple[str, str, int], ...],
        beaten: Sequence[SignedTx | None],
        leg: str | None = None,
        path: Path | None = None,
        preimages: tuple[bytes, ...] = (),
    ) -> SignedTx:
        chain = self._ledger.spec.name
        price = max([price, *(-(-tx.price * BUMP[0] // BUMP[1]) + 1 for tx in beaten if tx is not None)])
        fee = gas * price
        if cap is not None and fee > cap:
            raise FeeAboveCap(chain, fee, cap)
        if fee > self._ledger.balances.get((self.address, NATIVE), 0):
            raise InsufficientFunds(chain, NATIVE, fee, self._ledger.balances.get((self.address, NATIVE), 0))
        txid = self._ledger.fresh(self.address, nonce, price, outs)
        claims = (f"{self.address}:{nonce}",)
        tx = SimTx(txid, self._node.owner, claims, price, fee, gas, outs, leg, path, preimages)
        return self._ledger.register(tx)
