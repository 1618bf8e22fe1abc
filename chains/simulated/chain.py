"""A party's connection to a simulated chain: the port's Chain."""

from __future__ import annotations

from collections.abc import Callable

from chains.errors import BadAsset, BadPolicy, StaleTip
from chains.legs import NATIVE, Leg
from chains.port import FeeEstimate, LegAddress, SignedTx, Snapshot, TxPhase, TxState, Wallet
from chains.simulated.account import AccountLedger, AccountSimWallet
from chains.simulated.ledger import NOTHING, Ledger
from chains.simulated.node import Node
from chains.simulated.utxo import UtxoLedger, UtxoSimWallet

TOKEN = "token"  # noqa: S105 - the one asset that account chains have besides their coin
UNSEEN, PENDING = TxState(TxPhase.UNSEEN), TxState(TxPhase.PENDING)
USUAL_SIZES = {"utxo": 200, "account": 100_000}  # as of the adapters


class SimChain:
    """See `chains.port.Chain`. It keeps nothing that a new connection to the same node would not have."""

    def __init__(self, ledger: Ledger, node: Node, clock: Callable[[], float]) -> None:
        spec = ledger.spec
        self.name = spec.name
        self.family = f"simulated-{spec.family}"
        self.identity = f"simulated:{spec.name}"
        self.timing = spec.timing
        self.ordered = spec.family == "account"
        self.price_unit = "sat/kvB" if spec.family == "utxo" else "wei"
        self.price_step = spec.step
        self.size_unit = "vbytes" if spec.family == "utxo" else "gas"
        self.usual_size = USUAL_SIZES[spec.family]
        self.node = node
        self._ledger = ledger
        self._clock = clock
        self._legs: dict[str, Leg] = {}
        self._known: tuple[tuple[int, int, int], Snapshot] | None = None

    # --- legs

    def check(self, leg: Leg) -> None:
        if leg.chain != self.name:
            raise BadPolicy(f"the leg is for chain {leg.chain!r}, this is {self.name!r}")
        self.asset(leg.asset)
        leg.check()

    def address(self, leg: Leg) -> LegAddress:
        return LegAddress(self.name, self.node.leg_address(leg), None, None, None)

    def asset(self, text: str) -> str:
        if text == NATIVE or (text == TOKEN and self.ordered):
            return text
        raise BadAsset(self.name, text)

    async def decimals(self, asset: str) -> int:
        return 8 if self._ledger.spec.family == "utxo" else 18

    def fee(self, size: int, price: int) -> int:
        return -(-size * price // self._ledger.spec.scale)

    def claim_cost(self, leg: Leg, path: str, price: int) -> int:
        return self.fee(self.usual_size, price)

    # --- life

    async def open(self) -> None:
        self.node.answer()

    async def close(self) -> None:
        return

    def wallet(self, seed: bytes) -> Wallet:
        if isinstance(self._ledger, UtxoLedger):
            return UtxoSimWallet(self.node, self._ledger, seed)
        assert isinstance(self._ledger, AccountLedger)  # noqa: S101 - there are two families
        return AccountSimWallet(self.node, self._ledger, seed)

    # --- looking

    async def watch(self, leg: Leg, since: int) -> None:
        self._legs[self.node.leg_address(leg)] = leg
        self._known = None

    async def unwatch(self, leg: Leg) -> None:
        self._legs.pop(self.node.leg_address(leg), None)
        self._known = None

    async def look(self) -> Snapshot:
        return self.glimpse()

    def glimpse(self) -> Snapshot:
        """What `look` returns."""
        self.node.answer()
        ledger, height = self._ledger, self.node.height
        state = (height, len(ledger.stamps), ledger.moved)
        if self._known is not None and self._known[0] == state:
            found = self._known[1]
        else:
            history = ledger.history
            facts = {
                address: ledger.facts(address, leg, height) if address in history else NOTHING
                for address, leg in self._legs.items()
            }
            found = Snapshot(ledger.tip(height), facts)
            self._known = (state, found)
        age = int(self._clock()) - found.tip.stamp
        if age > self.timing.stale_after:
            raise StaleTip(self.name, age, self.timing.stale_after)
        return found

    async def wait(self, seen: str, timeout: float) -> None:
        """Returns at once: whoever runs the simulation says when anybody looks."""
        return

    # --- acting

    async def fees(self) -> FeeEstimate:
        return self.node.fees()

    async def broadcast(self, tx: SignedTx) -> None:
        self.node.send(self._ledger.known[tx.txid])

    async def trace(self, tx: SignedTx, since: int) -> TxState:
        self.node.answer()
        ledger, height = self._ledger, self.node.height
        mined = ledger.mined.get(tx.txid)
        if mined is not None and mined[0] <= height:
            known = ledger.known[tx.txid]
            return TxState(TxPhase.MINED, height - mined[0] + 1, mined[1], known.fee, known.size)
        for claim in tx.claims:
            used = ledger.used.get(claim)
            if used is not None and used[1] <= height and used[0] != tx.txid:
                return TxState(TxPhase.DISPLACED, height - used[1] + 1)
        pending = tx.txid in ledger.pool or mined is not None
        return PENDING if pending else UNSEEN
