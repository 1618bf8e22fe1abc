"""Encodings, digests and keys against vectors of the BIPs and against other libraries."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from coincurve import PrivateKey, PublicKey
from embit import bip32
from embit.script import Script, Witness
from embit.transaction import SIGHASH, Transaction, TransactionInput, TransactionOutput
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from chains.bitcoin.descriptor import with_checksum
from chains.bitcoin.encoding import (
    compact_size,
    hash160,
    outpoint,
    outpoint_text,
    script_number,
    segwit_address,
)
from chains.bitcoin.hd import wallet_keys
from chains.bitcoin.keys import ORDER, deal_key, public_key, sign, signed_by
from chains.bitcoin.transaction import (
    SEQUENCE,
    SIGHASH_ALL,
    SIGHASH_NONE_ANYONECANPAY,
    SIGNATURE_BYTES,
    VERSION,
    Tx,
    TxIn,
    TxOut,
    consent_digest,
    parse,
    vbytes,
)


@pytest.mark.parametrize(
    ("hrp", "program", "address"),
    [
        ("bc", "751e76e8199196d454941c45d1b3a323f1433bd6", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        (
            "tb",
            "1863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
            "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        ),
        (
            "tb",
            "000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
            "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
        ),
    ],
)
def test_bip173_addresses(hrp: str, program: str, address: str) -> None:
    data = bytes.fromhex(program)
    assert segwit_address(hrp, bytes((0, len(data))) + data) == address


@given(st.sampled_from(["bc", "tb", "bcrt", "ltc", "tltc", "rltc"]), st.sampled_from([20, 32]), st.data())
def test_addresses_against_embit(hrp: str, size: int, data: st.DataObject) -> None:
    script = bytes((0, size)) + data.draw(st.binary(min_size=size, max_size=size))
    assert segwit_address(hrp, script) == Script(script).address({"bech32": hrp})


@pytest.mark.parametrize(
    "text",
    [
        "raw(deadbeef)#89f8spxm",
        "pkh(02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5)#8fhd9pwu",
        "wpkh(02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9)#8zl0zxma",
    ],
)
def test_bip380_checksums(text: str) -> None:
    assert with_checksum(text.partition("#")[0]) == text


@st.composite
def transactions(draw: st.DrawFn) -> Tx:
    amounts = st.integers(0, 21 * 10**14)
    coins = draw(
        st.lists(
            st.tuples(st.binary(min_size=32, max_size=32), st.integers(0, 9), amounts), min_size=1, max_size=5
        )
    )
    inputs = tuple(
        TxIn(txid + index.to_bytes(4, "little"), amount, draw(st.binary(max_size=300)), (b"\x01", b"", bytes(300)))
        for txid, index, amount in coins
    )
    outputs = tuple(
        TxOut(amount, script)
        for amount, script in draw(st.lists(st.tuples(amounts, st.binary(max_size=60)), min_size=1, max_size=4))
    )
    return Tx(inputs, outputs, draw(st.integers(0, 2**31)))


def twin(tx: Tx) -> Transaction:
    """The same transaction in embit."""
    return Transaction(
        version=VERSION,
        vin=[
            TransactionInput(
                coin.outpoint[:32][::-1],
                int.from_bytes(coin.outpoint[32:], "little"),
                sequence=SEQUENCE,
                witness=Witness(list(coin.witness)),
            )
            for coin in tx.inputs
        ],
        vout=[TransactionOutput(out.amount, Script(out.script)) for out in tx.outputs],
        locktime=tx.lock_time,
    )


@given(transactions())
def test_transactions_against_embit(tx: Tx) -> None:
    other = twin(tx)
    raw = tx.to_bytes()
    assert raw == other.serialize()
    assert tx.txid == other.txid().hex()
    read = parse(raw)
    assert read.txid == tx.txid
    assert read.weight == tx.weight
    assert read.inputs == tuple(coin.outpoint for coin in tx.inputs)
    assert read.witnesses == tuple(coin.witness for coin in tx.inputs)
    assert read.outputs == tx.outputs
    for index, coin in enumerate(tx.inputs):
        code = Script(coin.code)
        assert tx.digest(index) == other.sighash_segwit(index, code, coin.amount, SIGHASH.ALL)
        both = SIGHASH.NONE | SIGHASH.ANYONECANPAY
        assert consent_digest(coin, tx.lock_time) == other.sighash_segwit(index, code, coin.amount, both)
        assert tx.digest(index, SIGHASH_NONE_ANYONECANPAY) == consent_digest(coin, tx.lock_time)


@given(transactions(), st.integers(0, 400))
def test_truncated_transactions_are_refused(tx: Tx, cut: int) -> None:
    raw = tx.to_bytes()[: -5 - cut]
    with pytest.raises(ValueError, match="ends early"):
        parse(raw)


def test_bip84_wallet() -> None:
    words = "abandon " * 11 + "about"
    keys = wallet_keys(Mnemonic.to_seed(words), 0, 3)
    addresses = [segwit_address("bc", key.script) for key in keys]
    assert addresses[:2] == [
        "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
        "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g",
    ]
    assert addresses[3] == "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el"
    assert keys[0].public.hex() == "0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c"
    assert keys[0].secret.hex() not in repr(keys)


def test_bitcoinlib_leaves_nothing_behind(tmp_path: Path) -> None:
    """It would put a log, databases and settings into the home directory, and set up the root logger."""
    program = (
        "import logging, os; from chains.bitcoin.hd import wallet_keys; wallet_keys(bytes(64), 0, 1);"
        "assert not logging.getLogger().handlers; assert 'BCL_DATA_DIR' not in os.environ"
    )
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(temporary)}
    environment.pop("BCL_DATA_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(home.iterdir())
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("coin_type", [0, 1, 2])
def test_wallet_keys_against_embit(coin_type: int) -> None:
    seed = secrets.token_bytes(64)
    root = bip32.HDKey.from_seed(seed)
    for key in wallet_keys(seed, coin_type, 4):
        other = root.derive(f"m/84h/{coin_type}h/0h/{key.branch}/{key.index}")
        assert (key.secret, key.public) == (other.key.serialize(), other.key.get_public_key().serialize())
        assert key.script[2:] == hash160(key.public)


@given(st.binary(min_size=32, max_size=32), st.integers(1, ORDER - 1))
def test_signatures_are_low_r_low_s_and_verify(digest: bytes, number: int) -> None:
    secret = number.to_bytes(32, "big")
    signature = sign(secret, digest, SIGHASH_ALL)
    assert len(signature) <= SIGNATURE_BYTES
    assert sign(secret, digest, SIGHASH_ALL) == signature
    public = public_key(secret).hex()
    assert signed_by(public, digest, signature, SIGHASH_ALL)
    assert not signed_by(public, digest, signature, SIGHASH_NONE_ANYONECANPAY)
    assert not signed_by(public, hashlib.sha256(digest).digest(), signature, SIGHASH_ALL)
    assert not signed_by(public, digest, signature[:-2] + signature[-1:], SIGHASH_ALL)


def test_high_s_is_not_relayed_and_not_taken() -> None:
    secret, digest = bytes(31) + b"\x07", hashlib.sha256(b"x").digest()
    signature = PrivateKey(secret).sign(digest, hasher=None)
    size = signature[3]
    s = ORDER - int.from_bytes(signature[6 + size :], "big")
    body = signature[2 : 4 + size] + b"\x02\x21\x00" + s.to_bytes(32, "big")
    high = b"\x30" + bytes((len(body),)) + body
    assert not signed_by(public_key(secret).hex(), digest, high + b"\x01", SIGHASH_ALL)


@given(st.binary(max_size=100))
def test_garbage_is_no_signature(data: bytes) -> None:
    assert not signed_by(public_key(bytes(31) + b"\x01").hex(), bytes(32), data, SIGHASH_ALL)


@given(st.binary(min_size=64, max_size=64), st.binary(min_size=16, max_size=16), st.text(max_size=20))
def test_deal_keys_are_valid_and_their_own(seed: bytes, nonce: bytes, label: str) -> None:
    key = deal_key(seed, nonce, "bitcoin", label)
    assert 0 < int.from_bytes(key.secret, "big") < ORDER
    assert PublicKey(bytes.fromhex(key.public)).format() == public_key(key.secret)
    assert deal_key(seed, nonce, "litecoin", label).secret != key.secret


def test_deal_keys_are_pinned() -> None:
    """A change here loses the money in open deals."""
    key = deal_key(bytes(range(64)), bytes(range(16)), "bitcoin", "collateral.to")
    prk = hmac(bytes(range(16)), bytes(range(64)))
    output = hmac(prk, b"strikelock/key/1/bitcoin/collateral.to\x01")
    assert int.from_bytes(key.secret, "big") == int.from_bytes(output, "big") % (ORDER - 1) + 1


def hmac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256 written out (RFC 2104)."""
    key = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + data).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()


@pytest.mark.parametrize(
    ("value", "hexed"),
    [
        (17, "0111"),
        (127, "017f"),
        (128, "028000"),
        (255, "02ff00"),
        (32768, "03008000"),
        (2**31 - 1, "04ffffff7f"),
    ],
)
def test_script_numbers(value: int, hexed: str) -> None:
    assert script_number(value).hex() == hexed


@pytest.mark.parametrize(
    ("value", "hexed"),
    [
        (0, "00"),
        (252, "fc"),
        (253, "fdfd00"),
        (65535, "fdffff"),
        (65536, "fe00000100"),
        (2**32, "ff0000000001000000"),
    ],
)
def test_compact_sizes(value: int, hexed: str) -> None:
    assert compact_size(value).hex() == hexed


@given(st.binary(min_size=36, max_size=36))
def test_outpoints_as_text(data: bytes) -> None:
    assert outpoint(outpoint_text(data)) == data


def test_virtual_size_rounds_up() -> None:
    assert [vbytes(weight) for weight in (400, 401, 404)] == [100, 101, 101]
