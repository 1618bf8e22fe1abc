"""The accounts of a seed: BIP44 paths m/44'/60'/0'/0/i, as every Ethereum wallet derives them."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

import coincurve

from chains.evm.vaults import CURVE_ORDER, public_address

HARDENED = 2**31
PATH = (44 + HARDENED, 60 + HARDENED, 0 + HARDENED, 0)


@dataclass(frozen=True, slots=True)
class Account:
    """A private key and its address (EIP-55)."""

    address: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Account(address={self.address!r})"  # a secret is never in a log


def derive_account(seed: bytes, number: int = 0) -> Account:
    """An account of a BIP39 seed (64 bytes). A party's is the first; see `relayer` for others."""
    secret, chain_code = _split(hmac.digest(b"Bitcoin seed", seed, hashlib.sha512))
    for index in (*PATH, number):
        secret, chain_code = _child(secret, chain_code, index)
    return Account(public_address(coincurve.PrivateKey(secret).public_key), secret)


def _child(secret: bytes, chain_code: bytes, index: int) -> tuple[bytes, bytes]:
    """BIP32, private parent key to private child key. An invalid child (chance below 2**-127) raises."""
    if index >= HARDENED:
        head = b"\0" + secret
    else:
        head = coincurve.PrivateKey(secret).public_key.format(compressed=True)
    left, right = _split(hmac.digest(chain_code, head + index.to_bytes(4, "big"), hashlib.sha512))
    tweak = int.from_bytes(left, "big")
    child = (tweak + int.from_bytes(secret, "big")) % CURVE_ORDER
    if tweak >= CURVE_ORDER or child == 0:
        raise ValueError("this seed has no key at the standard path")
    return child.to_bytes(32, "big"), right


def _split(digest: bytes) -> tuple[bytes, bytes]:
    return digest[:32], digest[32:]
