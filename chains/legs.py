"""A leg: money at an address whose spending conditions are the contract.

The data and the rules every chain shares. What an adapter makes of it (script, vault) and what it refuses
besides is the adapter's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import BadAmount, BadHash, BadPolicy, BadTime

HASH_BYTES = 32
SALT_BYTES = 32
PREIMAGE_BYTES = 32  # enforced on every chain, so that a preimage shown on one can be shown on the other
MAX_HASHES = 2
MIN_TIME = 500_000_000  # BIP65: smaller lock times are block heights
MAX_TIME = 2**31 - 1
NATIVE = "native"  # the asset name of a chain's own coin


@dataclass(frozen=True, slots=True)
class Path:
    """One way to spend a leg: who receives, and what must be shown (an AND).

    to: compressed public key (hex) on UTXO chains, address on EVM; on UTXO chains it signs as well.
    hashes: 0..2 SHA-256 hashlocks. signers: others who must sign. after: not before this UNIX time.
    """

    name: str
    to: str
    hashes: tuple[bytes, ...] = ()
    signers: tuple[str, ...] = ()
    after: int | None = None


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


def check_hash(value: bytes) -> None:
    """Raise BadHash unless `value` can be a hashlock."""
    if len(value) != HASH_BYTES:
        raise BadHash(value.hex(), f"it has {len(value)} bytes instead of {HASH_BYTES}")
    if not any(value):
        raise BadHash(value.hex(), "it is zero")
