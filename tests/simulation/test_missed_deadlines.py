"""The chance of a missed deadline that the timelocks state is the one seen on simulated chains."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest

from chains.simulated.spec import COIN, VM
from htlc import timelocks
from htlc.protocols import protocol
from relayer.simulation.plan import BEGIN, draw
from relayer.simulation.plan import MISS as MISS_PLAYED
from relayer.simulation.world import make_ledger

MISS = 0.12  # of a whole ladder, so that it can be seen: about 2 % for each of its waits
TRIALS = 4000
SPECS = {
    "coin": replace(COIN, timing=replace(COIN.timing, clock_error=0)),
    "vm": replace(VM, timing=replace(VM.timing, clock_error=0, miss_probability=0.25)),
}


def seconds_for(spec, blocks: int, rng: Random) -> float:
    """The time that so many blocks take: from any moment, or on a slotted chain from just after a block."""
    ledger = make_ledger(spec, rng)
    begin = BEGIN + 20 * spec.timing.interval if spec is SPECS["coin"] else ledger.next
    ledger.advance(begin)
    reached = ledger.height + blocks
    while ledger.height < reached - 1:
        ledger.advance(ledger.next)
    return ledger.next - begin


@pytest.mark.parametrize("kind", ["include", "final"])
@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_wait_is_exceeded_as_often_as_stated(name, kind) -> None:
    spec, rng = SPECS[name], Random(f"{name}/{kind}")
    guards = timelocks.guards({name: spec.timing}, outage=0, miss=MISS)
    granted = guards.part(kind, name)
    blocks = timelocks._blocks(kind, spec.timing)
    stated = timelocks.exceeds((timelocks.wait(spec.timing, blocks),), granted)
    seen = sum(seconds_for(spec, blocks, rng) > granted for _ in range(TRIALS)) / TRIALS
    assert 0.002 < stated <= -math.expm1(math.log1p(-MISS) / timelocks.EVENTS)
    assert abs(seen - stated) <= 4 * math.sqrt(stated * (1 - stated) / TRIALS)


@pytest.mark.parametrize("seed", range(3_000, 3_012))
def test_the_ladders_that_are_played_state_the_chance_they_were_made_for(seed) -> None:
    plan = draw(seed)
    timings = {spec.name: spec.timing for spec in plan.specs}
    spoken = protocol(plan.terms.protocol)
    assert timelocks.miss_probability(spoken, plan.terms, plan.guards, timings, BEGIN) <= MISS_PLAYED
