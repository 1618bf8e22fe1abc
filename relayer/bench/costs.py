"""What a leg costs on each chain: every step of it done on a real node, sizes and gas read off the chain."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from chains.evm.measure import measure_costs
from chains.evm.measure_light_client import measure_light_client
from chains.legs import NATIVE, Leg
from chains.legs import Path as LegPath
from chains.port import Chain, SignedTx, Wallet
from chains.registry import make_chain
from relayer.testing.world import EVM_NAMES, World

SATOSHIS = 1_000_000
CAP = 10**30  # no fee is refused: sizes are measured, not prices


async def measure(names: tuple[str, ...], folder: Path) -> dict[str, dict[str, int]]:
    """Costs by chain: virtual bytes on UTXO chains, gas on EVM."""
    async with World(names, folder) as world:
        return {name: await (_evm if name in EVM_NAMES else _utxo)(world, name) for name in names}


# --- UTXO ------------------------------------------------------------------------------------------------


async def _utxo(world: World, name: str) -> dict[str, int]:
    """One input, one P2WPKH output; fund with change. The release is that of an option's collateral."""
    bench = await _Bench.open(world, name)
    try:
        preimages = (os.urandom(32), os.urandom(32))
        swap = bench.leg(
            LegPath("claim", bench.key("b"), (_hash(preimages[0]),)),
            LegPath("refund", bench.key("w"), after=world.time),
        )
        collateral = bench.leg(
            LegPath("exercise", bench.key("b1"), tuple(map(_hash, preimages))),
            LegPath("refund", bench.key("w1"), after=world.time),
            LegPath("release", bench.key("w1"), signers=(bench.key("b2"),)),
        )
        fund, claim = await bench.lock(swap), await bench.spend(swap, "claim", "b", preimages[:1])
        await bench.lock(swap)
        await world.step(7200)
        for _ in range(12):  # until median time is past the refund's
            await world.step()
        refund = await bench.spend(swap, "refund", "w")
        await bench.lock(collateral)
        release = await bench.spend(collateral, "release", "w1", consent="b2")
        return {"fund_vbytes": fund, "claim_vbytes": claim, "refund_vbytes": refund, "release_vbytes": release}
    finally:
        await bench.chain.close()


class _Bench:
    """A wallet on a UTXO chain that plays both parties."""

    def __init__(self, world: World, chain: Chain, wallet: Wallet) -> None:
        self.world, self.chain, self.wallet = world, chain, wallet
        self.nonce = os.urandom(16)

    @classmethod
    async def open(cls, world: World, name: str) -> _Bench:
        chain = make_chain(name, world.settings(name), world.clock)
        await chain.open()
        bench = cls(world, chain, chain.wallet(os.urandom(64)))
        await world.pay(name, NATIVE, bench.wallet.address, 100 * SATOSHIS)
        await world.step()
        await chain.look()
        return bench

    def key(self, label: str) -> str:
        return self.wallet.key(self.nonce, label).public

    def leg(self, *paths: LegPath) -> Leg:
        return Leg(self.chain.name, NATIVE, SATOSHIS, os.urandom(32), paths)

    async def lock(self, leg: Leg) -> int:
        await self.chain.watch(leg, 0)
        estimate = await self.chain.fees()
        return await self._mine(await self.wallet.fund(leg, estimate.economical, CAP, ()))

    async def spend(
        self, leg: Leg, path: str, label: str, preimages: tuple[bytes, ...] = (), consent: str | None = None
    ) -> int:
        consents = [await self.wallet.consent(leg, path, self.wallet.key(self.nonce, consent))] if consent else []
        estimate = await self.chain.fees()
        key = self.wallet.key(self.nonce, label)
        return await self._mine(
            await self.wallet.spend(leg, path, key, preimages, consents, estimate.economical, CAP, ())
        )

    async def _mine(self, tx: SignedTx) -> int:
        await self.chain.broadcast(tx)
        await self.world.step()
        await self.chain.look()
        return (await self.chain.trace(tx, 0)).size


# --- EVM -------------------------------------------------------------------------------------------------


async def _evm(world: World, name: str) -> dict[str, int]:
    """Receipts of a third party that pushes two-path claims to an account that exists and holds the asset; and of
    Bitcoin's headers and proofs."""
    node = world.anvil(name)
    await node.rpc("evm_setAutomine", True)
    secret = bytes.fromhex(next(iter(node.accounts.values()))[2:])
    return await measure_costs(node.url, secret) | await measure_light_client(node.url, secret)


def _hash(preimage: bytes) -> bytes:
    return hashlib.sha256(preimage).digest()
