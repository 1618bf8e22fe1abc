"""The Bitcoin light client and the registry of collateral on an EVM chain: call data, answers, and a view for
planning.

The contracts are in `contracts/src`; `chains/bitcoin/feeding.py` plans what to bring, `chains/bitcoin/proofs.py`
makes proofs. Call data and encoding are pure; `LightClient` asks a node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from chains.bitcoin.feeding import Batch, Checkpoint
from chains.bitcoin.headers import Anchor, HeaderRules
from chains.bitcoin.proofs import Inclusion
from chains.evm.artifact import load
from chains.evm.client import Client
from chains.evm.codec import checksum_address, raw_bytes, selector, word, words
from chains.evm.deploy import Deployed, deploy_contract

_NETWORK: Final = "(uint32,uint32,bool,bool,bool)"
_ANCHOR: Final = "(bytes,uint32,uint128,uint32,uint32)"
_INCLUSION: Final = "(bytes,uint256,bytes32[],bytes,bytes32[])"

Signature = tuple[str, tuple[str, ...]]
_SUBMIT: Final[Signature] = ("submit", ("uint256", "bytes"))
_PROVE_TRANSACTION: Final[Signature] = ("proveTransaction", ("bytes", _INCLUSION, "uint256"))
_PROVE_OUTPUT: Final[Signature] = (
    "proveOutput",
    ("bytes", "uint256", "bytes", "uint256", _INCLUSION, "uint256"),
)
_PROVE_SPEND: Final[Signature] = ("proveSpend", ("bytes", "bytes32", "uint256", _INCLUSION, "uint256"))
_REGISTER: Final[Signature] = ("register", ("bytes32", "uint256", "bytes", "uint256", _INCLUSION))
_REGISTER_SPEND: Final[Signature] = ("registerSpend", ("bytes32", "uint256", "bytes", _INCLUSION))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proved transaction stands. checkpoint: on the best chain, the block's own or one after it."""

    txid: bytes
    block: bytes
    checkpoint: bytes
    height: int
    confirmations: int


@dataclass(frozen=True, slots=True)
class Collateral:
    """A record of the registry. amount: satoshi. spent_height: 0 while no spend was proved."""

    program: bytes
    checkpoint: bytes
    amount: int
    height: int
    spent_height: int
    spent_checkpoint: bytes


# --- call data -------------------------------------------------------------------------------------------


def submit_calldata(batch: Batch) -> bytes:
    """`submit` of one batch."""
    return _call(_SUBMIT, batch.known, batch.headers)


def prove_transaction_calldata(proof: Inclusion, depth: int) -> bytes:
    """`proveTransaction`: a view."""
    return _call(_PROVE_TRANSACTION, proof.transaction, _inclusion(proof), depth)


def prove_output_calldata(proof: Inclusion, output: int, script: bytes, least: int, depth: int) -> bytes:
    """`proveOutput`: a view. least: satoshi."""
    return _call(_PROVE_OUTPUT, proof.transaction, output, script, least, _inclusion(proof), depth)


def prove_spend_calldata(proof: Inclusion, txid: bytes, output: int, depth: int) -> bytes:
    """`proveSpend` of an outpoint: a view."""
    return _call(_PROVE_SPEND, proof.transaction, txid, output, _inclusion(proof), depth)


def register_calldata(proof: Inclusion, program: bytes, least: int, output: int) -> bytes:
    """`register` of the registry: output `output` pays the P2WSH output script with this witness program."""
    return _call(_REGISTER, program, least, proof.transaction, output, _inclusion(proof))


def register_spend_calldata(proof: Inclusion, txid: bytes, output: int) -> bytes:
    """`registerSpend` of the registry."""
    return _call(_REGISTER_SPEND, txid, output, proof.transaction, _inclusion(proof))


def _call(signature: Signature, *values: Any) -> bytes:
    from eth_abi.abi import encode

    name, kinds = signature
    return selector(f"{name}({','.join(kinds)})") + encode(kinds, values)


def _inclusion(proof: Inclusion) -> tuple[Any, ...]:
    return (proof.headers, proof.index, proof.path, proof.coinbase, proof.coinbase_path)


def read_place(answer: bytes) -> Place:
    """What the three proofs answer with."""
    txid, block, checkpoint, height, depth = words(answer)[:5]
    return Place(txid, block, checkpoint, int.from_bytes(height, "big"), int.from_bytes(depth, "big"))


# --- deploying -------------------------------------------------------------------------------------------


async def deploy_light_client(
    url: str, secret: bytes, rules: HeaderRules, anchor: Anchor, permit_insecure: bool = False
) -> Deployed:
    """Deploy a light client with this anchor. `permit_insecure` must be set for networks whose blocks can be
    made at will. Raises as `deploy_contract` does."""
    from eth_abi.abi import encode

    network = (rules.limit_bits, rules.max_warp, rules.from_first, rules.min_difficulty, rules.no_retarget)
    start = (anchor.header, anchor.height, anchor.work, anchor.epoch_time, anchor.epoch_bits)
    arguments = encode([_NETWORK, _ANCHOR, "bool"], [network, start, permit_insecure])
    return await deploy_contract(url, secret, load("BitcoinLightClient").bytecode + arguments)


async def deploy_registry(url: str, secret: bytes, light_client: str, depth: int) -> Deployed:
    """Deploy a registry of collateral that is `depth` deep by this light client."""
    arguments = word(raw_bytes(light_client)) + word(depth)
    return await deploy_contract(url, secret, load("CollateralRegistry").bytecode + arguments)


# --- asking ----------------------------------------------------------------------------------------------


class LightClient:
    """A deployed light client, seen through a node. Methods raise ChainUnavailable, RpcError; Reverted where the
    contract refuses. block: at which block of the EVM chain to look, a number in hexadecimal or a tag."""

    def __init__(self, client: Client, address: str, block: str = "latest") -> None:
        self._client = client
        self._block = block
        self.address = address

    async def tip(self) -> Checkpoint:
        """The last header of the chain with the most work."""
        found = await self.checkpoint(await self._ask(selector("tip()")))
        if found is None:  # a contract whose tip is no checkpoint is another contract
            raise TypeError(f"{self.address} is no light client")
        return found

    async def checkpoint(self, block: bytes) -> Checkpoint | None:
        """A stored header, or None."""
        height, work = words(await self._ask(selector("checkpoint(bytes32)") + block))[1:3]
        if not any(work):
            return None
        return Checkpoint(block, int.from_bytes(height, "big"), int.from_bytes(work, "big"))

    async def latest(self, count: int) -> list[bytes]:
        """Hashes of the best chain's last checkpoints, latest first."""
        return words(await self._ask(selector("latest(uint256)") + word(count)))[2:]

    async def insecure(self) -> bool:
        """Blocks of its network can be made at will: what it proves is no evidence of anything."""
        return any(await self._ask(selector("insecure()")))

    async def prove(self, calldata: bytes) -> Place:
        """The answer of one of the proofs' views."""
        return read_place(await self._ask(calldata))

    async def _ask(self, calldata: bytes) -> bytes:
        request = {"to": self.address, "data": "0x" + calldata.hex()}
        return raw_bytes(await self._client.call("eth_call", request, self._block))


async def registry_terms(client: Client, address: str) -> tuple[str, int]:
    """The light client that a registry believes, and the confirmations that it wants. Raises RpcError,
    ChainUnavailable; ValueError or IndexError where there is no registry."""
    request = [{"to": address, "data": "0x" + selector(name).hex()} for name in ("lightClient()", "depth()")]
    light, depth = [words(raw_bytes(await client.call("eth_call", one, "latest")))[0] for one in request]
    return checksum_address(light[-20:]), int.from_bytes(depth, "big")


class Registry:
    """A deployed registry of collateral, seen through a node. Raises as LightClient does."""

    def __init__(self, client: Client, address: str, block: str = "latest") -> None:
        self._client = client
        self._block = block
        self.address = address

    async def collateral(self, txid: bytes, output: int) -> Collateral | None:
        """The record of an outpoint, or None."""
        program, checkpoint, amount, height, spent, end = words(
            await self._ask("collateral(bytes32,uint256)", txid, output)
        )
        if not any(checkpoint):
            return None
        numbers = [int.from_bytes(value, "big") for value in (amount, height, spent)]
        return Collateral(program, checkpoint, numbers[0], numbers[1], numbers[2], end)

    async def confirmations(self, txid: bytes, output: int) -> tuple[int, int]:
        """Confirmations, now, of the funding and of the proved spend."""
        funding, spend = words(await self._ask("confirmations(bytes32,uint256)", txid, output))
        return int.from_bytes(funding, "big"), int.from_bytes(spend, "big")

    async def stands(self, txid: bytes, output: int) -> bool:
        """Deep enough on the best chain now, and no proved spend is on it."""
        return any(await self._ask("stands(bytes32,uint256)", txid, output))

    async def _ask(self, signature: str, txid: bytes, output: int) -> bytes:
        request = {"to": self.address, "data": "0x" + (selector(signature) + txid + word(output)).hex()}
        return raw_bytes(await self._client.call("eth_call", request, self._block))
