"""Planning what a light client lacks, against nodes on different branches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from chains.bitcoin.encoding import double_sha256
from chains.bitcoin.feeding import NoCommonBlock, plan, prove_deep
from chains.bitcoin.headers import MAINNET_LIMIT, RULES, Anchor, work_of
from chains.bitcoin.proofs import NotProvable, prove
from chains.bitcoin.transaction import parse
from chains.errors import WouldFail
from chains.evm.light_client import prove_output_calldata, prove_spend_calldata, prove_transaction_calldata
from chains.testing.anvil import Anvil
from chains.testing.bitcoind import Bitcoind
from tests.chains.bitcoin_world import COIN
from tests.chains.light_client_world import bridge, eth

pytestmark = pytest.mark.node

BitcoindFactory = Callable[..., Awaitable[Bitcoind]]

# Bitcoin's block 170, in which Satoshi Nakamoto paid Hal Finney 10 bitcoin. Its hash and the transaction's say
# that the bytes are the true ones.
BLOCK_170 = bytes.fromhex(
    "0100000055bd840a78798ad0da853f68974f3d183e2bd1db6a842c1feecf222a00000000ff104ccb05421ab93e63f8c3ce5c2c2e"
    "9dbb37de2764b3a3175c8166562cac7d51b96a49ffff001d283e9e70"
    "02"
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff0704ffff001d0102ffffffff"
    "0100f2052a01000000434104d46c4968bde02899d2aa0963367c7a6ce34eec332b32e42e5f3407e052d64ac625da6f0718e7b302"
    "140434bd725706957c092db53805b821a85b23a7ac61725bac00000000"
    "0100000001c997a5e56e104102fa209c6a852dd90660a20b2d9c352423edce25857fcd3704000000004847304402204e45e16932"
    "b8af514961a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd410220181522ec8eca07de4860a4acdd12909d831cc56cbbac46"
    "22082221a8768d1d0901ffffffff0200ca9a3b00000000434104ae1a62fe09c5f51b13905f07f06b99a2f7159b2225f374cd378d"
    "71302fa28414e7aab37397f554a7df5f142c21c1b7303b8a0626f1baded5c72a704f7e6cd84cac00286bee000000004341041"
    "1db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d"
    "4c03f999b8643f656b412a3ac00000000"
)
HASH_170 = "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee"
TXID_170 = "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16"
GENESIS_TIME = 1231006505


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


async def test_the_first_payment_of_bitcoin_is_proved(anvil: Anvil) -> None:
    header = BLOCK_170[:80]
    assert double_sha256(header)[::-1].hex() == HASH_170
    anchor = Anchor(header, 170, 171 * work_of(MAINNET_LIMIT), GENESIS_TIME, MAINNET_LIMIT)
    proof = prove(BLOCK_170, TXID_170)
    to_hal = parse(proof.transaction).outputs[0]
    assert to_hal.amount == 10 * COIN
    async with eth(anvil) as chain:
        client = await chain.light_client(RULES["mainnet"], anchor, permit=False)
        assert not await client.insecure()
        place = await client.prove(prove_output_calldata(proof, 0, to_hal.script, 10 * COIN, 1))
        assert (place.txid[::-1].hex(), place.block[::-1].hex()) == (TXID_170, HASH_170)
        assert (place.height, place.confirmations) == (170, 1)
