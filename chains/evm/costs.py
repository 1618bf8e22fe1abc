"""Gas that spending a vault takes, pushed by a third party; from receipts (tests/chains/test_evm_costs.py)."""

from __future__ import annotations

from chains.evm.choices import flat, indexes
from chains.legs import NATIVE, Leg

NATIVE_GAS = 63_500  # to an account that exists; 25,000 more to one that does not
TOKEN_GAS = 73_200  # to an account that holds some already; 17,100 more to one that does not
PER_PREIMAGE = 1_800  # call data, hash, event
PER_SIGNER = 7_300  # call data, EIP-712, recovery of the key
PER_FURTHER_SIGNER = 5_430
PER_PATH_BEFORE = 1_300  # call data and hash
PER_CHOICE_BEFORE = 640  # of a quorum's members
LONG_FORM = 2_050  # of a bare path that comes first: it has no short form


def claim_gas(leg: Leg, path: str) -> int:
    """An estimate, good to two per cent; what is signed is estimated by the node. Of a quorum's choices it is the
    last, which costs most."""
    found = indexes(leg, path)
    taken = flat(leg).paths[found[-1]]
    gas = NATIVE_GAS if leg.asset == NATIVE else TOKEN_GAS
    gas += PER_PREIMAGE * len(taken.hashes) + PER_PATH_BEFORE * found[0] + PER_CHOICE_BEFORE * (len(found) - 1)
    if taken.signers:
        gas += PER_SIGNER + PER_FURTHER_SIGNER * (len(taken.signers) - 1)
    return gas if taken.hashes or taken.signers or found[0] else gas + LONG_FORM
