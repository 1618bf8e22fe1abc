"""Keys and signatures: deal keys, ECDSA with low R, and the checks on keys that others give us."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from coincurve import PrivateKey, PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chains.bitcoin.transaction import SIGNATURE_BYTES
from chains.errors import BadKey
from chains.port import Key

ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141  # of secp256k1 (SEC 2)
PUBLIC_BYTES: Final = 33
MIN_SIGNATURE_BYTES: Final = 9  # DER of the smallest R and S, and the hash type (BIP66)
DER_SEQUENCE: Final = 0x30
MAX_SIGNATURE_BYTES: Final = 73  # of the largest
KEPT: Final = 8192  # keys remembered as good: each stands in several paths, and in both legs of a deal
_KEY_INFO: Final = b"strikelock/key/1/"


def deal_key(seed: bytes, nonce: bytes, chain: str, label: str) -> Key:
    """The key of one use in one deal: HKDF-SHA256 (RFC 5869), reduced to 1..n-1 (bias below 2**-127)."""
    info = _KEY_INFO + chain.encode() + b"/" + label.encode()
    output = HKDF(algorithm=SHA256(), length=32, salt=nonce, info=info).derive(seed)
    secret = (int.from_bytes(output, "big") % (ORDER - 1) + 1).to_bytes(32, "big")
    return Key(public=public_key(secret).hex(), secret=secret)


def public_key(secret: bytes) -> bytes:
    """Compressed public key."""
    return PrivateKey(secret).public_key.format()


@lru_cache(KEPT)
def check_public(value: str) -> bytes:
    """The 33 bytes of a compressed public key in lower-case hex. Raises BadKey.

    One spelling only: the terms are compared as text."""
    try:
        data = bytes.fromhex(value)
    except ValueError:
        raise BadKey(value, "it is not hex") from None
    if len(data) != PUBLIC_BYTES or data[0] not in (2, 3) or data.hex() != value:
        raise BadKey(value, "a compressed public key is 33 bytes in lower-case hex, the first 02 or 03")
    try:
        PublicKey(data)
    except ValueError:
        raise BadKey(value, "it is no point of the curve") from None
    return data


def sign(secret: bytes, digest: bytes, kind: int) -> bytes:
    """ECDSA signature in DER with the hash type, at most 71 bytes.

    The nonce is RFC 6979's; while R needs a 33rd byte, a counter goes in as its extra entropy (the way Bitcoin
    Core grinds), so that sizes, and with them fees, are known before signing."""
    key = PrivateKey(secret)
    counter = 0
    while True:
        extra = counter.to_bytes(32, "little") if counter else None
        signature = key.sign(digest, hasher=None) if extra is None else _sign_with(key, digest, extra)
        if len(signature) < SIGNATURE_BYTES:
            return signature + bytes((kind,))
        counter += 1


def _sign_with(key: PrivateKey, digest: bytes, extra: bytes) -> bytes:
    from coincurve._libsecp256k1 import ffi

    return key.sign(digest, hasher=None, custom_nonce=(ffi.NULL, ffi.new("unsigned char[32]", extra)))


def signed_by(public: str, digest: bytes, signature: bytes, kind: int) -> bool:
    """Whether `signature` (with its hash type) is `public`'s and one that nodes relay: strict DER, low S."""
    if not MIN_SIGNATURE_BYTES <= len(signature) <= MAX_SIGNATURE_BYTES or signature[-1] != kind:
        return False
    try:
        # libsecp256k1 takes strict DER only, and calls a high S invalid
        return PublicKey(bytes.fromhex(public)).verify(signature[:-1], digest, hasher=None)
    except ValueError:
        return False
