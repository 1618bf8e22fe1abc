"""A running bitcoind or litecoind with our chain opened on it, two parties, and verbs for tests."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from chains.bitcoin.chain import UtxoChain
from chains.bitcoin.family import FAMILY
from chains.bitcoin.wallet import UtxoWallet
from chains.legs import Leg, Path
from chains.port import Key, LegFacts, SignedTx, TxPhase, TxState
from chains.testing.bitcoind import Bitcoind

COIN = 10**8
AMOUNT = 1_000_000
PRICE = 2_000  # sat/kvB
PLENTY = COIN  # a fee cap that never binds


def preimage(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def lock(text: str) -> bytes:
    return hashlib.sha256(preimage(text)).digest()


@dataclass
class Party:
    """A wallet and one nonce for the keys of its deal."""

    wallet: UtxoWallet
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def key(self, label: str) -> Key:
        return self.wallet.key(self.nonce, label)

    def public(self, label: str) -> str:
        return self.key(label).public


@dataclass
class World:
    """Blocks are mined when a test says so."""

    node: Bitcoind
    chain: UtxoChain = field(init=False)
    others: list[UtxoChain] = field(default_factory=list)

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {"coin": self.node.params.name, "network": "regtest", "url": self.node.url, "patience": 5} | changes

    async def another(self, **changes: Any) -> UtxoChain:
        """A second connection, as another party or a restarted one has it."""
        chain = FAMILY.make(self.node.params.name, self.settings(**changes))
        self.others.append(chain)
        await chain.open()
        return chain

    # --- parties

    async def party(self, *coins: int, chain: UtxoChain | None = None, seed: bytes | None = None) -> Party:
        """A party with confirmed coins of these amounts."""
        wallet = (chain or self.chain).wallet(seed or secrets.token_bytes(64))
        for amount in coins:
            await self.node.send(wallet.address, amount)
        if coins:
            await self.node.mine()
        return Party(wallet)

    # --- legs

    async def leg(self, *paths: Path, amount: int = AMOUNT, chain: UtxoChain | None = None) -> Leg:
        """A checked leg, watched from now on."""
        chain = chain or self.chain
        leg = Leg(chain.name, "native", amount, secrets.token_bytes(32), paths)
        chain.check(leg)
        await chain.watch(leg, await self.node.height())
        return leg

    async def swap(self, payer: Party, payee: Party, after: int | None = None, amount: int = AMOUNT) -> Leg:
        """A swap's leg: `payee` claims with the preimage "s", `payer` gets it back after `after`."""
        after = after or await self.node.clock() + 3600
        return await self.leg(
            Path("claim", payee.public("to"), (lock("s"),)),
            Path("refund", payer.public("back"), after=after),
            amount=amount,
        )

    async def collateral(self, writer: Party, holder: Party, after: int | None = None) -> Leg:
        """A covered option's collateral."""
        after = after or await self.node.clock() + 3600
        return await self.leg(
            Path("exercise", holder.public("to"), (lock("a"), lock("e"))),
            Path("refund", writer.public("back"), after=after),
            Path("release", writer.public("back"), signers=(holder.public("signer"),)),
        )

    def address(self, leg: Leg) -> str:
        return self.chain.address(leg).address

    async def facts(self, leg: Leg, chain: UtxoChain | None = None) -> LegFacts:
        return (await (chain or self.chain).look()).legs[self.address(leg)]

    # --- transactions

    async def fund(self, payer: Party, leg: Leg) -> SignedTx:
        """Fund a leg from a party's wallet and mine it."""
        tx = await payer.wallet.fund(leg, PRICE, PLENTY, [])
        await self.mine(tx)
        return tx

    async def mine(self, *txs: SignedTx) -> None:
        """Broadcast and mine; each must have been mined."""
        for tx in txs:
            await self.chain.broadcast(tx)
        await self.node.mine()
        for tx in txs:
            assert (await self.trace(tx)).phase is TxPhase.MINED

    async def trace(self, tx: SignedTx, chain: UtxoChain | None = None, since: int | None = None) -> TxState:
        await (chain or self.chain).look()
        return await (chain or self.chain).trace(tx, await self.node.height() if since is None else since)


@asynccontextmanager
async def world(node: Bitcoind) -> AsyncIterator[World]:
    """Our chain, opened on a node."""
    made = World(node)
    try:
        made.chain = await made.another()
        yield made
    finally:
        for chain in made.others:
            await chain.close()
