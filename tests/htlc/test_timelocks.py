"""Ladders: as safe as they say, against simulated chains; refused where they are not."""

from __future__ import annotations

import bisect
import json
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.port import BlockProcess, Timing
from htlc import timelocks
from htlc.errors import LadderTooLong, MissTooLikely, UnsafeLadder
from htlc.protocols import PROTOCOLS
from htlc.protocols.base import ChainGuard, Guards
from htlc.terms import LegTerms, Terms
from tests.htlc.deals import CHAINS

NOW = 1_800_000_000
BITCOIN = Timing(BlockProcess.POISSON, 600, 3, 6, 11, 7200, 7200)
LITECOIN = Timing(BlockProcess.POISSON, 150, 6, 12, 11, 7200, 7200)
ETHEREUM = Timing(BlockProcess.SLOTTED, 12, 3, 64, 1, 12, 600, 0.02)
REGTEST = Timing(BlockProcess.SLOTTED, 1, 2, 2, 11, 2, 60, 0.0)
ANVIL = Timing(BlockProcess.SLOTTED, 1, 2, 3, 1, 2, 60, 0.0)


def deal(name: str, first: Timing, second: Timing, outage: int, miss: float = 1e-6, life: int = 0):
    timings = {"bitcoin": first, "evm": second}
    guards = timelocks.guards(timings, outage, miss)
    times = timelocks.ladder(PROTOCOLS[name], CHAINS[name], guards, NOW, life)
    legs = {leg: LegTerms(chain, "native", 1) for leg, chain in CHAINS[name].items()}
    return Terms(name, {}, legs, times, {}, {}), guards, timings


PAIRS = [(BITCOIN, ETHEREUM), (ETHEREUM, BITCOIN), (BITCOIN, LITECOIN), (ETHEREUM, ETHEREUM), (REGTEST, ANVIL)]


@pytest.mark.parametrize("name", ["swap", "option"])
@pytest.mark.parametrize("pair", PAIRS)
def test_a_ladder_passes_its_own_check_for_both_roles(name, pair) -> None:
    terms, guards, timings = deal(name, *pair, outage=600, life=3600)
    for role in PROTOCOLS[name].roles:
        for at in (NOW, NOW + 2 * 600):
            chance = timelocks.check_ladder(PROTOCOLS[name], terms, role, guards, timings, at)
            assert chance <= 1e-6


@pytest.mark.parametrize("name", ["swap", "option"])
@pytest.mark.parametrize("miss", [1e-3, 1e-6, 1e-9])
def test_the_stated_chance_is_close_to_the_accepted_one_and_never_above(name, miss) -> None:
    terms, guards, timings = deal(name, BITCOIN, LITECOIN, 3600, miss, life=86_400)
    stated = timelocks.miss_probability(PROTOCOLS[name], terms, guards, timings, NOW, life=86_400)
    assert miss / 4 < stated <= miss


def test_a_ladder_is_shorter_than_the_sum_of_its_parts() -> None:
    terms, guards, _ = deal("swap", BITCOIN, LITECOIN, 0)
    apart = timelocks.swap_ladder("bitcoin", "evm", replace(guards, joint={}), NOW)
    assert max(terms.times.values()) - NOW < 0.95 * (max(apart.values()) - NOW)


def test_regtest_ladders_take_a_minute_or_two() -> None:
    for name in ("swap", "option"):
        terms, _, _ = deal(name, REGTEST, ANVIL, outage=5, life=20)
        assert 30 < max(terms.times.values()) - NOW < 150


def test_mainnet_ladders_are_far_below_the_usual_two_days() -> None:
    terms, _, _ = deal("swap", BITCOIN, ETHEREUM, outage=3600)
    assert max(terms.times.values()) - NOW < 20 * 3600


@pytest.mark.parametrize(("name", "deadline", "role"), [
    ("swap", "y", "initiator"), ("swap", "x", "participant"), ("option", "premium", "writer"),
    ("option", "strike", "writer"), ("option", "collateral", "holder"), ("option", "expiry", "holder"),
])  # fmt: skip
def test_a_second_less_is_unsafe_for_somebody(name, deadline, role) -> None:
    terms, guards, timings = deal(name, BITCOIN, ETHEREUM, 600)
    start = NOW + 2 * 600
    short = replace(terms, times=terms.times | {deadline: terms.times[deadline] - 1})
    with pytest.raises(UnsafeLadder) as caught:
        timelocks.check_ladder(PROTOCOLS[name], short, role, guards, timings, start)
    assert caught.value.needed == caught.value.found + 1


def test_a_ladder_in_order_but_too_likely_to_be_missed_is_refused() -> None:
    terms, guards, timings = deal("swap", BITCOIN, ETHEREUM, 600, miss=1e-3)
    with pytest.raises(MissTooLikely) as caught:
        timelocks.check_ladder(PROTOCOLS["swap"], terms, "initiator", guards, timings, NOW, limit=1e-6)
    assert 1e-6 < caught.value.probability <= 1e-3


def test_a_ladder_that_is_too_long_is_refused() -> None:
    terms, guards, timings = deal("swap", BITCOIN, ETHEREUM, 600)
    length = max(terms.times.values()) - NOW
    timelocks.check_ladder(PROTOCOLS["swap"], terms, "initiator", guards, timings, NOW, longest=length)
    with pytest.raises(LadderTooLong):
        timelocks.check_ladder(PROTOCOLS["swap"], terms, "initiator", guards, timings, NOW, longest=length - 1)


def test_a_deadline_that_has_passed_is_missed_for_certain() -> None:
    terms, guards, timings = deal("swap", BITCOIN, ETHEREUM, 600)
    late = terms.times["y"]
    assert timelocks.miss_probability(PROTOCOLS["swap"], terms, guards, timings, late) == 1.0


def test_no_protocol_has_more_events_than_the_level_reckons_with() -> None:
    for protocol in PROTOCOLS.values():
        lines = {line for role in protocol.roles for line in protocol.lines(role) if line.waits}
        assert len(lines) + len(protocol.reveals) <= timelocks.EVENTS


def test_guards_survive_storage() -> None:
    _, guards, _ = deal("option", BITCOIN, LITECOIN, 3600)
    stored = json.loads(json.dumps(timelocks.guards_to_json(guards)))
    assert timelocks.guards_from_json(stored) == guards


timings = st.builds(
    Timing,
    process=st.sampled_from(BlockProcess),
    interval=st.floats(1, 900),
    inclusion=st.integers(1, 6),
    depth=st.integers(1, 20),
    median_span=st.sampled_from([1, 11]),
    clock_error=st.integers(0, 7200),
    stale_after=st.just(7200),
    miss_probability=st.sampled_from([0.0, 0.05, 0.3]),
)


@settings(max_examples=25, deadline=None)
@given(timings, timings, st.integers(0, 7200), st.sampled_from([1e-2, 1e-6]), st.integers(0, 86_400))
def test_any_two_chains_get_ladders_that_pass(first, second, outage, miss, life) -> None:
    for name in ("swap", "option"):
        terms, guards, both = deal(name, first, second, outage, miss, life)
        for role in PROTOCOLS[name].roles:
            assert timelocks.check_ladder(PROTOCOLS[name], terms, role, guards, both, NOW, miss) <= miss


# --- against simulated chains ----------------------------------------------------------------------------


class Chain:
    """Blocks with stamps off by up to the clock error, all the same way, which is the worst way."""

    def __init__(self, timing: Timing, dice: random.Random, start: float, stop: float, error: float) -> None:
        self._timing, self.at, self.stamps, time = timing, [], [], start
        while time < stop:
            if timing.process is BlockProcess.POISSON:
                time += dice.expovariate(1 / timing.interval)
            else:
                time += timing.interval
                if dice.random() < timing.miss_probability:
                    continue
            self.at.append(time)
            self.stamps.append(time + error)

    def first_with_clock_after(self, deadline: float) -> int:
        """The first block that may hold what is locked until `deadline` (BIP113)."""
        span = self._timing.median_span
        if span == 1:
            return bisect.bisect_right(self.stamps, deadline)
        for i in range(span, len(self.at)):
            if sorted(self.stamps[i - span : i])[span // 2] > deadline:
                return i
        raise AssertionError("the simulation is too short")

    def mined(self, published: float, blocks: int) -> int:
        """Index of the `blocks`-th block after something was published."""
        return bisect.bisect_right(self.at, published) + blocks - 1


def miss_of_a_reveal(timing: Timing, guards: Guards, dice: random.Random) -> bool:
    """A claim published at the last moment is not beyond the horizon when a refund can first be mined."""
    published = 1_000_000.0 - guards.reach("c")
    start, stop = published - 15 * timing.interval, 1_000_000.0 + 90 * timing.interval
    chain = Chain(timing, dice, start, stop, timing.clock_error)
    final = chain.mined(published, timing.inclusion + timing.depth - 1)
    return final >= chain.first_with_clock_after(1_000_000.0)


@pytest.mark.parametrize(("timing", "runs"), [
    (replace(BITCOIN, depth=9, clock_error=600), 6000),
    (replace(BITCOIN, inclusion=2, depth=12, clock_error=0), 6000),
    (replace(ETHEREUM, depth=20, miss_probability=0.2), 3000),
])  # fmt: skip
def test_a_reveal_at_the_last_moment_is_missed_as_often_as_stated(timing, runs) -> None:
    guards = timelocks.guards({"c": timing}, 0, 0.2)
    level = 1 - (1 - 0.2) ** (1 / timelocks.EVENTS)
    dice = random.Random(1)
    found = sum(miss_of_a_reveal(timing, guards, dice) for _ in range(runs)) / runs
    spread = 4 * math.sqrt(level / runs)
    assert found <= level + spread
    if timing.process is BlockProcess.POISSON:  # slots are counted from the worst moment, and come in steps
        assert found >= level - spread


def miss_of_a_participant(x: Timing, y: Timing, room: float, dice: random.Random) -> bool:
    """y is refunded as soon as it can be and the refund is replaced at the last block of the horizon; then x is
    claimed. Clocks are late on y and early on x."""
    ty = 1_000_000.0
    tx = ty + room
    on_y = Chain(y, dice, ty - 15 * y.interval - y.clock_error, tx + 90 * y.interval, -y.clock_error)
    refundable = on_y.first_with_clock_after(ty) - 1  # the block after which our node lets the refund in
    learned = on_y.at[on_y.mined(on_y.at[refundable], y.inclusion + y.depth - 1)]
    on_x = Chain(x, dice, min(learned, tx) - 15 * x.interval, max(learned, tx) + 90 * x.interval, x.clock_error)
    final = on_x.mined(learned, x.inclusion + x.depth - 1)
    return final >= on_x.first_with_clock_after(tx)


@pytest.mark.parametrize(("x", "y", "runs"), [
    (replace(BITCOIN, depth=9, clock_error=300), replace(LITECOIN, clock_error=300), 4000),
    (replace(BITCOIN, depth=9, clock_error=0), replace(ETHEREUM, depth=20, miss_probability=0.2), 1500),
])  # fmt: skip
def test_the_span_between_two_deadlines_is_missed_as_often_as_stated(x, y, runs) -> None:
    level = 1 - (1 - 0.3) ** (1 / timelocks.EVENTS)
    guards = timelocks.guards({"x": x, "y": y}, 0, 0.3)
    room = guards.parts(("settle", "y"), ("reach", "x"))
    dice = random.Random(2)
    found = sum(miss_of_a_participant(x, y, room, dice) for _ in range(runs)) / runs
    spread = 4 * math.sqrt(level / runs)
    assert level - spread <= found <= level + spread


def test_a_guard_says_what_its_parts_are() -> None:
    guard = ChainGuard(include=10, reorg=20, depth=3, lead=-5, lag=7)
    guards = Guards({"c": guard}, outage=1)
    assert [guards.part(kind, "c") for kind in ("include", "final", "reach", "settle")] == [10, 30, 25, 37]
    with pytest.raises(KeyError):
        guards.part("nothing", "c")
