"""What a chain must be before money is put on it: the right one, with our code at the factory, and with the rules
vaults stand on."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from chains.errors import RpcError, UnsupportedChain, WrongNetwork
from chains.evm import vaults
from chains.evm.artifact import factory_code_hash
from chains.evm.balances import read_balances
from chains.evm.client import Client
from chains.evm.codec import checksum_address, keccak256
from chains.evm.errors import Reverted
from chains.evm.reverts import words_of
from chains.evm.settings import EvmSettings
from chains.legs import MAX_TIME, NATIVE, Leg, Path

# Addresses nobody has keys of: hashes of words.
_PAYER = checksum_address(keccak256(b"strikelock/probe/payer")[12:])
_RECIPIENT = checksum_address(keccak256(b"strikelock/probe/recipient")[12:])
_SALT = keccak256(b"strikelock/probe/salt")
_PREIMAGE = keccak256(b"strikelock/probe/preimage")

_NO_SUCH_METHOD = (-32601, -32004)  # JSON-RPC 2.0; EIP-1474 "method not supported"


async def check_network(client: Client, chain_id: int) -> None:
    """Raise WrongNetwork unless the node is on the chain."""
    found = int(await client.call("eth_chainId"), 16)
    if found != chain_id:
        raise WrongNetwork(client.name, f"eip155:{chain_id}", f"eip155:{found}")


async def check_factory(client: Client, settings: EvmSettings) -> None:
    """Raise UnsupportedChain unless the code at the factory's address is the one pinned."""
    code = bytes.fromhex((await client.call("eth_getCode", settings.factory, "latest"))[2:])
    if not code:
        raise UnsupportedChain(client.name, f"there is no contract at the factory's address {settings.factory}")
    expected = settings.code_hash or factory_code_hash(settings.chain_id)
    found = "0x" + keccak256(code).hex()
    if found != expected:
        reason = f"the code at the factory {settings.factory} has hash {found}, {expected} is pinned"
        raise UnsupportedChain(client.name, reason)


async def check_node(client: Client) -> None:
    """Raise UnsupportedChain unless the node answers for a block named by its hash (EIP-1898): everything that is
    said of a leg is said of one block."""
    latest = await client.call("eth_getBlockByNumber", "latest", False)
    block = {"blockHash": latest["hash"]}
    try:
        await read_balances(client, [(NATIVE, _PAYER)], block)
        await client.call("eth_getTransactionCount", _PAYER, block)
        await client.call("eth_getLogs", {**block, "address": _PAYER})
    except RpcError as error:
        reason = f"its node does not answer {error.method} for a block's hash: {error.message}"
        raise UnsupportedChain(client.name, reason) from error


async def check_rules(client: Client, settings: EvmSettings) -> None:
    """Raise UnsupportedChain unless a simulation can lock and spend a vault in one block, and again in the next.

    Transient storage (EIP-1153), PUSH0 and creation with a payment by self-destruct (EIP-6780) are in the first;
    that the vault is gone after its transaction, so that late money is not stuck, shows in the second. A node
    without eth_simulateV1 shows the first part alone, by eth_call.
    """
    claim = Path("claim", _RECIPIENT, hashes=(sha256(_PREIMAGE).digest(),))
    leg = Leg(client.name, NATIVE, 1, _SALT, (claim, Path("refund", _PAYER, after=MAX_TIME)))
    vault = vaults.vault_address(leg, settings.chain_id, settings.factory)
    data = "0x" + vaults.spend_calldata(leg, 0, settings.chain_id, NATIVE, [_PREIMAGE]).hex()
    lock = {"from": _PAYER, "to": vault, "value": "0x1"}
    spend = {"from": _PAYER, "to": settings.factory, "data": data}
    rich = {_PAYER: {"balance": hex(10**18)}}
    blocks = [{"stateOverrides": rich, "calls": [lock, spend]}, {"calls": [lock, spend]}]
    try:
        simulated = await client.call("eth_simulateV1", {"blockStateCalls": blocks}, "latest")
    except RpcError as error:
        if error.code not in _NO_SUCH_METHOD:
            raise UnsupportedChain(client.name, f"the start-up simulation failed: {error.message}") from error
        await _check_once(client, spend, vault)
        return
    for number, block in enumerate(simulated, 1):
        for what, call in zip(("lock", "spend"), block["calls"], strict=True):
            _check_call(client.name, f"{what} {number}", call)


async def _check_once(client: Client, spend: dict[str, str], vault: str) -> None:
    try:
        await client.call("eth_call", spend, "latest", {vault: {"balance": "0x1"}})
    except Reverted as error:
        raise UnsupportedChain(client.name, f"a simulated spend failed: {words_of(error)}") from error
    except RpcError as error:
        raise UnsupportedChain(client.name, f"no spend can be simulated: {error.message}") from error


def _check_call(name: str, what: str, call: dict[str, Any]) -> None:
    if int(call["status"], 16) != 1:
        reason = (call.get("error") or {}).get("message", "no reason given")
        raise UnsupportedChain(name, f"simulated {what} failed: {reason}")
