"""Spends of a leg that are signed ahead, to be sent by somebody else. Pure.

The signature of a path's recipient (SIGHASH_ALL, BIP143) commits to the coin, its amount, the script, the lock
time and every output, but not to the witness. So a watchtower can add preimages once they are public, and can
change nothing else: not where the money goes, not the fee, not when it becomes valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from chains.bitcoin import miniscript as ms
from chains.bitcoin.blocks import Receipt
from chains.bitcoin.coins import Bid
from chains.bitcoin.compiler import Contract, compile_policy
from chains.bitcoin.encoding import outpoint, outpoint_text
from chains.bitcoin.keys import sign, signed_by
from chains.bitcoin.payments import signed
from chains.bitcoin.transaction import (
    OUTPUT_P2WPKH_WEIGHT,
    OVERHEAD_WEIGHT,
    SIGHASH_ALL,
    Tx,
    TxIn,
    TxOut,
)
from chains.errors import BadPolicy
from chains.extras import BadPresigned, Presigned
from chains.legs import PREIMAGE_BYTES, Leg, Path
from chains.port import Key, SignedTx

PLACEHOLDER: Final = bytes(PREIMAGE_BYTES)  # of the same length as what comes there: sizes and prices are final
MAX_SCRIPT_BYTES: Final = 42  # the longest witness program (BIP141)


def presign(
    leg: Leg, path: Path, key: Key, coin: Receipt, script: bytes, dust: int, prices: Sequence[int]
) -> tuple[Presigned, ...]:
    """One spend of `coin` to `script` for each price, as far as the coin can pay it."""
    contract = compile_policy(leg.paths)
    weight = OVERHEAD_WEIGHT + contract.input_weight(path.name) + OUTPUT_P2WPKH_WEIGHT
    found = []
    for price in prices:
        amount = coin.amount - Bid(price).fee(weight)
        if amount >= dust:
            tx = _tx(contract, path, coin.outpoint, coin.amount, TxOut(amount, script))
            signature = sign(key.secret, tx.digest(0), SIGHASH_ALL).hex()
            point = outpoint_text(coin.outpoint)
            found.append(Presigned(path.name, point, coin.amount, script.hex(), amount, signature))
    return tuple(found)


def complete(chain: str, leg: Leg, spend: Presigned, preimages: Sequence[bytes] | None) -> SignedTx:
    """See `chains.extras.Completes`."""
    try:
        path = leg.path(spend.path)
        contract = compile_policy(leg.paths)
        point, script = outpoint(spend.coin), bytes.fromhex(spend.script)
        signature = bytes.fromhex(spend.signature)
    except (ValueError, BadPolicy) as error:
        raise BadPresigned(chain, spend.path, f"it can't be read ({error})") from error
    if path.needs_others:
        raise BadPresigned(chain, path.name, "the path needs others' signatures")
    if not 0 < spend.amount < spend.held < 2**63 or not 0 < len(script) <= MAX_SCRIPT_BYTES:
        raise BadPresigned(chain, path.name, "amounts or script are out of range")
    tx = _tx(contract, path, point, spend.held, TxOut(spend.amount, script))
    if not signed_by(path.to, tx.digest(0), signature, SIGHASH_ALL):
        raise BadPresigned(chain, path.name, "the signature does not fit")
    shown = dict.fromkeys(path.hashes, PLACEHOLDER)
    if preimages is not None:
        if len(preimages) != len(path.hashes) or not all(map(ms.opens, path.hashes, preimages)):
            raise BadPresigned(chain, path.name, "the preimages do not open it")
        shown = dict(zip(path.hashes, preimages, strict=True))
    witness = (*(_item(item, signature, shown) for item in contract.templates[path.name]), contract.script)
    (coin,) = tx.inputs
    whole = Tx((TxIn(coin.outpoint, coin.amount, coin.code, witness),), tx.outputs, tx.lock_time)
    return signed(chain, whole)


def _tx(contract: Contract, path: Path, point: bytes, held: int, output: TxOut) -> Tx:
    return Tx((TxIn(point, held, contract.script),), (output,), lock_time=path.after or 0)


def _item(item: ms.Item, signature: bytes, preimages: Mapping[bytes, bytes]) -> bytes:
    match item:
        case ms.SigOf() | ms.MemberSig():  # of no other key: the path needs nobody else
            return signature
        case ms.PreimageOf(hash=value):
            return preimages[value]
        case ms.Choice(first=True):
            return b"\x01"
        case ms.Choice() | ms.NoSig() | ms.Dummy():
            return b""
