"""Gas that spending a vault takes, pushed by a third party; from receipts (tests/chains/test_evm_costs.py)."""

from __future__ import annotations

from chains.legs import NATIVE, Leg

NATIVE_GAS = 63_000  # a path with one hash of a leg with two, to an account that exists
TOKEN_GAS = 72_500
PER_PREIMAGE = 1_000  # call data, hash, event
PER_SIGNER = 5_500  # call data, EIP-712, ecrecover
PER_PATH = 800


def claim_gas(leg: Leg, path: str) -> int:
    """An estimate, good to a few per cent; what is signed is estimated by the node."""
    taken = leg.path(path)
    base = NATIVE_GAS if leg.asset == NATIVE else TOKEN_GAS
    extra = PER_PREIMAGE * len(taken.hashes) + PER_SIGNER * len(taken.signers)
    return base + extra + PER_PATH * len(leg.paths)
