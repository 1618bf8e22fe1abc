"""Putting contracts on a chain; the factory, where that can be had, at an address that its code alone decides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import coincurve

from chains.errors import ChainUnavailable, WouldFail
from chains.evm.artifact import load
from chains.evm.client import Client
from chains.evm.codec import address_bytes, checksum_address, keccak256, word
from chains.evm.errors import Reverted
from chains.evm.market import read_market
from chains.evm.reverts import words_of
from chains.evm.transaction import Transaction
from chains.evm.vaults import public_address

# Arachnid's deployment proxy stands on most chains and on local nodes: call data is a salt and creation code,
# and the contract's address follows from these two (EIP-1014).
PROXY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
SALT = bytes(32)

MARGIN = (6, 5)  # of the estimated gas
RECEIPT_TIMEOUT = 180.0  # seconds
POLL = 0.05

_NAME = "deployment"  # in error messages, where no chain has a name yet


@dataclass(frozen=True, slots=True)
class Deployed:
    """A contract on a chain: its address (EIP-55), the hash of its code, and the transaction that put it there
    (None if it stood there already)."""

    address: str
    code_hash: str
    txid: str | None


async def deploy_factory(url: str, secret: bytes) -> Deployed:
    """Deploy the vault factory, paid for by the account of the private key. With the deployment proxy its
    address is the same for everyone, and what stands there already is used. Raises ChainUnavailable,
    RpcError, WouldFail."""
    creation = load("Vaults").bytecode
    async with _Deployer(url, secret) as deployer:
        if not await deployer.code(PROXY):
            return await deployer.create(creation)
        preimage = b"\xff" + address_bytes(PROXY) + SALT + keccak256(creation)
        address = checksum_address(keccak256(preimage)[12:])
        if code := await deployer.code(address):
            return Deployed(address, "0x" + keccak256(code).hex(), None)
        receipt = await deployer.send(PROXY, SALT + creation)
        return await deployer.deployed(address, receipt)


async def deploy_token(url: str, secret: bytes, name: str, symbol: str, decimals: int) -> Deployed:
    """Deploy a test ERC-20 that anyone can mint; for local nodes. Raises as `deploy_factory` does."""
    from eth_abi.abi import encode

    arguments = encode(["string", "string", "uint8"], [name, symbol, decimals])
    return await deploy_contract(url, secret, load("TestToken").bytecode + arguments)


async def deploy_contract(url: str, secret: bytes, creation: bytes) -> Deployed:
    """Deploy any contract from its creation code with the constructor's arguments. Raises as `deploy_factory`
    does."""
    async with _Deployer(url, secret) as deployer:
        return await deployer.create(creation)


async def transact(url: str, secret: bytes, to: str, data: bytes) -> dict[str, Any]:
    """Call a contract from the account of the private key; the receipt. Raises as `deploy_factory` does."""
    async with _Deployer(url, secret) as deployer:
        return await deployer.send(to, data)


async def deploy_outbox(url: str, secret: bytes) -> Deployed:
    """Deploy an outbox. Raises as `deploy_factory` does."""
    async with _Deployer(url, secret) as deployer:
        return await deployer.create(load("Outbox").bytecode)


async def deploy_quorum(url: str, secret: bytes, members: bytes, grace: int, regtest: bool) -> Deployed:
    """Deploy a quorum whose first set has these packed members. grace: seconds for which a replaced set stays
    good. regtest: whether one signer may decide. Raises as `deploy_factory` does."""
    from eth_abi.abi import encode

    arguments = encode(["bytes", "uint64", "bool"], [members, grace, regtest])
    async with _Deployer(url, secret) as deployer:
        return await deployer.create(load("Quorum").bytecode + arguments)


async def deploy_inbox(
    url: str, secret: bytes, quorum: str, guardian: str, origins: Sequence[tuple[int, str]]
) -> Deployed:
    """Deploy an inbox for lanes from these origins (chain id, outbox). Raises as `deploy_factory` does."""
    from eth_abi.abi import encode

    arguments = encode(["address", "address", "(uint64,address)[]"], [quorum, guardian, list(origins)])
    async with _Deployer(url, secret) as deployer:
        return await deployer.create(load("Inbox").bytecode + arguments)


async def deploy_herald(url: str, secret: bytes, factory: str, outbox: str) -> Deployed:
    """Deploy a herald, which spends legs and sends messages of it. Raises as `deploy_factory` does."""
    return await _with_addresses(url, secret, "Herald", factory, outbox)


async def deploy_bulletin(url: str, secret: bytes, inbox: str, source: int, herald: str) -> Deployed:
    """Deploy a bulletin, which believes one herald on chain `source`. Raises as `deploy_factory` does."""
    from eth_abi.abi import encode

    arguments = encode(["address", "uint64", "address"], [inbox, source, herald])
    async with _Deployer(url, secret) as deployer:
        return await deployer.create(load("Bulletin").bytecode + arguments)


async def deploy_test_recipient(url: str, secret: bytes, inbox: str) -> Deployed:
    """Deploy a recipient that does nothing; for local nodes. Raises as `deploy_factory` does."""
    return await _with_addresses(url, secret, "TestRecipient", inbox)


async def _with_addresses(url: str, secret: bytes, contract: str, *arguments: str) -> Deployed:
    async with _Deployer(url, secret) as deployer:
        return await deployer.create(load(contract).bytecode + b"".join(word(address_bytes(a)) for a in arguments))


async def mint(url: str, secret: bytes, token: str, to: str, amount: int) -> str:
    """Mint units of a test token to an account; returns the transaction id."""
    data = keccak256(b"mint(address,uint256)")[:4] + word(address_bytes(to)) + word(amount)
    return str((await transact(url, secret, token, data))["transactionHash"])


class _Deployer:
    """Sends a transaction of one account and waits until it is mined."""

    def __init__(self, url: str, secret: bytes) -> None:
        self._client = Client(_NAME, url, timeout=10.0, patience=15.0)
        self._secret = secret
        self._address = public_address(coincurve.PrivateKey(secret).public_key)

    async def __aenter__(self) -> _Deployer:
        await self._client.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def code(self, address: str) -> bytes:
        return bytes.fromhex((await self._client.call("eth_getCode", address, "latest"))[2:])

    async def create(self, creation: bytes) -> Deployed:
        receipt = await self.send(None, creation)
        return await self.deployed(checksum_address(address_bytes(receipt["contractAddress"])), receipt)

    async def deployed(self, address: str, receipt: dict[str, Any]) -> Deployed:
        code_hash = "0x" + keccak256(await self.code(address)).hex()
        return Deployed(address, code_hash, receipt["transactionHash"])

    async def send(self, to: str | None, data: bytes) -> dict[str, Any]:
        """The receipt of a transaction that succeeded."""
        request = {"from": self._address, "data": "0x" + data.hex(), **({"to": to} if to else {})}
        try:
            gas = int(await self._client.call("eth_estimateGas", request, "latest"), 16)
        except Reverted as error:
            raise WouldFail(_NAME, words_of(error)) from error
        market = await read_market(self._client, 0)
        price = market.estimate(2**255).urgent
        transaction = Transaction(
            chain_id=int(await self._client.call("eth_chainId"), 16),
            nonce=int(await self._client.call("eth_getTransactionCount", self._address, "pending"), 16),
            tip=market.tip(price),
            price=price,
            gas=gas * MARGIN[0] // MARGIN[1],
            to=to,
            data=data,
        )
        signed = transaction.sign(_NAME, self._address, self._secret)
        await self._client.call("eth_sendRawTransaction", "0x" + signed.raw.hex())
        return await self._receipt(signed.txid)

    async def _receipt(self, txid: str) -> dict[str, Any]:
        deadline = time.monotonic() + RECEIPT_TIMEOUT
        while time.monotonic() < deadline:
            receipt: dict[str, Any] | None = await self._client.call("eth_getTransactionReceipt", txid)
            if receipt is not None and receipt.get("blockNumber"):
                if int(receipt["status"], 16) != 1:
                    raise WouldFail(_NAME, f"{txid} was mined and failed")
                return receipt
            await asyncio.sleep(POLL)
        raise ChainUnavailable(_NAME, f"{txid} was not mined within {RECEIPT_TIMEOUT:g} s")
