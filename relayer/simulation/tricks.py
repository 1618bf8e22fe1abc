"""What an adversary does in the mempools of chains that replace: cycling and pinning."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from chains.errors import ChainError
from chains.legs import Leg, Path
from chains.port import SignedTx
from chains.simulated.ledger import Ledger, SimTx

if TYPE_CHECKING:
    from relayer.simulation.rogue import Rogue

CYCLES, PINS = 0.9, 0.5  # how often it does so where it can
SHARES = (2, 10, 100)  # of the leg, what the descendants of a pinned spend pay
ENOUGH = 10**30  # no cap


def pin(rogue: Rogue, leg: Leg, tx: SignedTx) -> None:
    """Hang descendants on a spend, so that whoever wants its place in the mempool must pay for them too."""
    ledger = rogue.world.ledgers[leg.chain]
    if _replaces(ledger) and rogue.chance.random() < PINS:
        ledger.known[tx.txid].pin = leg.amount // rogue.chance.choice(SHARES)
        rogue.world.judge.saw("a spend was pinned")


async def cycle(rogue: Rogue, name: str) -> None:
    """Put the other's spend of a leg out of the mempool by a dearer one, and that one out again by another payment
    of the coin that came with it: for a while the leg looks as if nobody wanted it."""
    ledger, address = rogue.ledger(name), rogue.world.addresses[name]
    if not ledger.pool or not _replaces(ledger):
        return
    for rival in [tx for tx in ledger.pool.values() if tx.leg == address and tx.owner != rogue.owner]:
        if rival.claims[0] in rogue.tried:
            continue
        rogue.tried.add(rival.claims[0])
        if rogue.chance.random() < CYCLES:
            await _cycle_out(rogue, name, rival)


async def _cycle_out(rogue: Rogue, name: str, rival: SimTx) -> None:
    leg, ledger = rogue.legs[name], rogue.ledger(name)
    for path in leg.paths:
        tx = await _instead(rogue, name, path, rival)
        if tx is not None and rival.txid not in ledger.pool:
            ledger.cycle(ledger.known[tx.txid], rival)
            rogue.world.judge.saw("a replacement was cycled out")
            rogue.world.judge.faults["replacement cycled"] += 1
            return


async def _instead(rogue: Rogue, name: str, path: Path, rival: SimTx) -> SignedTx | None:
    """A spend in the other's place, where a path of ours is open."""
    leg = rogue.legs[name]
    role, label = rogue.spoken.recipient_key(name, path.name)
    preimages = rogue.preimages(path)
    if role != rogue.role or preimages is None or path.needs_others:
        return None
    wallet = rogue.wallets[leg.chain]
    key = wallet.key(rogue.world.terms.parties[role].nonce, label)
    price, pending = 2 * rival.price, rogue.pending(leg.chain)
    with suppress(ChainError):
        tx = await wallet.spend(leg, path.name, key, preimages, [], price, ENOUGH, pending)
        return await rogue.send(tx)
    return None


def _replaces(ledger: Ledger) -> bool:
    return ledger.spec.family == "utxo" and ledger.spec.replaces
