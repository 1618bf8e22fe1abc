"""How long blocks take, against closed forms, against sums that other libraries make, and against dice."""

from __future__ import annotations

import math
import random

import mpmath
import pytest

from chains.port import BlockProcess, Timing
from htlc.waiting import Wait, exceeds, quantile, wait

POISSON = BlockProcess.POISSON
SLOTTED = BlockProcess.SLOTTED


def poisson(blocks: int, interval: float = 600.0) -> Wait:
    return Wait(POISSON, interval, 0.0, blocks)


def slotted(blocks: int, interval: float = 12.0, miss: float = 0.02) -> Wait:
    return Wait(SLOTTED, interval, miss, blocks)


def test_one_block_is_an_exponential() -> None:
    assert exceeds([poisson(1)], 1200) == pytest.approx(math.exp(-2), rel=1e-12)


@pytest.mark.parametrize("seconds", [600, 7200, 30_000, 120_000, 600_000])
@pytest.mark.parametrize("blocks", [1, 6, 13, 80])
def test_erlang_tails_are_those_of_the_incomplete_gamma_function(blocks, seconds) -> None:
    exact = mpmath.gammainc(blocks, seconds / 600, mpmath.inf, regularized=True)
    assert exceeds([poisson(blocks)], seconds) == pytest.approx(float(exact), rel=1e-9, abs=1e-290)


@pytest.mark.parametrize(("slots", "blocks"), [(5, 5), (6, 5), (9, 5), (80, 67), (100, 67), (30, 1)])
def test_slot_tails_are_binomial(slots, blocks) -> None:
    exact = 1 - mpmath.betainc(blocks, slots - blocks + 1, 0, 0.98, regularized=True)
    found = exceeds([slotted(blocks)], slots * 12 + 5)
    assert found == pytest.approx(float(exact), rel=1e-6, abs=1e-13)


def test_slots_that_are_never_missed_take_exactly_their_time() -> None:
    sure = slotted(5, miss=0.0)
    assert exceeds([sure], 59.9) == 1
    assert exceeds([sure], 60) == 0
    assert quantile((sure,), 1e-9) == 60


def test_two_poisson_chains_are_the_integral_that_mpmath_makes() -> None:
    first, second = poisson(12), poisson(12, 150.0)
    with mpmath.workdps(25):

        def inner(u):
            density = (u / 600) ** 11 * mpmath.exp(-u / 600) / mpmath.factorial(11) / 600
            return density * mpmath.gammainc(12, (20_000 - u) / 150, mpmath.inf, regularized=True)

        exact = mpmath.quad(inner, [0, 4000, 9000, 14_000, 20_000])
        exact += mpmath.gammainc(12, mpmath.mpf(20_000) / 600, mpmath.inf, regularized=True)
    assert exceeds([first, second], 20_000) == pytest.approx(float(exact), rel=1e-8)
    assert exceeds([second, first], 20_000) == pytest.approx(float(exact), rel=1e-8)


def test_two_chains_alike_are_one_chain_with_the_sum_of_blocks() -> None:
    for seconds in (3000, 9000, 20_000):
        joint = exceeds([poisson(4), poisson(5)], seconds)
        assert joint == pytest.approx(exceeds([poisson(9)], seconds), rel=1e-8)
    for seconds in (400, 500, 600):
        joint = exceeds([slotted(10), slotted(20)], seconds)
        assert joint == pytest.approx(exceeds([slotted(30)], seconds), rel=1e-6)


def test_mixed_chains_against_dice() -> None:
    dice, runs, seconds = random.Random(7), 40_000, 5200.0
    late = 0
    for _ in range(runs):
        total, filled = dice.gammavariate(6, 600), 0
        while filled < 30:
            filled += dice.random() >= 0.1
            total += 12
        late += total > seconds
    stated = exceeds([poisson(6), slotted(30, miss=0.1)], seconds)
    assert late / runs == pytest.approx(stated, abs=4 * math.sqrt(stated / runs))


@pytest.mark.parametrize("probability", [0.5, 1e-2, 1e-6, 1e-12])
@pytest.mark.parametrize(
    "waits", [(poisson(9),), (slotted(67),), (poisson(9), slotted(67)), (poisson(6), poisson(6, 150))]
)
def test_a_quantile_is_the_first_second_that_is_good_enough(waits, probability) -> None:
    seconds = quantile(waits, probability)
    assert exceeds(waits, seconds) <= probability < exceeds(waits, seconds - 1)


def test_a_convolution_is_shorter_than_the_sum_of_quantiles() -> None:
    parts = (poisson(9), poisson(9, 150))
    assert quantile(parts, 1e-6) < 0.95 * sum(quantile((part,), 1e-6) for part in parts)


def test_no_blocks_take_no_time() -> None:
    assert exceeds([poisson(0)], 0) == 0
    assert quantile((poisson(0), slotted(0)), 1e-9) == 0
    timing = Timing(POISSON, 600, 3, 6, 11, 7200, 7200)
    assert wait(timing, 4) == poisson(4)
