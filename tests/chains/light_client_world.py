"""A light client on an anvil, and a bitcoind that it follows: verbs for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chains.bitcoin.feeding import MOST, plan, prove_deep, read_anchor
from chains.bitcoin.headers import RULES, Anchor, HeaderRules
from chains.bitcoin.node import Node
from chains.bitcoin.proofs import Inclusion
from chains.bitcoin.rpc import Rpc
from chains.bitcoin.settings import UtxoSettings
from chains.errors import WouldFail
from chains.evm.client import Client
from chains.evm.errors import Reverted
from chains.evm.light_client import (
    LightClient,
    Registry,
    deploy_light_client,
    deploy_registry,
    submit_calldata,
)
from chains.evm.reverts import words_of
from chains.testing.anvil import Anvil
from chains.testing.bitcoind import Bitcoind

GAS = 16_000_000  # below the most a transaction may have (EIP-7825)


def secret_of(node: Anvil) -> bytes:
    """The key of its first rich account."""
    return bytes.fromhex(next(iter(node.accounts.values()))[2:])


@dataclass
class Eth:
    """An anvil with calls that say why they were refused."""

    node: Anvil
    client: Client

    async def send(self, to: str, data: bytes) -> int:
        """A transaction, mined; the gas it used. Raises WouldFail with the contract's error."""
        sender = next(iter(self.node.accounts))
        fields = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(GAS)}
        try:
            await self.client.call("eth_call", fields, "latest")
        except Reverted as error:
            raise WouldFail("evm", words_of(error)) from error
        receipt = await self.node.receipt(await self.node.rpc("eth_sendTransaction", fields))
        assert int(receipt["status"], 16) == 1
        return int(receipt["gasUsed"], 16)

    async def light_client(self, rules: HeaderRules, anchor: Anchor, permit: bool = True) -> LightClient:
        made = await deploy_light_client(self.node.url, secret_of(self.node), rules, anchor, permit)
        return LightClient(self.client, made.address)

    async def registry(self, client: LightClient, depth: int) -> Registry:
        made = await deploy_registry(self.node.url, secret_of(self.node), client.address, depth)
        return Registry(self.client, made.address)


@asynccontextmanager
async def eth(node: Anvil) -> AsyncIterator[Eth]:
    client = Client("evm", node.url, timeout=10.0, patience=10.0)
    await client.open()
    try:
        yield Eth(node, client)
    finally:
        await client.close()


@dataclass
class Bridge:
    """A light client that follows a bitcoind."""

    bitcoind: Bitcoind
    eth: Eth
    node: Node
    client: LightClient

    async def feed(self, most: int = MOST) -> list[int]:
        """Bring what is missing; the gas of each batch."""
        batches = await plan(self.node, self.client, most)
        return [await self.eth.send(self.client.address, submit_calldata(batch)) for batch in batches]

    async def prove(self, block: str, txid: str) -> Inclusion:
        return await prove_deep(self.node, self.client, block, txid)


@asynccontextmanager
async def bridge(bitcoind: Bitcoind, anvil: Anvil, height: int) -> AsyncIterator[Bridge]:
    """A light client with its anchor at this height of the bitcoind's chain."""
    settings = UtxoSettings(coin="bitcoin", network="regtest", url=bitcoind.url, patience=5)
    rpc = Rpc("bitcoin", settings)
    await rpc.open()
    node = Node("bitcoin", rpc)
    try:
        async with eth(anvil) as chain:
            client = await chain.light_client(RULES["regtest"], await read_anchor(node, height))
            yield Bridge(bitcoind, chain, node, client)
    finally:
        await rpc.close()
