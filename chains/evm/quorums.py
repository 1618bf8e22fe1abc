"""What the members of a quorum sign for a vault, and how it becomes a witness. See `chains.evm.choices`."""

from __future__ import annotations

from collections.abc import Mapping

from chains.evm import vaults
from chains.evm.choices import choices, flat, indexes, member_address
from chains.legs import Leg


def sign(leg: Leg, path: str, member: str, secret: bytes, chain_id: int, factory: str) -> str:
    """A member's consent to a path: its signature of every choice it is in, one after the other, in hex."""
    signed = [
        vaults.sign_consent(flat(leg), index, chain_id, factory, secret) for index in _of_member(leg, path, member)
    ]
    return "0x" + b"".join(signed).hex()


def valid(leg: Leg, path: str, member: str, consent: str, chain_id: int, factory: str) -> bool:
    """Whether the factory would take it as the member's, whichever choice it is for."""
    signed = _parts(leg, path, member, consent)
    account = member_address(member)
    return bool(signed) and all(
        vaults.check_consent(flat(leg), index, chain_id, factory, account, signature)
        for index, signature in signed.items()
    )


def choose(leg: Leg, path: str, consents: Mapping[str, str]) -> tuple[int, tuple[bytes, ...]] | None:
    """The first choice all of whose members consented: its place in the vault's list, and their signatures. None
    where there is none. consents: good ones, by member."""
    quorum = leg.path(path).quorum
    if quorum is None:
        return None
    for index, chosen in zip(indexes(leg, path), choices(quorum), strict=True):
        if all(member in consents for member in chosen):
            signed = (_parts(leg, path, member, consents[member])[index] for member in chosen)
            return index, tuple(signed)
    return None


def _of_member(leg: Leg, path: str, member: str) -> list[int]:
    quorum = leg.path(path).quorum
    if quorum is None:
        return []
    found = zip(indexes(leg, path), choices(quorum), strict=True)
    return [index for index, chosen in found if member in chosen]


def _parts(leg: Leg, path: str, member: str, consent: str) -> dict[int, bytes]:
    """The signatures in a consent, by the place of the choice they are for; none where it has another length."""
    try:
        raw = bytes.fromhex(consent.removeprefix("0x"))
    except ValueError:
        return {}
    places = _of_member(leg, path, member)
    size = vaults.SIGNATURE_BYTES
    if len(raw) != size * len(places):
        return {}
    return {index: raw[start * size : (start + 1) * size] for start, index in enumerate(places)}
