"""The simulation finds what is wrong: drivers and protocols with one fault each."""

from __future__ import annotations

import pytest
import structlog

from htlc import protocols
from htlc.executor import Executor
from htlc.explorer import faults
from relayer.simulation.mortal import MortalJournal
from relayer.simulation.plan import draw
from relayer.simulation.run import Stage, seeds
from relayer.simulation.world import World

PLANTED = [  # the fault, and the invariants of which one must break
    (faults.RevealsLate, {"reveal-guard", "no-loss"}),
    (faults.RevealsShallow, {"reveal-guard", "no-loss"}),
    (faults.FundsShallow, {"fund-guard", "no-loss"}),
    (faults.ClosesShallow, {"closed-final"}),
    (faults.ClosesInFlight, {"live", "closed-final", "no-loss"}),
    (faults.OptionRevealsLate, {"reveal-guard", "no-loss"}),
    (faults.OptionRevealsShallow, {"reveal-guard", "no-loss"}),
    (faults.ActivatesWithoutStrike, {"reveal-guard", "no-loss"}),
    (faults.OptionFundsShallow, {"fund-guard", "no-loss"}),
    (faults.OptionClosesShallow, {"closed-final"}),
    (faults.SignsStrikeTooSoon, {"release-guard", "no-loss"}),
    (faults.SignsCollateralTooSoon, {"release-guard", "no-loss"}),
    (faults.ExercisesAfterSigning, {"vows", "no-loss"}),
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


class Hasty(Executor):
    """Broadcasts what it has not stored."""

    async def _sign(self, work, leg, step, tx, lineage):
        sent = await self._send(work, tx)
        await self._journal.sign(work.deal.id, leg, step, tx, work.now)
        self.pending[tx.chain].append(tx)
        return sent


class HastyWorld(World):
    def make_driver(self, *args):
        driver = super().make_driver(*args)
        driver._executor.__class__ = Hasty
        return driver


def test_a_broadcast_before_the_commit_is_found() -> None:
    assert broken(Stage(HastyWorld), {"stored-first"}, most=20)


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
