"""What others see of our transactions and vaults, with the library that most of them use."""

from __future__ import annotations

import asyncio
import sys

import pytest

from chains.evm.transaction import read_transaction
from chains.evm.vaults import decode_spent, spent_filter
from chains.testing.anvil import Anvil
from tests.chains.evm_world import world

pytestmark = pytest.mark.node


async def test_a_claim_is_read_with_web3() -> None:
    limit = sys.getrecursionlimit()
    from web3 import HTTPProvider, Web3

    sys.setrecursionlimit(limit)  # a library below it raises that
    async with Anvil() as node, world(node) as here:
        writer, holder = await here.wallet(), await here.wallet()
        swap = await here.swap_leg(here.token, 10**9, holder, writer)
        await here.lock(writer, swap.leg)
        claimed = await here.spend(holder, swap.leg, "claim", swap.preimage)
        await here.node.mine()
        theirs = Web3(HTTPProvider(node.url))
        sent, receipt, logs = await asyncio.gather(
            asyncio.to_thread(theirs.eth.get_transaction, claimed.txid),
            asyncio.to_thread(theirs.eth.get_transaction_receipt, claimed.txid),
            asyncio.to_thread(theirs.eth.get_logs, spent_filter(here.factory, [here.vault(swap.leg)])),
        )
        ours = read_transaction(claimed)
        assert (sent["from"], sent["nonce"], sent["to"]) == (holder.address, ours.nonce, ours.to)
        assert (sent["gas"], sent["maxFeePerGas"], bytes(sent["input"])) == (ours.gas, ours.price, ours.data)
        assert receipt["status"] == 1
        (spent,) = [decode_spent(log) for log in logs]
        assert (spent.vault, spent.asset, spent.amount) == (here.vault(swap.leg), here.token, 10**9)
        assert spent.preimages == (swap.preimage,)
