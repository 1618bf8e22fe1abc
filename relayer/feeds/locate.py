"""In which block a transaction is, as far as a node can tell."""

from __future__ import annotations

from chains.bitcoin.node import Node
from chains.bitcoin.proofs import NotProvable
from chains.bitcoin.rpc import INVALID_ADDRESS_OR_KEY
from chains.errors import RpcError
from settlement.store.proofs import ProofRequest

UNKNOWN = "the node does not know its block: name it, or use a node with an index of transactions"


async def block_of(node: Node, request: ProofRequest) -> str:
    """The block of the transaction that a request is about, on the node's best chain. Raises NotProvable where it
    is in none, ChainUnavailable, RpcError."""
    if request.block:
        return request.block
    if not request.spender and (found := await _by_output(node, request)) is not None:
        return found
    return await _by_index(node, request.spender or request.txid)


async def _by_output(node: Node, request: ProofRequest) -> str | None:
    """An unspent output's block, which every node knows."""
    output = await node.rpc.call("gettxout", request.txid, request.output, False)
    if output is None:
        return None
    tip = await node.tip(output["bestblock"])
    (block,) = await node.hashes([tip.height - output["confirmations"] + 1])
    return block


async def _by_index(node: Node, txid: str) -> str:
    try:
        found = await node.rpc.call("getrawtransaction", txid, True)
    except RpcError as error:
        if error.code != INVALID_ADDRESS_OR_KEY:
            raise
        raise NotProvable(txid, UNKNOWN) from error
    if "blockhash" not in found:
        raise NotProvable(txid, "it is in no block yet")
    return str(found["blockhash"])
