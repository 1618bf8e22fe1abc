"""Consents: one party's signature that lets another spend a leg by a path which needs both.

It is made with SIGHASH_NONE | ANYONECANPAY: it commits to one coin of the leg, its amount, script and the path's
lock time, and to nothing else. So the recipient may raise the fee and sweep several coins at will. It can't be
used by anyone else: the recipient's own signature, which every path needs, commits to all inputs and outputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from chains import outside_json
from chains.bitcoin.blocks import Receipt
from chains.bitcoin.compiler import Contract
from chains.bitcoin.encoding import outpoint, outpoint_text
from chains.bitcoin.keys import sign, signed_by
from chains.bitcoin.transaction import SIGHASH_NONE_ANYONECANPAY, TxIn, consent_digest
from chains.legs import Path

MAX_TEXT: Final = 100_000  # characters; some 400 coins


def give(contract: Contract, path: Path, secret: bytes, coins: Iterable[Receipt]) -> str:
    """Signatures for these coins: a JSON object of "txid:vout" to hex."""
    signatures = {
        outpoint_text(coin.outpoint): sign(secret, _digest(contract, path, coin), SIGHASH_NONE_ANYONECANPAY).hex()
        for coin in coins
    }
    return json.dumps(signatures, sort_keys=True, separators=(",", ":"))


def valid(contract: Contract, path: Path, signer: str, text: str, coins: Iterable[Receipt]) -> dict[bytes, bytes]:
    """The signatures in `text` that are `signer`'s for these coins, by outpoint. Whatever else is in it is left
    out: it comes from the other party."""
    given = _parse(text)
    found: dict[bytes, bytes] = {}
    for coin in coins:
        signature = given.get(coin.outpoint)
        if signature is not None and signed_by(
            signer, _digest(contract, path, coin), signature, SIGHASH_NONE_ANYONECANPAY
        ):
            found[coin.outpoint] = signature
    return found


def _digest(contract: Contract, path: Path, coin: Receipt) -> bytes:
    return consent_digest(TxIn(coin.outpoint, coin.amount, contract.script), path.after or 0)


def _parse(text: str) -> Mapping[bytes, bytes]:
    if len(text) > MAX_TEXT:
        return {}
    try:
        data = outside_json.loads(text)
        return {outpoint(point): bytes.fromhex(signature) for point, signature in data.items()}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}
