"""How a request for a proof stands, and the call that answers it. What is on record is asked of the registry each
time: a reorganisation of either chain needs no words of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chains.bitcoin.feeding import prove_deep
from chains.bitcoin.node import Node
from chains.bitcoin.proofs import Inclusion, NotProvable
from chains.bitcoin.transaction import parse
from chains.evm.client import Client
from chains.evm.light_client import LightClient, Registry, register_calldata, register_spend_calldata
from relayer.feeds.locate import block_of
from settlement.store.proofs import ProofRequest

P2WSH: Final = b"\x00\x20"  # version 0, push of 32 bytes (BIP141)


@dataclass(frozen=True, slots=True)
class Record:
    """What the registry says now: confirmations of the funding and of the proved spend on the light client's best
    chain, 0 for what is not on it; None where the outpoint is not on record."""

    funding: int | None
    spend: int = 0


class Prover:
    """Reads and answers requests of one registry. Methods raise ChainUnavailable and RpcError."""

    def __init__(self, node: Node, client: Client, light: str, registry: str) -> None:
        self.registry = registry
        self._node = node
        self._client = client
        self._light = LightClient(client, light)

    async def record(self, request: ProofRequest, block: str = "latest") -> Record:
        """What is on record at a block of the EVM chain."""
        registry = Registry(self._client, self.registry, block)
        txid = bytes.fromhex(request.txid)[::-1]
        if await registry.collateral(txid, request.output) is None:
            return Record(None)
        return Record(*(await registry.confirmations(txid, request.output)))

    async def call_data(self, request: ProofRequest) -> bytes:
        """The call that puts it on record. Raises NotProvable where there is no proof yet, or never will be."""
        about = request.spender or request.txid
        proof = await prove_deep(self._node, self._light, await block_of(self._node, request), about)
        if request.spender:
            return register_spend_calldata(proof, bytes.fromhex(request.txid)[::-1], request.output)
        program, amount = _output(proof, request)
        return register_calldata(proof, program, amount, request.output)


def answered(request: ProofRequest, record: Record) -> bool:
    """Whether what was asked for is on record, and stands."""
    return bool(record.spend if request.spender else record.funding)


def _output(proof: Inclusion, request: ProofRequest) -> tuple[bytes, int]:
    """The witness program and the amount (satoshi) of the output that is to be on record."""
    outputs = parse(proof.transaction).outputs
    if request.output >= len(outputs):
        raise NotProvable(request.outpoint, f"the transaction has {len(outputs)} outputs")
    output = outputs[request.output]
    if len(output.script) != len(P2WSH) + 32 or not output.script.startswith(P2WSH):
        raise NotProvable(request.outpoint, "it pays no leg: its script is none of version 0 with 32 bytes")
    return output.script[len(P2WSH) :], output.amount
