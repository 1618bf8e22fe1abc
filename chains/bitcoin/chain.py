"""A chain of the UTXO family: the port's Chain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from chains.bitcoin import presigned
from chains.bitcoin.compiler import compile_policy
from chains.bitcoin.encoding import segwit_address
from chains.bitcoin.facts import WatchedLeg
from chains.bitcoin.follower import Follower
from chains.bitcoin.node import Node
from chains.bitcoin.params import GENESIS_PREFIX
from chains.bitcoin.rpc import Rpc
from chains.bitcoin.settings import UtxoSettings
from chains.bitcoin.tracing import Tracer
from chains.bitcoin.transaction import OUTPUT_P2WPKH_WEIGHT, OVERHEAD_WEIGHT, fee_for
from chains.bitcoin.wallet import UtxoWallet
from chains.errors import (
    BadAmount,
    BadAsset,
    BadPolicy,
    ChainUnavailable,
    Dust,
    Rejected,
    StaleTip,
    UnsupportedChain,
    WrongNetwork,
)
from chains.extras import Presigned
from chains.legs import NATIVE, Leg
from chains.port import FeeEstimate, LegAddress, SignedTx, Snapshot, TxState

URGENT_TARGET: Final = 2  # blocks; estimatesmartfee knows no smaller one
ECONOMICAL_TARGET: Final = 6
NEEDED: Final = {"bip65": "CHECKLOCKTIMEVERIFY", "csv": "median time past", "segwit": "segregated witness"}
MAX_POLL: Final = 2.0  # seconds between two questions while waiting
POLLS_PER_BLOCK: Final = 10
GLANCE_SHARE: Final = 10  # of the time that we wait, a tenth at most goes into questions about our coins

DECIMALS = 8  # of a coin, on every chain of the family


class UtxoChain:
    """One node, one follower, any number of legs and wallets. `clock` tells whether the tip is stale."""

    family = "bitcoin"
    ordered = False
    price_unit = "sat/kvB"
    price_step = 1000  # BIP125, at the usual incremental relay fee of 1 sat/vB
    size_unit = "vbytes"
    usual_size = 200

    def __init__(self, name: str, settings: UtxoSettings, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self.settings = settings
        self.clock = clock
        self.network = settings.params
        self.identity = self.network.identity
        self.timing = self.network.timing
        self.rpc = Rpc(name, settings)
        self._node = Node(name, self.rpc)
        self._follower = Follower(name, self.network, self._node, settings.scan_timeout)
        self._tracer = Tracer(self._node, self._follower)
        self._legs: dict[str, WatchedLeg] = {}  # by address
        self._fit = False  # whether the node was probed since the connection was opened
        self._shown: dict[bytes, str] = {}  # what the mempool spent of our legs at the last look
        self._rest_until = 0.0  # the event loop's time before which the mempool is left alone while waiting
        self._poll = settings.poll or min(self.timing.interval / POLLS_PER_BLOCK, MAX_POLL)

    # --- legs

    def check(self, leg: Leg) -> None:
        """See the port. Raises BadKey, BadPolicy, BadHash, BadTime, BadAmount, Dust, BadAsset."""
        leg.check()
        if leg.chain != self.name:
            raise BadPolicy(f"the leg is for chain {leg.chain!r}, this is {self.name!r}")
        self.asset(leg.asset)
        if leg.amount > self.network.supply:
            raise BadAmount(leg.amount, f"there are never more than {self.network.supply}")
        if leg.amount < self.network.dust_p2wsh:
            raise Dust(leg.amount, f"nodes relay no output below {self.network.dust_p2wsh}")
        price = self.network.dust_price
        worst = max(self.claim_cost(leg, path.name, price) for path in leg.paths)
        if leg.amount < worst + self.network.dust_p2wpkh:
            raise Dust(leg.amount, f"at {price} {self.price_unit} a spend costs {worst}")

    def address(self, leg: Leg) -> LegAddress:
        """See the port. Raises BadKey, BadPolicy."""
        contract = compile_policy(leg.paths)
        return LegAddress(
            chain=self.name,
            address=segwit_address(self.network.hrp, contract.output),
            script=contract.script.hex(),
            descriptor=contract.descriptor,
            terms_hash=None,
        )

    def asset(self, text: str) -> str:
        """See the port: a UTXO chain has its own coin only."""
        if text != NATIVE:
            raise BadAsset(self.name, text)
        return NATIVE

    async def decimals(self, asset: str) -> int:
        """See the port."""
        self.asset(asset)
        return DECIMALS

    def fee(self, size: int, price: int) -> int:
        """See the port."""
        return -(-size * price // 1000)

    def claim_cost(self, leg: Leg, path: str, price: int) -> int:
        """See the port: one input, one P2WPKH output."""
        leg.path(path)
        weight = compile_policy(leg.paths).input_weight(path)
        return fee_for(OVERHEAD_WEIGHT + weight + OUTPUT_P2WPKH_WEIGHT, price)

    # --- life

    async def open(self) -> None:
        """See the port."""
        await self.rpc.open()
        try:
            await self._probe()
        except BaseException:
            await self.close()
            raise
        self._fit = True

    async def _probe(self) -> None:
        """Raise unless the node is on our network, synced, and the rules that our scripts stand on bind."""
        _, genesis = await self._node.best()
        if genesis != self.network.genesis:
            raise WrongNetwork(self.name, self.identity, f"bip122:{genesis[:GENESIS_PREFIX]}")
        status = await self._node.status()
        if status["initialblockdownload"] and not self.network.private:
            raise ChainUnavailable(
                self.name, f"it still syncs, at block {status['blocks']} of {status['headers']}"
            )
        found = await self._node.deployments()
        for fork, meaning in NEEDED.items():
            if not found.get(fork, {}).get("active"):
                height = found.get(fork, {}).get("height", "no")
                raise UnsupportedChain(
                    self.name, f"{meaning} binds from block {height} on, the chain is at {status['blocks']}"
                )

    async def close(self) -> None:
        self._fit = False
        await self.rpc.close()

    def wallet(self, seed: bytes) -> UtxoWallet:
        """See the port. Its coins are looked up in the UTXO set when they are first needed."""
        return UtxoWallet(self.name, self.network, self._node, self._follower, seed, self.settings.gap_limit)

    # --- looking

    async def watch(self, leg: Leg, since: int) -> None:
        """See the port. The blocks since then are read at the next look, for all new legs together."""
        contract = compile_policy(leg.paths)
        self._legs[segwit_address(self.network.hrp, contract.output)] = WatchedLeg(leg, contract)
        await self._follower.watch(contract.output, since)

    async def unwatch(self, leg: Leg) -> None:
        """See the port."""
        contract = compile_policy(leg.paths)
        self._legs.pop(segwit_address(self.network.hrp, contract.output), None)
        await self._follower.unwatch(contract.output)

    async def look(self) -> Snapshot:
        """See the port."""
        if not self._fit:
            raise ChainUnavailable(self.name, "it is not open")
        tip = await self._follower.advance()
        age = int(self.clock() - tip.stamp)
        if age > self.timing.stale_after:
            raise StaleTip(self.name, age, self.timing.stale_after)
        ledger, mempool = self._follower.ledger, self._follower.mempool
        self._shown = mempool.spenders
        facts = {address: leg.facts(ledger, mempool) for address, leg in self._legs.items()}
        return Snapshot(tip=tip, legs=facts)

    async def wait(self, seen: str, timeout: float) -> None:
        """See the port. Asks every `poll` seconds; a fault of the node counts as a change, for `look` to raise."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while not await self._changed(seen):
            pause = min(self._poll, end - loop.time())
            if pause <= 0:
                return
            await asyncio.sleep(pause)

    async def _changed(self, seen: str) -> bool:
        best, _ = await self._node.best()
        if best != seen:
            return True
        loop = asyncio.get_running_loop()
        began = loop.time()
        if began < self._rest_until:
            return False
        found = await self._follower.mempool.glance(self._follower.standing())
        self._rest_until = loop.time() + GLANCE_SHARE * (loop.time() - began)
        return found != self._shown

    # --- acting

    async def fees(self) -> FeeEstimate:
        """See the port. While the node has no estimate, the configuration's prices serve. Where nodes refuse
        replacements, a first bid can't count on being raised, and even the economical one is urgent."""
        targets = [ECONOMICAL_TARGET if self.network.replaces else URGENT_TARGET, URGENT_TARGET]
        economical, urgent = await self._node.estimates(targets)
        floor, _ = await self._node.floors()
        fallback = self.network.fallback
        economical = economical or self.settings.fallback_economical or fallback.economical
        urgent = urgent or self.settings.fallback_urgent or fallback.urgent
        economical = max(floor, min(economical, self.settings.max_price))
        return FeeEstimate(economical, max(economical, min(urgent, self.settings.max_price)), floor)

    def complete(self, leg: Leg, spend: Presigned, preimages: Sequence[bytes] | None = None) -> SignedTx:
        """See `chains.extras.Completes`."""
        return presigned.complete(self.name, leg, spend, preimages)

    async def broadcast(self, tx: SignedTx) -> None:
        """See the port."""
        try:
            await self._node.send(tx.txid, tx.raw)
        except Rejected:
            if not self._tracer.is_mined(tx):  # its outputs may be spent already, then the node has forgotten it
                raise

    async def trace(self, tx: SignedTx, since: int) -> TxState:
        """See the port."""
        return await self._tracer.trace(tx, since)
