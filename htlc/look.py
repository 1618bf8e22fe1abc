"""From snapshots to what a protocol works on: facts, stance and the time it may be. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from chains.legs import Leg
from chains.port import LegFacts, Snapshot, TxPhase
from htlc.lineage import Attempt, Attempts
from htlc.ports import PLAIN, Deal
from htlc.protocols.base import Facts, Flight, Now, Stance

SecretOf: TypeAlias = Callable[[bytes, str], bytes]  # (nonce, label) -> the 32-byte preimage, from the seed


def leg_facts(
    legs: Mapping[str, Leg], addresses: Mapping[str, str], snapshots: Mapping[str, Snapshot]
) -> dict[str, LegFacts]:
    """What stands about each leg, by leg name. A chain without a snapshot shows nothing, which a protocol takes
    as "not there": it never funds or reveals on that."""
    empty = LegFacts()
    return {
        name: snapshots[leg.chain].legs.get(addresses[name], empty) if leg.chain in snapshots else empty
        for name, leg in legs.items()
    }


def without_dust(facts: LegFacts, leg: Leg, dust: int) -> LegFacts:
    """The facts without a remainder that is not worth spending: anyone can send a leg some units, and nobody shall
    keep a deal open, or have fees paid, by that. It stays where it is, and can be spent when fees are lower."""
    small = 0 < facts.held < leg.amount and facts.held <= dust
    return replace(facts, held=0) if small else facts


def shown_preimages(
    deal: Deal,
    legs: Mapping[str, Leg],
    facts: Mapping[str, LegFacts],
    ours: Attempts,
    secrets: Mapping[bytes, bytes],
    hashes: frozenset[bytes],
) -> dict[bytes, bytes]:
    """Preimages of the deal's `hashes` that the world has seen and the journal does not hold yet: shown by
    spends of the legs, or by a transaction of ours that a node has (which not every chain's `look` tells)."""
    found = {}
    for leg in facts.values():
        for spend in leg.spends:
            found.update({hashlib.sha256(preimage).digest(): preimage for preimage in spend.preimages})
    for attempt in ours.all:
        if attempt.state.phase in (TxPhase.PENDING, TxPhase.MINED):
            found.update({value: secrets[value] for value in _hashes(legs, attempt) if value in secrets})
    return {value: found[value] for value in found.keys() & hashes - deal.preimages.keys()} if found else {}


def deal_facts(
    deal: Deal, facts: Mapping[str, LegFacts], preimages: Mapping[bytes, bytes], ours: Attempts
) -> Facts:
    """The facts of one deal. `preimages` are those seen in this look, on top of the journal's."""
    fundings = {name: ours.flight(name) for name in facts} if ours.all else dict.fromkeys(facts, Flight.NONE)
    return Facts(legs=facts, preimages={**deal.preimages, **preimages}, fundings=fundings)


def stance(deal: Deal, legs: Mapping[str, Leg], ours: Attempts, secrets: Mapping[bytes, bytes]) -> Stance:
    """Who we are in a deal and what binds us."""
    shown = (value for attempt in ours.all for value in _hashes(legs, attempt))
    return Stance(
        role=deal.role,
        secrets=secrets,
        will=deal.will,
        vows=deal.vows,
        consents_given=frozenset(deal.consents_given),
        consents_held=frozenset(deal.consents_held),
        limited=deal.limited,
        exposed=frozenset(value for value in shown if value in secrets),
    )


def _hashes(legs: Mapping[str, Leg], attempt: Attempt) -> tuple[bytes, ...]:
    """The hashes whose preimages a transaction of ours shows."""
    if attempt.intent.step in PLAIN:
        return ()
    return legs[attempt.intent.leg].path(attempt.intent.step).hashes


def time_now(local: float, snapshots: Mapping[str, Snapshot]) -> Now:
    """The time it may be. A block's stamp ahead of the local clock means that one of them is off: the interval
    then holds both, and every guard is kept at its unfavourable end."""
    stamps = [snapshot.tip.stamp for snapshot in snapshots.values()]
    return Now(
        earliest=int(local),
        latest=max([int(local) + 1, *stamps]),
        clocks={chain: snapshot.tip.time for chain, snapshot in snapshots.items()},
    )
