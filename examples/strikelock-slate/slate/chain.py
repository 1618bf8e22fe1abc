"""A connection to the file: the port's Chain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chains.errors import BadAsset, BadPolicy, ChainUnavailable, StaleTip, WrongNetwork
from chains.legs import NATIVE, Leg
from chains.port import FeeEstimate, LegAddress, LegFacts, SignedTx, Snapshot, Spend, Tip, TxPhase, TxState
from slate.ledger import DECIMALS, Ledger, Moved, State, check_account, leg_address
from slate.settings import SlateSettings
from slate.wallet import SlateWallet

POLL_SECONDS = 0.1
ECONOMICAL, URGENT, FLOOR = 10, 100, 1  # units for a transaction, whatever its size


class SlateChain:
    """See `chains.port.Chain`."""

    family = "slate"
    ordered = True  # nonces: a gap blocks what follows
    price_unit = "units"
    price_step = 1
    size_unit = "transactions"
    usual_size = 1

    def __init__(self, name: str, settings: SlateSettings, clock: Callable[[], float]) -> None:
        self.name = name
        self.identity = f"slate:{settings.network}"
        self.timing = settings.timings()
        self._settings = settings
        self._ledger = Ledger(settings.file)
        self._clock = clock
        self._legs: dict[str, Leg] = {}
        self._open = False

    # --- legs

    def check(self, leg: Leg) -> None:
        leg.check()
        if leg.chain != self.name:
            raise BadPolicy(f"the leg is for chain {leg.chain!r}, this is {self.name!r}")
        self.asset(leg.asset)
        for path in leg.paths:
            if path.quorum is not None:
                raise BadPolicy("there are no quorums here")
            for account in (path.to, *path.signers):
                check_account(account)

    def address(self, leg: Leg) -> LegAddress:
        return LegAddress(self.name, leg_address(leg), script=None, descriptor=None, terms_hash=None)

    def asset(self, text: str) -> str:
        if text != NATIVE:
            raise BadAsset(self.name, text)
        return NATIVE

    async def decimals(self, asset: str) -> int:
        self.asset(asset)
        return DECIMALS

    def fee(self, size: int, price: int) -> int:
        return size * price

    def claim_cost(self, leg: Leg, path: str, price: int) -> int:
        leg.path(path)
        return price

    # --- life

    async def open(self) -> None:
        """Probe before use: a wrong network must be found out here, and not by money that is gone."""
        if not self._settings.file.exists():
            raise ChainUnavailable(self.name, f"there is no {self._settings.file}")
        if self._settings.file.stem != self._settings.network:
            raise WrongNetwork(self.name, self.identity, f"slate:{self._settings.file.stem}")
        self._open = True

    async def close(self) -> None:
        self._open = False

    def wallet(self, seed: bytes) -> SlateWallet:
        return SlateWallet(self.name, self._ledger, seed)

    # --- looking

    async def watch(self, leg: Leg, since: int) -> None:
        self._legs[leg_address(leg)] = leg

    async def unwatch(self, leg: Leg) -> None:
        self._legs.pop(leg_address(leg), None)

    async def look(self) -> Snapshot:
        if not self._open:
            raise ChainUnavailable(self.name, "it is not open")
        tip, state = self._ledger.tip(), self._ledger.state()
        age = int(self._clock()) - tip.stamp
        if age > self.timing.stale_after:
            raise StaleTip(self.name, age, self.timing.stale_after)
        facts = {address: _facts(leg, address, state, tip.height) for address, leg in self._legs.items()}
        return Snapshot(Tip(tip.height, tip.hash, tip.stamp, tip.stamp), facts)

    async def wait(self, seen: str, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while self._ledger.tip().hash == seen:
            pause = min(POLL_SECONDS, end - loop.time())
            if pause <= 0:
                return
            await asyncio.sleep(pause)

    # --- acting

    async def fees(self) -> FeeEstimate:
        return FeeEstimate(ECONOMICAL, URGENT, FLOOR)

    async def broadcast(self, tx: SignedTx) -> None:
        self._ledger.send(self.name, tx.raw)

    async def trace(self, tx: SignedTx, since: int) -> TxState:
        state, height = self._ledger.state(), self._ledger.tip().height
        if tx.txid in state.mined:
            at, succeeded = state.mined[tx.txid]
            return TxState(TxPhase.MINED, height - at + 1, succeeded, tx.price, 1)
        if tx.claims[0] in state.used:
            return TxState(TxPhase.DISPLACED, height - state.used[tx.claims[0]][0] + 1)
        return TxState(TxPhase.PENDING if tx.txid in self._ledger.pool() else TxPhase.UNSEEN)


def _facts(leg: Leg, address: str, state: State, height: int) -> LegFacts:
    """From what came and went to the facts of a leg. Full is what all deposits together make: since the block in
    which that came to be, whatever was spent afterwards."""
    moves = state.moves.get(address, [])
    return LegFacts(
        full=_full(leg, moves, height),
        held=state.balances.get(address, 0),
        spends=tuple(
            Spend(one.txid, one.path, one.amount, one.preimages, height - one.height + 1)
            for one in moves
            if one.path is not None
        ),
    )


def _full(leg: Leg, moves: list[Moved], height: int) -> int | None:
    came = 0
    for one in moves:
        came += one.amount if one.path is None else 0
        if came >= leg.amount:
            return height - one.height + 1
    return None
