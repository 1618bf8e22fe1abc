"""From snapshots to what a protocol works on: facts, stance and the time it may be. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from chains.legs import Leg, hash_of
from chains.port import LegFacts, Snapshot, TxPhase
from htlc.lineage import Attempts
from htlc.ports import Deal, Intent
from htlc.protocols.base import Facts, Flight, Now, Stance

SecretOf: TypeAlias = Callable[[bytes, str], bytes]  # (nonce, label) -> the 32-byte preimage, from the seed


def without_dust(facts: LegFacts, leg: Leg, dust: int) -> LegFacts:
    """The facts without a remainder that is not worth spending: anyone can send a leg some units, and nobody shall
    keep a deal open, or have fees paid, by that. It stays where it is, and can be spent when fees are lower."""
    small = 0 < facts.held < leg.amount and facts.held <= dust
    return replace(facts, held=0) if small else facts


def own_hashes(legs: Mapping[str, Leg], secrets: Mapping[bytes, bytes]) -> dict[tuple[str, str], frozenset[bytes]]:
    """By (leg, path) of every path that wants a secret of ours: the hashes of those that a spend by it shows."""
    shown = {
        (name, path.name): secrets.keys() & set(path.hashes) for name, leg in legs.items() for path in leg.paths
    }
    return {where: frozenset(hashes) for where, hashes in shown.items() if hashes}


def shown_preimages(
    deal: Deal,
    facts: Mapping[str, LegFacts],
    ours: Attempts,
    secrets: Mapping[bytes, bytes],
    shows: Mapping[tuple[str, str], frozenset[bytes]],
    hashes: frozenset[bytes],
) -> dict[bytes, bytes]:
    """Preimages of the deal's `hashes` that the world has seen and the journal does not hold yet: shown by
    spends of the legs, or by a transaction of ours that a node has (which not every chain's `look` tells). shows:
    see `own_hashes`."""
    found: dict[bytes, bytes] = {}
    for leg in facts.values():
        for spend in leg.spends:
            for preimage in spend.preimages:
                found[hash_of(preimage)] = preimage
    for attempt in ours.all:
        own = shows.get((attempt.intent.leg, attempt.intent.step))
        if own and attempt.state.phase in (TxPhase.PENDING, TxPhase.MINED):
            for value in own:
                found[value] = secrets[value]
    known = deal.preimages
    return {value: one for value, one in found.items() if value in hashes and value not in known}


def deal_facts(
    deal: Deal,
    facts: Mapping[str, LegFacts],
    preimages: Mapping[bytes, bytes],
    fundings: Mapping[str, Flight],
) -> Facts:
    """The facts of one deal. `preimages` are those seen in this look, on top of the journal's."""
    return Facts(legs=facts, preimages={**deal.preimages, **preimages}, fundings=fundings)


def stance(
    deal: Deal,
    secrets: Mapping[bytes, bytes],
    shows: Mapping[tuple[str, str], frozenset[bytes]],
    intents: Iterable[Intent],
) -> Stance:
    """Who we are in a deal and what binds us. It changes with the deal and with what we signed, and with nothing
    else. shows: see `own_hashes`."""
    return Stance(
        role=deal.role,
        secrets=secrets,
        will=deal.will,
        vows=deal.vows,
        consents_given=frozenset(deal.consents_given),
        consents_held=frozenset(deal.consents_held),
        limited=deal.limited,
        exposed=frozenset().union(*(shows.get((one.leg, one.step), ()) for one in intents)),
    )


def chain_clocks(snapshots: Mapping[str, Snapshot]) -> tuple[dict[str, int], int]:
    """Each chain's own clock, and the newest stamp that any block has."""
    clocks = {chain: snapshot.tip.time for chain, snapshot in snapshots.items()}
    return clocks, max((snapshot.tip.stamp for snapshot in snapshots.values()), default=0)


def time_now(local: float, clocks: Mapping[str, int], newest: int) -> Now:
    """The time it may be. A block's stamp ahead of the local clock means that one of them is off: the interval
    then holds both, and every guard is kept at its unfavourable end. clocks, newest: see `chain_clocks`."""
    earliest = int(local)
    return Now(earliest, max(earliest + 1, newest), clocks)
