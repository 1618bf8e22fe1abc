"""What became of the transactions we signed for one deal.

A lineage is every attempt at one step of one leg. All attempts share an input or a nonce, so at most one of
them can be mined.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from operator import is_

from chains.port import SignedTx, TxPhase, TxState
from htlc.ports import CANCEL, FUND, PLAIN, Intent
from htlc.protocols.base import Flight

UNSEEN = TxState(TxPhase.UNSEEN)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A transaction we signed and where it stands now."""

    intent: Intent
    state: TxState

    @property
    def alive(self) -> bool:
        """It may still be mined, as far as this look tells."""
        return self.state.phase in (TxPhase.UNSEEN, TxPhase.PENDING)

    @property
    def effective(self) -> bool:
        """It was mined and did what it was signed for."""
        return self.state.phase is TxPhase.MINED and self.state.succeeded

    @property
    def tx(self) -> SignedTx:
        return self.intent.tx


@dataclass(frozen=True, slots=True)
class Attempts:
    """Every transaction we signed for one deal, oldest first. depths: the horizon by chain, in blocks."""

    all: tuple[Attempt, ...]
    depths: Mapping[str, int]

    def of(self, leg: str, step: str) -> tuple[Attempt, ...]:
        return tuple([a for a in self.all if a.intent.leg == leg and a.intent.step == step])

    def alive(self, leg: str, step: str) -> tuple[Attempt, ...]:
        return tuple([a for a in self.of(leg, step) if a.alive])

    def final(self, attempt: Attempt) -> bool:
        """Nothing that happens within the reorganisation horizon changes its state any more."""
        if attempt.intent.final is not None:
            return True
        return not attempt.alive and attempt.state.depth >= self.depths[attempt.tx.chain]

    def settled(self, ordered: Collection[str]) -> bool:
        """Nothing that we signed, and that could still cost us something, can change its state any more.

        A spend that no node knows pays us alone. Its coin may be gone for good: undone by a reorganisation. On
        `ordered` chains its nonce would still block what comes after.
        """
        return all(self.final(one) or (self._lost(one) and one.tx.chain not in ordered) for one in self.all)

    def _lost(self, attempt: Attempt) -> bool:
        spend = attempt.intent.step not in PLAIN
        return spend and attempt.state.phase is TxPhase.UNSEEN

    def flights(self, legs: Iterable[str]) -> dict[str, Flight]:
        """Where our funding of each leg stands."""
        found = dict.fromkeys(legs, Flight.NONE)
        for attempt in self.all:
            leg = attempt.intent.leg
            if attempt.intent.step == FUND and found.get(leg) is Flight.NONE:
                found[leg] = self._flight(self.of(leg, FUND))
        return found

    def _flight(self, fundings: tuple[Attempt, ...]) -> Flight:
        if any(attempt.effective and self.final(attempt) for attempt in fundings):
            return Flight.DONE
        if all(self.final(attempt) for attempt in fundings):
            return Flight.CANCELLED
        return Flight.OPEN

    def cancels(self, attempt: Attempt) -> tuple[Attempt, ...]:
        """The cancellations signed so far of one attempt, alive ones only."""
        claims = set(attempt.tx.claims)
        return tuple(a for a in self.alive(attempt.intent.leg, CANCEL) if claims & set(a.tx.claims))


def attempts(intents: Sequence[Intent], states: Mapping[int, TxState], before: Attempts) -> Attempts:
    """Pair a deal's intents with what the chains say of them now. An intent on a chain that could not be looked
    at counts as unseen: it may still be mined. before: the same at the last look, which it still is where nothing
    changed."""
    known = before.all
    pairs = []
    for intent, old in zip_longest(intents, known[: len(intents)]):
        state = intent.final or states.get(intent.number, UNSEEN)
        same = old is not None and old.intent is intent and old.state is state
        pairs.append(old if same else Attempt(intent, state))
    if len(pairs) == len(known) and all(map(is_, pairs, known)):
        return before
    return Attempts(tuple(pairs), before.depths)
