"""Members of a quorum: their keys in one deal, and what they signed, put together.

A member signs in a deal with its key plus a tweak that commits to the key and to the deal's whole terms:

    P' = P + int(SHA256(tag . tag . P . digest)) G        tag = SHA256("strikelock/quorum/1")

So a leg's address commits, through the keys of its quorum, to everything the parties agreed on, on every chain
alike. Whoever shows a member other terms that would give the same leg (the same nonces and keys, but a strike of
one unit) gets a signature by a key that is not in that leg. Nor do the keys of two deals show that they are
one member's. (The construction is pay-to-contract: Gerhardt and Hanke, Homomorphic Payment Addresses, 2012. As
with BIP32, a deal's secret key together with its terms gives away the member's: it never leaves the machine.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache

from coincurve import PrivateKey, PublicKey

from chains import outside_json
from chains.errors import BadKey
from chains.legs import Quorum

TAG = hashlib.sha256(b"strikelock/quorum/1").digest() * 2
MAX_TEXT = 1_000_000  # characters of the signatures of a whole quorum, for some hundred coins


# --- keys ------------------------------------------------------------------------------------------------


def threshold_of(members: int) -> int:
    """The fewest of so many members that overlap in an honest one while fewer than a third lie."""
    return 2 * members // 3 + 1


@lru_cache(maxsize=4096)
def deal_member(member: str, digest: bytes) -> str:
    """A member's public key in the deal whose terms hash to `digest` (32 bytes). Raises BadKey."""
    public = _public(member)
    return public.add(_tweak(member, digest)).format().hex()


def deal_secret(secret: bytes, digest: bytes) -> bytes:
    """The secret key of the same."""
    key = PrivateKey(secret)
    return key.add(_tweak(key.public_key.format().hex(), digest)).secret


def deal_quorum(quorum: Quorum, digest: bytes) -> Quorum:
    """The quorum as it stands in the legs of that deal, its members in the same order. Raises BadKey."""
    return Quorum(quorum.threshold, tuple(deal_member(member, digest) for member in quorum.members))


def _public(member: str) -> PublicKey:
    try:
        return PublicKey(bytes.fromhex(member))
    except ValueError:
        raise BadKey(member, "it is no point of the curve") from None


def _tweak(member: str, digest: bytes) -> bytes:
    return hashlib.sha256(TAG + bytes.fromhex(member) + digest).digest()


# --- what they signed ------------------------------------------------------------------------------------


def pack(consents: Mapping[str, str]) -> str:
    """What members signed, by key, as the one consent of a path's quorum."""
    return json.dumps(dict(consents), sort_keys=True, separators=(",", ":"))


def unpack(texts: Iterable[str], quorum: Quorum) -> dict[str, str]:
    """The other way: each member's, in the quorum's order. What is not of a member, or not even of this form, is
    left out: it comes from outside."""
    given: dict[str, object] = {}
    for text in texts:
        try:
            data = outside_json.loads(text) if len(text) <= MAX_TEXT else {}
        except (ValueError, RecursionError):
            continue
        given.update(data if isinstance(data, dict) else {})
    return {member: one for member in quorum.members if isinstance(one := given.get(member), str)}
