"""Bytes that a wallet wrote into its chain are found again with its keys alone, and cost what is stated."""

from __future__ import annotations

import hashlib
import time

import pytest

from chains.bitcoin.inscriptions import CARRIER, LONGEST, carried, carrier, join, split
from chains.bitcoin.transaction import parse, vbytes
from chains.errors import FeeAboveCap, RpcError
from chains.evm import inscriptions
from chains.port import TxPhase

nodes = pytest.mark.node
CAP = 10**17
PRICE = {"bitcoin": 2_000, "litecoin": 20_000, "evm": 3 * 10**9}


def data(name: str, size: int = 300) -> bytes:
    """Bytes that look random."""
    found = b""
    while len(found) < size:
        found += hashlib.sha256(f"{name}{len(found)}".encode()).digest()
    return found[:size]


# --- parts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, 75, 76, 77, 152, 153, 300, LONGEST])
def test_parts_are_joined_again(size):
    whole = data("x", size)
    parts = split(whole)
    assert len(parts) == -(-size // (CARRIER - 4))
    assert all(len(part) <= CARRIER for part in parts)
    assert [carried(carrier(part)) for part in parts] == list(parts)
    assert join(parts) == (whole,)


def test_parts_of_several_pieces_may_be_mixed():
    one, two = split(data("one")), split(data("two"))
    mixed = [part for pair in zip(one, two, strict=True) for part in pair]
    assert set(join(mixed)) == {data("one"), data("two")}


def test_what_is_not_whole_is_left_out():
    parts = split(data("x"))
    assert join(parts[1:]) == join(parts[:-1]) == join((b"", b"\x00")) == ()
    assert join((*parts[:2], *parts)) == (data("x"),), "signed again after a crash"


@pytest.mark.parametrize("script", [b"", b"\x6a", b"\x6a\x4c", b"\x6a\x05abc", b"\x00\x14" + bytes(20)])
def test_other_scripts_carry_nothing(script):
    assert carried(script) is None


@pytest.mark.parametrize("size", [0, 2, LONGEST + 1])
def test_data_of_no_good_length_is_refused(size):
    with pytest.raises(ValueError, match="fit"):
        split(bytes(size))


# --- on nodes --------------------------------------------------------------------------------------------


@nodes
@pytest.mark.parametrize("name", ["bitcoin", "litecoin"])
async def test_a_utxo_wallet_finds_what_it_wrote(name, bitcoind, litecoind, party_factory):
    node = {"bitcoin": bitcoind, "litecoin": litecoind}[name]
    party, other = await party_factory(node), await party_factory(node)
    chain, wallet = party.chains[name], party.wallets[name]
    began = int(time.time())
    made = await wallet.inscribe(data("first"), PRICE[name], CAP, ())
    assert len(made) == 4
    sizes = [vbytes(parse(tx.raw).weight) for tx in made]
    assert max(sizes) <= 205, "what the documents state"
    for tx in made:
        await chain.broadcast(tx)
    assert await wallet.inscriptions(began) == (), "not mined yet"
    await node.mine()
    await chain.look()
    assert (await chain.trace(made[-1], 0)).phase is TxPhase.MINED
    assert await wallet.inscriptions(began) == (data("first"),)
    assert await other.wallets[name].inscriptions(began) == ()
    again = await wallet.inscribe(data("second", 100), PRICE[name], CAP, ())
    for tx in again:
        await chain.broadcast(tx)
    await node.mine()
    assert await wallet.inscriptions(began) == (data("first"), data("second", 100))
    with pytest.raises(FeeAboveCap):
        await wallet.inscribe(data("third"), PRICE[name], 100, ())


@nodes
async def test_a_replacement_evicts_all_that_was_sent_before(bitcoind, party_factory):
    party = await party_factory(bitcoind)
    chain, wallet = party.chains["bitcoin"], party.wallets["bitcoin"]
    began = int(time.time())
    first = await wallet.inscribe(data("slow"), 1_000, CAP, ())
    for tx in first:
        await chain.broadcast(tx)
    second = await wallet.inscribe(data("slow"), 2_000, CAP, first, first)
    assert second[0].claims == first[0].claims
    for tx in second:
        await chain.broadcast(tx)
    await bitcoind.mine()
    await chain.look()
    states = [(await chain.trace(tx, 0)).phase for tx in (first[0], *second)]
    assert states == [TxPhase.DISPLACED, *[TxPhase.MINED] * len(second)]
    assert await wallet.inscriptions(began) == (data("slow"),)


@nodes
async def test_an_account_finds_what_it_wrote(anvil_factory, party_factory):
    anvil = await anvil_factory()
    party, other = await party_factory(anvil), await party_factory(anvil)
    chain, wallet = party.chains["evm"], party.wallets["evm"]
    began = await anvil.clock() - 600
    for name in ("first", "second"):
        (tx,) = await wallet.inscribe(data(name), PRICE["evm"], CAP, ())
        await chain.broadcast(tx)
        await other.chains["evm"].broadcast(
            (await other.wallets["evm"].inscribe(data("no"), PRICE["evm"], CAP, ()))[0]
        )
    await chain.look()
    state = await chain.trace(tx, 0)
    assert state.phase is TxPhase.MINED
    assert 21_000 < state.size < 34_000, "what the documents state"
    assert await wallet.inscriptions(began) == (data("first"), data("second"))
    await anvil.set_time(await anvil.clock() + 10_000)
    await anvil.mine(3)
    assert await wallet.inscriptions(await anvil.clock()) == (), "too long ago"


@nodes
async def test_a_node_without_old_state_is_read_block_by_block(anvil, party_factory):
    """Pruned nodes know the nonces of the last blocks only."""
    party = await party_factory(anvil)
    chain, wallet = party.chains["evm"], party.wallets["evm"]
    (tx,) = await wallet.inscribe(data("old"), PRICE["evm"], CAP, ())
    await chain.broadcast(tx)
    await anvil.mine(5)
    top = await anvil.height()

    class Pruned:
        name = "evm"

        async def call(self, method, *params):
            if method == "eth_getTransactionCount" and int(params[1], 16) < top - 2:
                raise RpcError("evm", method, -32000, "missing trie node")
            return await chain.client.call(method, *params)

    found = await inscriptions.find(Pruned(), wallet.address, await anvil.clock() - 600)
    assert found == (data("old"),)
