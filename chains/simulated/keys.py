"""Keys, secrets and signatures of the simulation: hashes, since nobody here breaks cryptography."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

from chains.legs import Path
from chains.port import Key
from chains.quorum import unpack


def short(seed: bytes) -> str:
    return sha256(seed).hexdigest()[:12]


@lru_cache(maxsize=4096)
def key_of(seed: bytes, nonce: bytes, chain: str, label: str) -> Key:
    """A fresh key for one use."""
    secret = sha256(b"/".join((seed, nonce, chain.encode(), label.encode()))).digest()
    return Key("02" + sha256(secret).hexdigest(), secret)


@lru_cache(maxsize=4096)
def secret_of(seed: bytes, nonce: bytes, label: str) -> bytes:
    """A preimage."""
    return sha256(b"secret/" + seed + nonce + label.encode()).digest()


def consent_of(signer: str, address: str, path: str) -> str:
    """What stands for a signature of `signer`."""
    return sha256(f"{signer}/{address}/{path}".encode()).hexdigest()


def agreed(path: Path, address: str, place: str, consents: Sequence[str]) -> bool:
    """Whether all signers of a path signed for its address, and enough of its quorum for what is at `place`."""
    own = [consent_of(signer, address, path.name) for signer in path.signers]
    if path.quorum is None:
        return list(consents) == own
    if list(consents[:-1]) != own or len(consents) != len(own) + 1:
        return False
    given = unpack(consents[-1:], path.quorum)
    good = [member for member, text in given.items() if text == consent_of(member, place, path.name)]
    return len(good) >= path.quorum.threshold


def opens(hashes: Sequence[bytes], preimages: Sequence[bytes]) -> bool:
    return tuple(sha256(preimage).digest() for preimage in preimages) == tuple(hashes)
