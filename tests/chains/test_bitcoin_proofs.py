"""Merkle proofs and stripped transactions."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.bitcoin.encoding import double_sha256
from chains.bitcoin.headers import root_of as root_in
from chains.bitcoin.mining import block, payment, root_of
from chains.bitcoin.proofs import NotProvable, merkle_path, merkle_root, prove, strip, transactions_of
from chains.bitcoin.transaction import Tx, TxIn, TxOut
from chains.testing.bitcoind import Bitcoind

EASY = 0x207FFFFF


def leaves(count: int) -> list[bytes]:
    return [hashlib.sha256(bytes([at % 256, at // 256])).digest() for at in range(count)]


@given(st.integers(1, 70), st.data())
def test_every_path_leads_to_the_root(count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    level = leaves(count)
    path = merkle_path(level, index)
    assert len(path) == (count - 1).bit_length()
    assert merkle_root(level[index], index, path) == root_of(level)


@given(st.integers(1, 20), st.data())
def test_a_proof_shows_its_transaction_and_the_coinbase(count: int, data: st.DataObject) -> None:
    others = [payment(bytes(35) + bytes([at + 1]), TxOut(at, b"\x51")) for at in range(count)]
    raw = block(bytes(32), 1_700_000_000, EASY, others)
    wanted = data.draw(st.sampled_from(others))
    proof = prove(raw, double_sha256(wanted)[::-1].hex(), b"later")
    assert (proof.transaction, proof.headers) == (wanted, raw[:80] + b"later")
    assert len(proof.path) == len(proof.coinbase_path)
    root = root_in(raw)
    assert merkle_root(proof.txid, proof.index, proof.path) == root
    assert merkle_root(double_sha256(proof.coinbase), 0, proof.coinbase_path) == root


def test_what_is_not_in_the_block_or_proves_nothing_is_refused() -> None:
    plain = payment(bytes(36), TxOut(1, b"\x51"))
    small = payment(bytes(36), TxOut(1, b"\x51\x51\x51\x51"))
    assert len(small) == 64
    raw = block(bytes(32), 1_700_000_000, EASY, [plain, small])
    with pytest.raises(NotProvable, match="not in this block"):
        prove(raw, "00" * 32)
    with pytest.raises(NotProvable, match="64 bytes"):
        prove(raw, double_sha256(small)[::-1].hex())
    for bad in (raw[:-1], raw + b"\0"):
        with pytest.raises(ValueError, match=r"block goes on|ends early"):
            transactions_of(bad)


def test_witnesses_are_taken_off() -> None:
    coin = TxIn(bytes(36), 1000, b"", (b"signature", b"", b"script" * 100))
    tx = Tx((coin, coin), (TxOut(500, b"\x00\x20" + bytes(32)),))
    stripped = strip(tx.to_bytes())
    assert double_sha256(stripped)[::-1].hex() == tx.txid
    assert strip(stripped) == stripped
    with pytest.raises(ValueError, match="goes on"):
        strip(stripped + b"\0")
    with pytest.raises(ValueError, match="unknown parts"):
        strip(stripped[:4] + b"\0\x08" + stripped[4:])


@pytest.mark.node
async def test_a_nodes_block_is_read_as_the_node_does(bitcoind: Bitcoind) -> None:
    address = await bitcoind.wallet("getnewaddress")
    for amount in range(7):
        await bitcoind.send(address, 10_000 + amount)
    (found,) = await bitcoind.mine()
    told = await bitcoind.rpc("getblock", found)
    raw = bytes.fromhex(await bitcoind.rpc("getblock", found, 0))
    assert [double_sha256(tx)[::-1].hex() for tx in transactions_of(raw)] == told["tx"]
    assert len(told["tx"]) >= 8
    for txid in told["tx"]:
        proof = prove(raw, txid)
        assert merkle_root(proof.txid, proof.index, proof.path) == root_in(raw)
