"""Planning what a light client lacks, against nodes on different branches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from chains.bitcoin.encoding import double_sha256
from chains.bitcoin.feeding import NoCommonBlock, plan, prove_deep
from chains.bitcoin.headers import RULES, Anchor
from chains.bitcoin.proofs import NotProvable
from chains.errors import WouldFail
from chains.evm.light_client import prove_output_calldata, prove_spend_calldata, prove_transaction_calldata
from chains.testing.anvil import Anvil
from chains.testing.bitcoind import Bitcoind
from tests.chains.bitcoin_world import COIN
from tests.chains.light_client_world import bridge, eth

pytestmark = pytest.mark.node

BitcoindFactory = Callable[..., Awaitable[Bitcoind]]


async def test_a_heavier_branch_that_another_node_has_wins(
    bitcoind_factory: BitcoindFactory, anvil: Anvil
) -> None:
    """Two nodes with 200 blocks in common. The one that is behind has nothing to bring; ahead, it turns the
    tip."""
    one, other = await bitcoind_factory(), await bitcoind_factory()
    async with bridge(one, anvil, 190) as first, bridge(other, anvil, 190) as second:
        second.client = first.client
        await one.mine(3)
        await first.feed(2)
        assert await plan(second.node, second.client) == []
        await other.mine(4)
        (batch,) = await plan(second.node, second.client)
        assert batch.height == await other.height()
        assert batch.headers[: batch.known * 80] in b"".join(await headers(other))
        await second.feed()
        assert (await first.client.tip()).text == await other.rpc("getbestblockhash")
        assert await plan(first.node, first.client) == []
        await one.mine(2)
        await first.feed(1)
        assert (await first.client.tip()).text == await one.rpc("getbestblockhash")


async def two_nodes(factory: BitcoindFactory) -> tuple[Bitcoind, Bitcoind]:
    """Both a block beyond what they have in common. Their wallets are the same, so in one second both would mine
    the same block, were it not for another address."""
    one, other = await factory(), await factory()
    await one.mine()
    await other.wallet("getnewaddress", "", "bech32")
    await other.mine()
    return one, other


async def headers(node: Bitcoind) -> list[bytes]:
    hashes = [await node.rpc("getblockhash", height) for height in range(await node.height() + 1)]
    return [bytes.fromhex(await node.rpc("getblockheader", one, False)) for one in hashes]


async def test_a_client_of_another_chain_is_told_from_a_fork(
    bitcoind_factory: BitcoindFactory, anvil: Anvil
) -> None:
    one, other = await two_nodes(bitcoind_factory)
    await other.mine(5)
    async with bridge(one, anvil, await one.height()) as first, bridge(other, anvil, 190) as second:
        with pytest.raises(NoCommonBlock):
            await plan(second.node, first.client)


async def test_proofs_of_every_kind_and_what_they_refuse(bitcoind_factory: BitcoindFactory, anvil: Anvil) -> None:
    bitcoind = await bitcoind_factory()
    async with bridge(bitcoind, anvil, 203) as over:
        address = await bitcoind.wallet("getnewaddress")
        script = bytes.fromhex((await bitcoind.wallet("getaddressinfo", address))["scriptPubKey"])
        paid = await bitcoind.fund(address, COIN)
        block = await bitcoind.rpc("getbestblockhash")
        with pytest.raises(NotProvable, match="no header from its block on"):
            await over.prove(block, paid)
        await bitcoind.mine(2)
        await over.feed()
        proof = await over.prove(block, paid)
        place = await over.client.prove(prove_transaction_calldata(proof, 3))
        assert (place.txid, place.block) == (bytes.fromhex(paid)[::-1], bytes.fromhex(block)[::-1])
        assert (place.height, place.confirmations) == (await bitcoind.height() - 2, 3)
        told = await bitcoind.rpc("getblock", block, 2)
        (found,) = (tx for tx in told["tx"] if tx["txid"] == paid)
        (output,) = (one["n"] for one in found["vout"] if one["scriptPubKey"]["hex"] == script.hex())
        await over.client.prove(prove_output_calldata(proof, output, script, COIN, 3))
        source = found["vin"][0]
        spent = bytes.fromhex(source["txid"])[::-1]
        await over.client.prove(prove_spend_calldata(proof, spent, source["vout"], 3))
        cut = replace(proof, transaction=proof.transaction[:-1])
        for calldata, why in (
            (prove_transaction_calldata(proof, 4), "TooShallow"),
            (prove_transaction_calldata(cut, 3), "WrongPath"),
            (prove_output_calldata(proof, 1 - output, script, COIN, 3), "WrongScript"),
            (prove_spend_calldata(proof, spent, source["vout"] + 1, 3), "NotSpent"),
        ):
            with pytest.raises(WouldFail, match=why):
                await over.eth.send(over.client.address, calldata)
        with pytest.raises(NotProvable, match="not in this block"):
            await over.prove(await bitcoind.rpc("getbestblockhash"), paid)
        (gone, *_) = await bitcoind.reorg(2)
        with pytest.raises(NotProvable, match="not on the best chain"):
            await prove_deep(over.node, over.client, gone, paid)


async def test_a_block_before_the_anchor_is_provable(bitcoind: Bitcoind, anvil: Anvil) -> None:
    async with bridge(bitcoind, anvil, 200) as over:
        block = await bitcoind.rpc("getblockhash", 150)
        (coinbase,) = (await bitcoind.rpc("getblock", block))["tx"]
        proof = await over.prove(block, coinbase)
        assert len(proof.headers) == 51 * 80
        assert (await over.client.prove(prove_transaction_calldata(proof, 51))).height == 150


async def test_an_easy_network_is_deployed_only_by_who_says_so(anvil: Anvil, bitcoind: Bitcoind) -> None:
    header = (await headers(bitcoind))[0]
    anchor = Anchor(header, 0, 2, int.from_bytes(header[68:72], "little"), RULES["regtest"].limit_bits)
    async with eth(anvil) as chain:
        with pytest.raises(WouldFail, match="InsecureNetwork"):
            await chain.light_client(RULES["regtest"], anchor, permit=False)
        client = await chain.light_client(RULES["regtest"], anchor)
        assert await client.insecure()
        assert (await client.tip()).hash == double_sha256(header)
