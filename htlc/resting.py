"""Deals in which nothing happens rest: with a thousand of them open, planning each anew at each look is most of
what there is to do.

A plan follows from the deal, what we signed, what the chains show and the time. While the first three are what
they were when the plan was to do nothing, only time could change it, and after a few seconds it is asked again:
each deal in a second of its own, so that they don't come all at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Container
from dataclasses import dataclass

from htlc.observer import Mark, Observer
from htlc.plans import Plan
from htlc.ports import Clock, Deal, Intent, Journal

FEW = 50  # deals, of which each is planned anew at each look
REST_SECONDS = 5  # at most, between two plans for a deal in which nothing happens: a refund may be so late


@dataclass(frozen=True, slots=True)
class Rest:
    """A deal that wanted nothing, and what that stood on. since, until: UNIX seconds."""

    deal: Deal
    intents: tuple[Intent, ...]
    mark: Mark
    since: int
    until: int


class Resting:
    """Which deals rest."""

    def __init__(self, observer: Observer, journal: Journal, clock: Clock) -> None:
        self._observer = observer
        self._journal = journal
        self._clock = clock
        self._rests: dict[str, Rest] = {}

    def keep(self, deals: Container[str]) -> None:
        """Forget all deals but these."""
        if self._rests:
            self._rests = {id_: rest for id_, rest in self._rests.items() if id_ in deals}

    async def holds(self, deal: Deal) -> bool:
        """Whether a deal that wanted nothing at an earlier look can't want anything yet."""
        rest = self._rests.get(deal.id)
        return (
            rest is not None
            and rest.since <= self._clock.now() < rest.until
            and rest.deal is deal
            and rest.intents is await self._journal.intents(deal.id)
            and rest.mark == self._observer.mark(deal)
        )

    def let_rest(self, plan: Plan) -> None:
        """A deal in which nothing is to be done and nothing is on its way rests until something happens. Where
        there are few, each is looked at all the same."""
        deal = plan.work.deal
        self._rests.pop(deal.id, None)
        if len(self._observer) <= FEW or plan.actions:
            return
        if any(intent.final is None for intent in plan.intents):
            return
        mark, now = self._observer.mark(deal), plan.work.now
        if mark is not None:
            self._rests[deal.id] = Rest(deal, plan.intents, mark, now, _next_turn(deal.id, now))


def _next_turn(deal: str, now: int) -> int:
    """The next second at which a deal is asked for a plan, whatever happens: every REST_SECONDS, but not all deals
    at the same time."""
    return now + 1 + (zlib.crc32(deal.encode()) - now - 1) % REST_SECONDS
