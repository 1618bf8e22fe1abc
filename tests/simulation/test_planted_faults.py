"""The simulation finds what is wrong: drivers and protocols with one fault each."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog

from htlc import protocols
from htlc.executor import Executor
from htlc.explorer import faults
from htlc.fees import Climb
from htlc.protocols.attested import Attested
from htlc.protocols.base import Attest, Funded
from htlc.protocols.option import COLLATERAL, EXERCISE, STRIKE
from relayer.attest.attester import Attester
from relayer.attest.errors import NotYet
from relayer.simulation.mortal import MortalJournal
from relayer.simulation.plan import BEGIN, Window, draw
from relayer.simulation.quorum import QuorumPlan
from relayer.simulation.run import Stage, seeds
from relayer.simulation.world import World
from settlement.store.book import Book


class SwapRoomless(faults.RevealsRoomless):
    ticks = 10**6  # of a second: no room at all


class OptionRoomless(faults.OptionRevealsRoomless):
    ticks = 10**6


PLANTED = [  # the fault, and the invariants of which one must break
    (faults.RevealsLate, {"reveal-guard", "no-loss"}),
    (SwapRoomless, {"reveal-guard", "no-loss"}),
    (faults.RevealsShallow, {"reveal-guard", "no-loss"}),
    (faults.FundsShallow, {"fund-guard", "no-loss"}),
    (faults.ClosesShallow, {"closed-final"}),
    (faults.ClosesInFlight, {"live", "closed-final", "no-loss"}),
    (faults.OptionRevealsLate, {"reveal-guard", "no-loss"}),
    (OptionRoomless, {"reveal-guard", "no-loss"}),
    (faults.OptionRevealsShallow, {"reveal-guard", "no-loss"}),
    (faults.ActivatesWithoutStrike, {"reveal-guard", "no-loss"}),
    (faults.OptionFundsShallow, {"fund-guard", "no-loss"}),
    (faults.OptionClosesShallow, {"closed-final"}),
    (faults.SignsStrikeTooSoon, {"release-guard", "no-loss"}),
    (faults.SignsCollateralTooSoon, {"release-guard", "no-loss"}),
    (faults.ExercisesAfterSigning, {"vows", "no-loss"}),
    (faults.AttestedRevealsLate, {"reveal-guard", "no-loss"}),
    (faults.AttestedRevealsShallow, {"reveal-guard", "no-loss"}),
    (faults.AttestedClosesShallow, {"closed-final"}),
    (faults.AttestedFundsShallow, {"fund-guard", "no-loss"}),
]
MOST = 600  # runs to find a fault in


def broken(stage: Stage, wanted: set[str], protocol: str | None = None, most: int = MOST) -> str | None:
    """The first invariant of `wanted` that breaks."""
    for seed in seeds(5, most):
        if protocol is not None and draw(seed).terms.protocol != protocol:
            continue
        for failure in stage.play(seed).failures:
            if failure.invariant in wanted:
                return failure.invariant
    return None


@pytest.mark.parametrize(("fault", "wanted"), PLANTED, ids=[fault.__name__ for fault, _ in PLANTED])
def test_a_protocol_without_a_guard_is_found(monkeypatch, fault, wanted) -> None:
    planted = fault()
    monkeypatch.setattr(protocols, "PROTOCOLS", {**protocols.PROTOCOLS, planted.name: planted})
    assert broken(Stage(), wanted, planted.name)


def test_an_attester_that_signs_for_a_shallow_strike_is_found(monkeypatch) -> None:
    def demand(self, legs, looks):
        if not self._deep(legs[STRIKE], looks):
            raise NotYet(STRIKE, "nothing is there")

    monkeypatch.setattr(Attester, "_demand", demand)
    monkeypatch.setattr(Attested, "plan", lambda self, *case: hurried(case) or PLAN(self, *case))
    assert broken(Stage(), {"attested"}, "attested")


PLAN = Attested.plan


def hurried(case):
    """Ask as soon as the strike is in a block."""
    _, view, stance, _, _ = case
    wanted = stance.role == "holder" and stance.will.exercise and not stance.consents_held
    there = isinstance(view.legs[STRIKE], Funded) and isinstance(view.legs[COLLATERAL], Funded)
    return (Attest(COLLATERAL, EXERCISE),) if wanted and there else ()


def _liars(plan) -> None:
    """All of the quorum sign whatever they are asked for, and the holder knows it."""
    if plan.quorum is not None:
        plan.quorum = QuorumPlan(tuple(replace(one, kind="liar") for one in plan.quorum.members))
        plan.parties[0].rogue, plan.parties[1].rogue = False, True


def test_a_quorum_of_liars_costs_the_writer_its_collateral() -> None:
    """It is what a writer relies on; a simulation that did not see it would see no other theft either."""
    stage = Stage()
    attested = [seed for seed in seeds(5, MOST) if draw(seed).terms.protocol == "attested"]
    runs = (stage.play(seed, alter=_liars, disk=False) for seed in attested)
    assert any(one.invariant == "no-loss" and "writer" in one.detail for run in runs for one in run.failures)


def world_of(executor: type[Executor]) -> type[World]:
    """A world in which everybody's executor is that one."""

    class Planted(World):
        def make_driver(self, *args):
            driver = super().make_driver(*args)
            driver._executor.__class__ = executor
            return driver

    return Planted


class Hasty(Executor):
    """Broadcasts what it has not stored."""

    async def _sign(self, work, leg, step, tx, lineage):
        sent = await self._send(work, tx)
        await self._journal.sign(work.deal.id, leg, step, tx, work.now)
        self.pending[tx.chain].append(tx)
        return sent


def test_a_broadcast_before_the_commit_is_found() -> None:
    assert broken(Stage(world_of(Hasty)), {"stored-first"}, most=20)


class Greedy(Executor):
    """Counts a climb from the first bid, whatever happened since."""

    def _climb(self, chain, policy, alive, now):
        return Climb(alive[0].intent.signed_at if alive else now)


def _outages(plan) -> None:
    """Everybody is out nearly always, and what is sent in between is kept out of blocks."""
    plan.censorship = 0.7
    for party in plan.parties:
        party.rogue = False
        at, out = BEGIN + 200.0, plan.guards.outage
        starts = [at + number * (out + 150) for number in range(int((plan.last - at) / (out + 150)))]
        party.windows = tuple(Window(start, start + out, "dark") for start in starts)


def test_a_leg_bid_at_once_after_an_outage_is_found() -> None:
    greedy = world_of(Greedy)
    found = {
        world: {
            failure.invariant
            for seed in seeds(5, 400)
            for failure in Stage(world).play(seed, alter=_outages, disk=False).failures
        }
        for world in (World, greedy)
    }
    assert found == {World: set(), greedy: {"sober"}}


class Mute(Executor):
    """Sends everything once, as if no mempool ever lost a thing."""

    async def _again(self, work, alive):
        pass


def test_a_driver_that_sends_nothing_twice_is_found() -> None:
    assert broken(Stage(world_of(Mute)), {"live", "no-loss"}, most=100)


def test_a_book_that_takes_a_hash_twice_is_found(monkeypatch) -> None:
    async def anything(self, parties, origin):
        pass

    monkeypatch.setattr(Book, "check_unused", anything)
    monkeypatch.setattr(Book, "_take", lambda *_: True)
    assert [failure.invariant for failure in Stage().play(1_000_000_000).failures] == ["agreed"]


class ForgetfulJournal(MortalJournal):
    """Loses every second thing that it was told to store."""

    async def sign(self, deal, leg, step, tx, at):
        found = await super().sign(deal, leg, step, tx, at)
        inner = self.inner
        inner._intents[deal] = tuple(one for one in inner._intents[deal] if one.number != found.number)
        inner._unsettled.pop(found.number)
        return found


class ForgetfulWorld(World):
    def make_driver(self, journal, *args):
        return super().make_driver(ForgetfulJournal(journal.inner, journal._watch), *args)


def test_a_journal_that_forgets_is_found() -> None:
    assert broken(Stage(ForgetfulWorld), {"funded-once", "closed-final", "live"}, most=50)


class LoudWorld(World):
    def make_driver(self, journal, chains, wallets, secret_of, *args):
        structlog.get_logger("loud").info("starting", secret=next(iter(self.secrets.values())).hex())
        return super().make_driver(journal, chains, wallets, secret_of, *args)


def test_a_secret_in_a_log_is_found() -> None:
    assert broken(Stage(LoudWorld), {"no-leak"}, most=5)


class FaultyWorld(World):
    def make_driver(self, *args):
        driver = super().make_driver(*args)
        driver._courier = None
        return driver


def test_an_error_that_the_driver_swallows_is_found() -> None:
    assert broken(Stage(FaultyWorld), {"no-error"}, most=5)
