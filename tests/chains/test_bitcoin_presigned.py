"""Spends signed ahead: the signature is good for exactly one coin, output and lock time, and for any preimage."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from embit.ec import PublicKey, Signature
from embit.script import Script
from embit.transaction import Transaction
from hypothesis import given
from hypothesis import strategies as st

from chains.bitcoin.blocks import Receipt
from chains.bitcoin.compiler import compile_policy
from chains.bitcoin.encoding import p2wpkh
from chains.bitcoin.keys import deal_key
from chains.bitcoin.presigned import complete, presign
from chains.extras import BadPresigned
from chains.legs import Leg, Path

AFTER = 1_900_000_000
PREIMAGE = b"s" * 32
CLAIM, REFUND, SIGNER = (deal_key(bytes([n]) * 64, bytes(16), "bitcoin", "x") for n in range(3))
PATHS = (
    Path("claim", CLAIM.public, (hashlib.sha256(PREIMAGE).digest(),)),
    Path("refund", REFUND.public, after=AFTER),
)
LEG = Leg("bitcoin", "native", 1_000_000, bytes(32), PATHS)
COIN = Receipt(b"\x11" * 32 + b"\x01\0\0\0", b"", 1_000_000, 100, 1)
SCRIPT = p2wpkh(bytes.fromhex(CLAIM.public))
PRICES = [1000 << step for step in range(8)]


def spends(path: str):
    key = CLAIM if path == "claim" else REFUND
    return presign(LEG, LEG.path(path), key, COIN, SCRIPT, 294, PRICES)


@pytest.mark.parametrize(("path", "preimages"), [("claim", (PREIMAGE,)), ("refund", ())])
def test_another_library_takes_the_signature(path, preimages):
    contract = compile_policy(LEG.paths)
    key = CLAIM if path == "claim" else REFUND
    for spend, price in zip(spends(path), PRICES, strict=True):
        whole = complete("bitcoin", LEG, spend, preimages)
        tx = Transaction.parse(whole.raw)
        assert tx.locktime == (AFTER if path == "refund" else 0)
        assert [(out.value, out.script_pubkey.data) for out in tx.vout] == [(spend.amount, SCRIPT)]
        digest = tx.sighash_segwit(0, Script(contract.script), COIN.amount)
        signature = Signature.parse(bytes.fromhex(spend.signature)[:-1])
        assert PublicKey.parse(bytes.fromhex(key.public)).verify(signature, digest)
        assert bytes.fromhex(spend.signature) in tx.vin[0].witness.items
        assert all(preimage in tx.vin[0].witness.items for preimage in preimages)
        assert price <= whole.price <= price * 1.02 + 20
        assert whole.fee == COIN.amount - spend.amount


def test_the_txid_price_and_fee_are_known_before_the_preimage_is():
    for spend in spends("claim"):
        before, after = complete("bitcoin", LEG, spend, None), complete("bitcoin", LEG, spend, (PREIMAGE,))
        assert (before.txid, before.price, before.fee) == (after.txid, after.price, after.fee)
        assert before.raw != after.raw


def test_a_wrong_preimage_is_refused():
    for wrong in ((), (b"t" * 32,), (PREIMAGE[:31],), (PREIMAGE, PREIMAGE)):
        with pytest.raises(BadPresigned):
            complete("bitcoin", LEG, spends("claim")[0], wrong)


CHANGES = {
    "path": st.sampled_from(["refund", "nothing", ""]),
    "coin": st.sampled_from(["11" * 32 + ":0", "12" * 32 + ":1", "", "x:1", "11" * 32]),
    "held": st.integers(-(2**70), 2**70),
    "script": st.binary(max_size=50).map(bytes.hex) | st.sampled_from(["zz"]),
    "amount": st.integers(-(2**70), 2**70),
    "signature": st.binary(max_size=80).map(bytes.hex) | st.sampled_from(["zz"]),
}


@given(st.sampled_from(sorted(CHANGES)), st.data())
def test_nothing_in_it_can_be_changed(field, data):
    good = spends("claim")[0]
    value = data.draw(CHANGES[field])
    if value != getattr(good, field):
        with pytest.raises(BadPresigned):
            complete("bitcoin", LEG, replace(good, **{field: value}), (PREIMAGE,))


def test_it_is_good_for_one_leg_only():
    other = replace(LEG, paths=(LEG.paths[0], replace(LEG.paths[1], after=AFTER + 1)))
    with pytest.raises(BadPresigned):
        complete("bitcoin", other, spends("claim")[0], (PREIMAGE,))


def test_a_path_that_needs_others_is_never_signed_ahead():
    leg = replace(LEG, paths=(LEG.paths[0], Path("release", REFUND.public, signers=(SIGNER.public,))))
    with pytest.raises(BadPresigned):
        complete("bitcoin", leg, replace(spends("refund")[0], path="release"), ())


def test_a_rung_that_the_coin_cannot_pay_is_left_out():
    poor = replace(COIN, amount=8_000)
    rungs = presign(LEG, LEG.path("claim"), CLAIM, poor, SCRIPT, 294, PRICES)
    assert 0 < len(rungs) < len(PRICES)
