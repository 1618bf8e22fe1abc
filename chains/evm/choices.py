"""Quorums in vaults: a path that wants m of n members is one path of the vault for each choice of m.

The factory knows paths that want all of their signers, and nothing else. The vault of a leg therefore lists
the leg's other paths first, in their order, and then the choices, in the order of `itertools.combinations`: only
who takes a choice pays for those before it. Up to nine members that costs about what a list of members in the
contract would (docs/decisions/0024), and the factory stays as it is. A member signs every choice that it is in,
since nobody knows beforehand whose signatures there will be.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from math import comb

from coincurve import PublicKey

from chains.errors import BadKey, BadPolicy
from chains.evm.codec import public_address
from chains.legs import Leg, Path, Quorum

MAX_CHOICES = 36  # 7 of 9: the last one costs some 20,000 gas more than the first


def member_address(member: str) -> str:
    """The account of a member. Raises BadKey."""
    try:
        return public_address(PublicKey(bytes.fromhex(member)))
    except ValueError:
        raise BadKey(member, "it is no point of the curve") from None


def check_quorum(quorum: Quorum) -> None:
    """Raise BadPolicy or BadKey unless a vault can have it."""
    if comb(len(quorum.members), quorum.threshold) > MAX_CHOICES:
        raise BadPolicy(
            f"{quorum.threshold} of {len(quorum.members)} are more than {MAX_CHOICES} choices of members"
        )
    for member in quorum.members:
        member_address(member)


def choices(quorum: Quorum) -> tuple[tuple[str, ...], ...]:
    """Every choice of as many members as must sign, each in the quorum's order."""
    return tuple(combinations(quorum.members, quorum.threshold))


@lru_cache(maxsize=4096)
def flat(leg: Leg) -> Leg:
    """The leg as its vault lists it: without quorums. Paths that come from one keep its name. Raises BadKey,
    BadPolicy."""
    if all(path.quorum is None for path in leg.paths):
        return leg
    plain = [path for path in leg.paths if path.quorum is None]
    chosen = [one for path in leg.paths if path.quorum is not None for one in _expand(path, path.quorum)]
    return replace(leg, paths=(*plain, *chosen))


def _expand(path: Path, quorum: Quorum) -> list[Path]:
    check_quorum(quorum)
    accounts = {member: member_address(member) for member in quorum.members}
    return [
        replace(path, signers=(*path.signers, *(accounts[member] for member in chosen)), quorum=None)
        for chosen in choices(quorum)
    ]


def indexes(leg: Leg, path: str) -> tuple[int, ...]:
    """Where the paths that a path of the leg became stand in the vault's list; in the order of `choices`. Raises
    BadPolicy if there is no such path."""
    leg.path(path)
    return tuple(index for index, one in enumerate(flat(leg).paths) if one.name == path)
