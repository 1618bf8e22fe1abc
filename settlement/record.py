"""A deal as a record on a chain: what the seed and the configuration do not give of it, encrypted to the seed.

With AES-SIV (RFC 5297) there is no nonce to be used twice: equal records give equal boxes, any two others have
nothing in common, and whoever changes a bit of one has made it no record at all. Our own hashes, keys and identity
follow from the seed and our nonce, the networks' identities and our guards from the configuration; the first bytes
of the deal's id tell whether all that is still what it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from chains.errors import StrikelockError
from chains.port import Chain, Wallet
from htlc.ports import Deal
from htlc.protocols import protocol
from htlc.terms import Contribution, Terms, contribution_to_json, parse_terms
from settlement.errors import BadRecord, WrongChain
from settlement.packing import Malformed, pack, unpack
from settlement.policy import Risk
from settlement.seed import Seed

FORM: Final = b"strikelock/record/1"  # a form that was released is read for ever
CHECK_HEX: Final = 8  # of the deal's id: damage is found by the cipher, this finds another configuration
NOT_HERE: Final = "not configured"


def write_record(deal: Deal, seed: Seed) -> bytes:
    """The deal's record. The same deal gives the same bytes."""
    terms = deal.terms
    names = list(terms.networks)
    others = {role: _sparse(party) for role, party in terms.parties.items() if role != deal.role}
    document: list[Any] = [
        terms.protocol,
        deal.role,
        names,
        {name: [names.index(leg.chain), leg.asset, leg.amount] for name, leg in terms.legs.items()},
        {name: time - deal.agreed_at for name, time in terms.times.items()},
        dict(terms.options),
        deal.nonce.hex(),
        others,
        [deal.since[name] for name in names],
        deal.agreed_at,
        deal.id[:CHECK_HEX],
    ]
    return AESSIV(seed.record_key()).encrypt(pack(document), [FORM])


def _sparse(party: Contribution) -> list[Any]:
    return list(contribution_to_json(party).values())


def read_record(
    box: bytes, seed: Seed, chains: Mapping[str, Chain], wallets: Mapping[str, Wallet], risk: Risk, where: str
) -> Deal | None:
    """The deal of a record of ours; None where the bytes are no record of this seed. `where` is for the message.
    Raises WrongChain where a chain of it is missing or another, BadRecord."""
    try:
        packed = AESSIV(seed.record_key()).decrypt(box, [FORM])
    except (InvalidTag, ValueError):  # ValueError: shorter than a tag
        return None
    try:
        return _deal(unpack(packed), seed, chains, wallets, risk)
    except WrongChain:
        raise
    except (Malformed, ValueError, KeyError, IndexError, TypeError, AttributeError, StrikelockError) as error:
        raise BadRecord(where, f"it can't be read ({error!r})") from error


def _deal(
    document: Any, seed: Seed, chains: Mapping[str, Chain], wallets: Mapping[str, Wallet], risk: Risk
) -> Deal:
    name, role, names, legs, times, options, nonce, others, since, agreed_at, check = document
    for one in names:
        if one not in chains:
            raise WrongChain(one, NOT_HERE, "a chain of a recorded deal")
    places = {leg: names[index] for leg, (index, _, _) in legs.items()}
    ours = _ours(name, role, bytes.fromhex(nonce), places, seed, wallets)
    body = {
        "protocol": name,
        "networks": {one: chains[one].identity for one in names},
        "legs": {
            leg: {"chain": places[leg], "asset": asset, "amount": str(amount)}
            for leg, (_, asset, amount) in legs.items()
        },
        "times": {one: agreed_at + delta for one, delta in times.items()},
        "options": options,
        "parties": {role: ours, **{other: dict(zip(ours, party, strict=True)) for other, party in others.items()}},
    }
    terms: Terms = parse_terms(body)
    protocol(terms.protocol).validate(terms)
    if terms.id[:CHECK_HEX] != check:
        identities = ", ".join(terms.networks.values())
        raise WrongChain(", ".join(names), identities, "others, or another seed's keys, by the record's check")
    guards = risk.guards(terms, chains)
    return Deal(terms.id, terms, role, guards, dict(zip(names, since, strict=True)), agreed_at)


def _ours(
    name: str, role: str, nonce: bytes, legs: Mapping[str, str], seed: Seed, wallets: Mapping[str, Wallet]
) -> dict[str, Any]:
    """Our own contribution, made anew. legs: chain by leg."""
    spoken = protocol(name)
    hashes = {label: hashlib.sha256(seed.secret(nonce, label)).digest() for label in spoken.secrets(role)}
    keys = {label: wallets[legs[leg]].key(nonce, label).public for label, leg in spoken.keys(role).items()}
    return contribution_to_json(Contribution(seed.identity().public, nonce, hashes, keys))
