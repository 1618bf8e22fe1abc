"""A leg: money at an address whose spending conditions are the contract.

The data and the rules every chain shares. What an adapter makes of it (script, vault) and what it refuses
besides is the adapter's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from chains.errors import BadAmount, BadHash, BadKey, BadPolicy, BadTime

HASH_BYTES = 32
SALT_BYTES = 32
PREIMAGE_BYTES = 32  # enforced on every chain, so that a preimage shown on one can be shown on the other
MAX_HASHES = 2
MIN_TIME = 500_000_000  # BIP65: smaller lock times are block heights
MAX_TIME = 2**31 - 1
NATIVE = "native"  # the asset name of a chain's own coin
MAX_MEMBERS = 9  # of a quorum: nodes take the keys of more, in a spend that shows none of them sign, for data
_MEMBER = re.compile(r"0[23][0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Quorum:
    """`threshold` of `members` must sign. A member is one secp256k1 key on every chain, written as the compressed
    public key in hex: that key stands in scripts, its address in vaults."""

    threshold: int
    members: tuple[str, ...]

    def check(self) -> None:
        """Raise BadPolicy or BadKey unless it can stand in a path."""
        if not 1 <= self.threshold <= len(self.members) <= MAX_MEMBERS:
            size = f"{self.threshold} of {len(self.members)}"
            raise BadPolicy(f"there is no quorum of {size}; at most {MAX_MEMBERS} members are allowed")
        if len(set(self.members)) != len(self.members):
            raise BadPolicy("a quorum names a member twice")
        for member in self.members:
            if not _MEMBER.fullmatch(member):
                raise BadKey(member, "a member is a compressed public key, 33 bytes in lower-case hex")


@dataclass(frozen=True, slots=True)
class Path:
    """One way to spend a leg: who receives, and what must be shown (an AND).

    to: compressed public key (hex) on UTXO chains, address on EVM; on UTXO chains it signs as well.
    hashes: 0..2 SHA-256 hashlocks. signers: others who must sign. after: not before this UNIX time. quorum: so
    many of these must sign besides.
    """

    name: str
    to: str
    hashes: tuple[bytes, ...] = ()
    signers: tuple[str, ...] = ()
    after: int | None = None
    quorum: Quorum | None = None

    @property
    def needs_others(self) -> bool:
        """The recipient alone can't spend by it."""
        return bool(self.signers) or self.quorum is not None


@dataclass(frozen=True, slots=True)
class Leg:
    """chain + asset + amount + policy (an OR of paths) + salt. `amount` is in the asset's smallest unit."""

    chain: str
    asset: str
    amount: int
    salt: bytes
    paths: tuple[Path, ...]

    def path(self, name: str) -> Path:
        """The path of that name. Raises BadPolicy if there is none."""
        for path in self.paths:
            if path.name == name:
                return path
        raise BadPolicy(f"there is no path {name!r}")

    def check(self) -> None:
        """Raise a LegError unless the leg keeps the rules that hold on every chain."""
        if self.amount <= 0:
            raise BadAmount(self.amount, "it must be positive")
        if len(self.salt) != SALT_BYTES:
            raise BadPolicy(f"the salt has {len(self.salt)} bytes instead of {SALT_BYTES}")
        if not self.paths:
            raise BadPolicy("there is no path")
        if len({path.name for path in self.paths}) != len(self.paths):
            raise BadPolicy("two paths have the same name")
        for path in self.paths:
            _check_path(path)


def _check_path(path: Path) -> None:
    if len(path.hashes) > MAX_HASHES:
        raise BadPolicy(f"path {path.name!r} has {len(path.hashes)} hashlocks, at most {MAX_HASHES} are allowed")
    for value in path.hashes:
        check_hash(value)
    if len(set(path.hashes)) != len(path.hashes):
        raise BadHash(path.hashes[0].hex(), "it occurs twice in one path")
    if path.after is not None and not MIN_TIME <= path.after <= MAX_TIME:
        raise BadTime(path.name, path.after)
    if path.quorum is not None:
        path.quorum.check()


@lru_cache(maxsize=4096)
def hash_of(preimage: bytes) -> bytes:
    """SHA-256 of a preimage: what a hashlock holds. Every look asks for the same ones again."""
    return sha256(preimage).digest()


def check_hash(value: bytes) -> None:
    """Raise BadHash unless `value` can be a hashlock."""
    if len(value) != HASH_BYTES:
        raise BadHash(value.hex(), f"it has {len(value)} bytes instead of {HASH_BYTES}")
    if not any(value):
        raise BadHash(value.hex(), "it is zero")
