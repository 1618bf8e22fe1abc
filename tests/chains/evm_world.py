"""A running anvil with our factory and a token, its chain opened, and verbs for tests."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from chains.evm.adapter import EvmChain
from chains.evm.codec import address_bytes, word
from chains.evm.deploy import deploy_factory, deploy_token
from chains.evm.family import FAMILY
from chains.evm.vaults import selector, vault_address
from chains.evm.wallet import EvmWallet
from chains.legs import Leg, Path
from chains.port import LegFacts, SignedTx, TxState
from chains.testing.anvil import Anvil

ETHER = 10**18
PLENTY = 10**18  # a fee cap that never binds
TOKENS = 10**12


@dataclass
class World:
    """Blocks are mined when a test says so."""

    node: Anvil
    factory: str
    token: str
    settings: dict[str, Any]
    chain: EvmChain
    others: list[EvmChain] = field(default_factory=list)

    # --- parties

    async def wallet(self, chain: EvmChain | None = None, ether: int = ETHER, tokens: int = TOKENS) -> EvmWallet:
        """A new party's wallet with native coin and tokens."""
        wallet = (chain or self.chain).wallet(secrets.token_bytes(64))
        await self.node.rpc("anvil_setBalance", wallet.address, hex(ether))
        if tokens:
            await self.call(self.token, mint(wallet.address, tokens))
        return wallet

    async def another(self, **changes: Any) -> EvmChain:
        """A second connection, as another party or a restarted one has it."""
        chain = FAMILY.make("evm", {**self.settings, **changes})
        self.others.append(chain)
        await chain.open()
        return chain

    # --- legs

    def leg(self, asset: str, amount: int, *paths: Path, salt: bytes | None = None) -> Leg:
        leg = Leg("evm", asset, amount, salt or secrets.token_bytes(32), paths)
        self.chain.check(leg)
        return leg

    async def swap_leg(self, asset: str, amount: int, to: EvmWallet, back: EvmWallet, wait: int = 1000) -> Secret:
        """A leg that pays `to` for a preimage and `back` after `wait` seconds; watched."""
        tip = (await self.chain.look()).tip
        preimage = secrets.token_bytes(32)
        hashlock = hashlib.sha256(preimage).digest()
        paths = (Path("claim", to.address, (hashlock,)), Path("refund", back.address, after=tip.time + wait))
        leg = self.leg(asset, amount, *paths)
        await self.chain.watch(leg, tip.height)
        return Secret(leg, preimage)

    def vault(self, leg: Leg) -> str:
        return vault_address(leg, self.node.chain_id, self.factory)

    async def facts(self, leg: Leg, chain: EvmChain | None = None) -> LegFacts:
        snapshot = await (chain or self.chain).look()
        return snapshot.legs[self.vault(leg)]

    # --- transactions

    async def price(self) -> int:
        return (await self.chain.fees()).urgent

    async def fund(self, wallet: EvmWallet, leg: Leg) -> SignedTx:
        """Signed, broadcast, not mined."""
        tx = await wallet.fund(leg, await self.price(), PLENTY, [])
        await self.chain.broadcast(tx)
        return tx

    async def lock(self, wallet: EvmWallet, leg: Leg) -> SignedTx:
        """Funded and mined."""
        tx = await self.fund(wallet, leg)
        await self.node.mine()
        return tx

    async def spend(self, pusher: EvmWallet, leg: Leg, path: str, *preimages: bytes, **options: Any) -> SignedTx:
        """Signed, broadcast, not mined."""
        options.setdefault("consents", [])
        consents = options.pop("consents")
        key = pusher.key(b"", "")
        tx = await pusher.spend(leg, path, key, preimages, consents, await self.price(), PLENTY, [], **options)
        await self.chain.broadcast(tx)
        return tx

    async def trace(self, tx: SignedTx) -> TxState:
        await self.chain.look()
        return await self.chain.trace(tx, 0)

    async def call(self, to: str, data: bytes, value: int = 0) -> Mapping[str, Any]:
        """A transaction of the node's own rich account, mined."""
        sender = next(iter(self.node.accounts))
        fields = {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(value), "gas": hex(1_000_000)}
        txid = await self.node.rpc("eth_sendTransaction", fields)
        await self.node.mine()
        return await self.node.receipt(txid)

    async def pay(self, to: str, asset: str, amount: int) -> Mapping[str, Any]:
        """Somebody else's deposit, mined."""
        if asset == "native":
            return await self.call(to, b"", amount)
        return await self.call(asset, mint(to, amount))


@dataclass(frozen=True)
class Secret:
    leg: Leg
    preimage: bytes


def mint(to: str, amount: int) -> bytes:
    return selector("mint(address,uint256)") + word(address_bytes(to)) + word(amount)


@asynccontextmanager
async def world(node: Anvil, **changes: Any) -> AsyncIterator[World]:
    """Deploys, opens, closes at the end. `changes` are to the settings; `socket=True` uses a WebSocket."""
    secret = bytes.fromhex(next(iter(node.accounts.values()))[2:])
    factory = (await deploy_factory(node.url, secret)).address
    token = (await deploy_token(node.url, secret, "Test dollar", "TUSD", 6)).address
    await node.rpc("evm_setAutomine", False)
    url = node.ws_url if changes.pop("socket", False) else node.url
    settings = {
        "family": "evm",
        "chain_id": node.chain_id,
        "url": url,
        "factory": factory,
        "tokens": {"TUSD": token},
        "preset": "local",
        "patience": 10.0,
        **changes,
    }
    chain = FAMILY.make("evm", settings)
    await chain.open()
    made = World(node, factory, token, settings, chain)
    try:
        yield made
    finally:
        for opened in (chain, *made.others):
            await opened.close()
