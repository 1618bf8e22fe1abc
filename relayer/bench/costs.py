"""What a leg costs on each chain: every step of it done on a real node, sizes and gas read off the chain."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chains.evm import vaults
from chains.evm.codec import checksum_address
from chains.evm.vaults import VaultSpend
from chains.legs import NATIVE, Leg
from chains.legs import Path as LegPath
from chains.port import Chain, SignedTx, Wallet
from chains.registry import make_chain
from chains.testing.anvil import Anvil
from relayer.testing.world import EVM_NAMES, World

SATOSHIS = 1_000_000
WEI = 10**17
TOKENS = 10**6
BATCH = 5  # items beyond the first, over which the extra cost of one is averaged
ALLOWANCE = 120_000  # gas for each item of a batch
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
    """Receipts of a third party that pushes two-path claims to an account that exists and holds the asset."""
    node, factory = world.anvil(name), world.factories[name]
    await node.rpc("evm_setAutomine", True)
    push = _Pusher(node, factory, world.tokens[name])
    recipient = list(node.accounts)[1]
    await push.give(world.tokens[name], recipient, TOKENS)
    found: dict[str, int] = {}
    for asset, label in ((NATIVE, "native"), (world.tokens[name], "erc20")):
        leg, preimage = push.leg(asset, recipient)
        found[f"lock_{label}_gas"] = await push.lock(leg)
        found[f"spend_{label}_gas"] = await push.spend(leg, preimage)
        one = await push.batch(asset, recipient, 1)
        found[f"batch_extra_{label}_gas"] = -(-(await push.batch(asset, recipient, 1 + BATCH) - one) // BATCH)
    return found


class _Pusher:
    """The node's first account, which funds and spends vaults for others."""

    def __init__(self, node: Anvil, factory: str, token: str) -> None:
        self._node, self._factory, self._token = node, factory, token
        self._account = next(iter(node.accounts))

    def leg(self, asset: str, recipient: str) -> tuple[Leg, bytes]:
        preimage = os.urandom(32)
        to = checksum_address(bytes.fromhex(recipient[2:]))
        paths = (LegPath("claim", to, (_hash(preimage),)), LegPath("refund", self._ours(), after=2**31 - 1))
        return Leg("evm", asset, WEI if asset == NATIVE else TOKENS, os.urandom(32), paths), preimage

    def _ours(self) -> str:
        return checksum_address(bytes.fromhex(self._account[2:]))

    async def lock(self, leg: Leg) -> int:
        address = vaults.vault_address(leg, self._node.chain_id, self._factory)
        if leg.asset == NATIVE:
            return await self._send({"to": address, "value": hex(leg.amount)})
        await self.give(leg.asset, self._account, leg.amount)
        return await self._send({"to": leg.asset, "data": _hex(vaults.transfer_calldata(address, leg.amount))})

    async def spend(self, leg: Leg, preimage: bytes) -> int:
        data = vaults.spend_calldata(leg, 0, self._node.chain_id, leg.asset, (preimage,))
        return await self._send({"to": self._factory, "data": _hex(data)})

    async def batch(self, asset: str, recipient: str, size: int) -> int:
        items = []
        for _ in range(size):
            leg, preimage = self.leg(asset, recipient)
            await self.lock(leg)
            items.append(VaultSpend(leg, 0, self._node.chain_id, (preimage,)))
        data = vaults.batch_calldata(asset, ALLOWANCE, items)
        return await self._send({"to": self._factory, "data": _hex(data), "gas": hex(size * ALLOWANCE + 200_000)})

    async def give(self, token: str, to: str, amount: int) -> None:
        from chains.evm.deploy import mint

        secret = bytes.fromhex(self._node.accounts[self._account][2:])
        await mint(self._node.url, secret, token, to, amount)

    async def _send(self, fields: Mapping[str, Any]) -> int:
        txid = await self._node.rpc("eth_sendTransaction", {"from": self._account, **fields})
        return int((await self._node.receipt(txid))["gasUsed"], 16)


def _hash(preimage: bytes) -> bytes:
    return hashlib.sha256(preimage).digest()


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
