"""Simulation: the generator against published vectors, kernels against the twin, estimates against formulas."""

from __future__ import annotations

import numpy as np
import pytest

import options
from options._kernels import find
from options.errors import InvalidInputError, KernelUnavailableError, KindError
from options.exotics.asian import asian
from options.exotics.barrier import barrier
from options.exotics.lookback import lookback
from options.montecarlo import Rule, Run, Walk, fit, kernels, longstaff_schwartz
from options.montecarlo import asian as simulated_asian
from options.montecarlo import barrier as simulated_barrier
from options.montecarlo import lookback as simulated_lookback

# Salmon, Moraes, Dror and Shaw, Random123 1.x, examples/kat_vectors: philox4x32 10
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.fixture(params=kernels())
def kernel(request):
    return request.param


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(kernel, counter, key, answer):
    assert find(kernel)[0].philox(counter, key) == answer


def _normals(kernel, paths=1000, steps=7, seed=2**63 + 5, first=2**33, stream=3):
    module, name = find(kernel)
    trails = module.trails(name, seed, stream, steps, 0.0, 1.0, first, paths, 1)
    return np.diff(trails, axis=0, prepend=0.0)


def test_every_kernel_draws_the_same_normals(kernel):
    """A wrong word of a counter, a lane out of place, or a sign bit would show at once."""
    wanted = find("python")[0].normals(2**63 + 5, 3, 7, 2**33, 1000)
    assert np.abs(_normals(kernel) - wanted).max() < 2e-14


def test_normals_are_the_words_of_philox():
    """The first pair of path 5 by hand: the four words of counter (5, 0, 0, stream 3) under the seed."""
    seed = 0xDEADBEEF12345678
    words = find("python")[0].philox((5, 0, 0, 3), (seed & 0xFFFFFFFF, seed >> 32))
    radius_bits, angle_bits = words[0] | words[1] << 32, words[2] | words[3] << 32
    radius = np.sqrt(-2 * np.log(((radius_bits >> 12) + 0.5) / 2**52))
    angle = np.pi / 4 + ((angle_bits >> 12) + 0.5 - 2**51) / 2**52 * np.pi / 2
    signs = [1 - 2 * (angle_bits & 1), 1 - 2 * (angle_bits >> 1 & 1)]
    wanted = [signs[0] * radius * np.cos(angle), signs[1] * radius * np.sin(angle)]
    assert _normals("python", paths=1, steps=2, seed=seed, first=5).ravel() == pytest.approx(wanted, abs=1e-14)


def test_normals_are_normal_and_independent(kernel):
    z = _normals(kernel, paths=40_000, steps=5, seed=11, first=0, stream=0)
    n = z.size
    moments = [np.mean(z), np.mean(z**2) - 1, np.mean(z**3), np.mean(z**4) - 3, np.mean(z**6) - 15]
    spreads = [1, 2, 15, 96, 10170]
    assert all(abs(m) < 4.5 * np.sqrt(v / n) for m, v in zip(moments, spreads, strict=True))
    correlations = np.corrcoef(z) - np.eye(5)
    assert np.abs(correlations).max() < 4.5 / np.sqrt(40_000)
    squares = np.corrcoef(z**2) - np.eye(5)
    assert np.abs(squares).max() < 4.5 / np.sqrt(40_000)
    shares = np.histogram(z, [-np.inf, -3, -2, -1, 0, 1, 2, 3, np.inf])[0] / n
    wanted = np.array([0.0013498980, 0.0214002339, 0.1359051220, 0.3413447461])
    assert np.abs(shares - np.concatenate((wanted, wanted[::-1]))).max() < 4.5 * np.sqrt(0.34 * 0.66 / n)


@pytest.mark.parametrize("paths", [2, 511, 512, 513, 4099])
def test_sums_do_not_depend_on_threads_or_kernel(kernel, paths):
    walk = Walk(13, 1.0, 0.4, 0.03)
    one = walk.asian_sums(Run(paths, seed=9, kernel=kernel), 1.0, 100.0, 95.0)
    assert one.shape == (-(-paths // 512), 5)
    for threads in (0, 2, 3):
        again = walk.asian_sums(Run(paths, seed=9, kernel=kernel, threads=threads), 1.0, 100.0, 95.0)
        assert np.array_equal(one, again)
    twin = walk.asian_sums(Run(paths, seed=9, kernel="python"), 1.0, 100.0, 95.0)
    assert one == pytest.approx(twin, rel=1e-11, abs=1e-9)


def test_summaries_are_those_of_the_trails(kernel):
    walk, run = Walk(33, 0.5, 0.6, -0.1), Run(1029, seed=1, kernel=kernel)
    (trail,) = walk.trails(run)
    (rows,) = walk.summaries(run)
    assert trail.shape == (33, 1029)
    wanted = (trail[-1], trail.mean(axis=0), trail.min(axis=0), trail.max(axis=0), np.exp(trail).mean(axis=0))
    assert np.abs(rows - np.stack(wanted)).max() < 1e-13


def test_a_longer_run_starts_with_the_shorter_one(kernel):
    walk = Walk(4, 1.0, 0.2, 0.0)
    (short,), (long,) = (list(walk.trails(Run(n, seed=4, kernel=kernel))) for n in (700, 1500))
    assert np.array_equal(short, long[:, :700])
    (other,) = walk.trails(Run(700, seed=4, stream=1, kernel=kernel))
    assert abs(np.corrcoef(short[-1], other[-1])[0, 1]) < 0.2


def test_asian_estimate_agrees_with_the_formula(kernel):
    run = Run(4096 if kernel == "python" else 65_536, seed=2, kernel=kernel)
    for kind, strike in (("call", 100), ("put", 110)):
        estimate = simulated_asian(kind, 100, strike, 1, 0.3, 0.05, 0.02, fixings=24, run=run)
        assert estimate.within(asian(kind, 100, strike, 1, 0.3, 0.05, 0.02, fixings=24))
        assert estimate.error < 0.03


def test_the_control_variate_earns_its_keep():
    estimate = simulated_asian("call", 100, 100, 1, 0.3, 0.05, fixings=64, run=Run(65_536, seed=3))
    plain = 0.5 * 100 * 0.3 / np.sqrt(3) / np.sqrt(65_536)  # about the error without it
    assert estimate.error < plain / 15
    assert 1.0 < estimate.control < 1.2


@pytest.mark.parametrize("style", ["down-out", "down-in", "up-out", "up-in"])
def test_barrier_estimate_agrees_with_the_corrected_formula(style):
    level = 90 if style.startswith("down") else 115
    terms = ("call", 100, 100, level, 0.5, 0.3, 0.05, 0.01)
    rebate = 2.0 if style.endswith("in") else 0.0
    run = Run(100_000, seed=8)
    estimate = simulated_barrier(*terms, style=style, rebate=rebate, observations=50, run=run)
    assert estimate.within(barrier(*terms, style=style, rebate=rebate, observations=50))


@pytest.mark.parametrize(("kind", "strike"), [("call", None), ("put", None), ("call", 105), ("put", 98)])
def test_lookback_estimate_agrees_with_the_corrected_formula(kind, strike):
    """Broadie, Glasserman and Kou 1999: the correction is exact to o(1/sqrt(m)); 0.1 % remains at 200 dates."""
    estimate = simulated_lookback(kind, 100, strike, 0.5, 0.3, 0.05, observations=200, run=Run(100_000, seed=6))
    formula = lookback(kind, 100, strike, 0.5, 0.3, 0.05, observations=200)
    assert abs(estimate.price - formula) < 4 * estimate.error + 0.001 * formula
    assert abs(lookback(kind, 100, strike, 0.5, 0.3, 0.05) / formula - 1) > 0.02  # uncorrected, it is far off


def test_errors_are_honest():
    """Of 40 independent estimates about 38 lie within two standard errors."""
    value = asian("call", 100, 100, 1, 0.2, 0.05, fixings=8)
    runs = (Run(4000, seed=s) for s in range(40))
    hits = sum(simulated_asian("call", 100, 100, 1, 0.2, 0.05, fixings=8, run=r).within(value, 2.0) for r in runs)
    assert 33 <= hits <= 40


def test_early_exercise_is_reproducible_and_above_european(kernel):
    paths = 3000 if kernel == "python" else 20_000
    one = longstaff_schwartz("put", 40, 40, 1, 0.2, 0.06, run=Run(paths, seed=5, kernel=kernel))
    two = longstaff_schwartz("put", 40, 40, 1, 0.2, 0.06, run=Run(paths, seed=5, kernel=kernel, threads=2))
    assert one == two
    assert 2.066 < one.price < 2.314 + 4 * one.error
    call = longstaff_schwartz("call", 40, 40, 1, 0.2, 0.06, run=Run(paths, seed=5, kernel=kernel))
    european = options.black_scholes("call", 40, 40, 1, 0.2, 0.06)  # no dividend: exercising early never pays
    assert 0.998 * european < call.price < european + 4 * call.error


def test_early_exercise_comes_up_to_the_american_price_from_below():
    """With exercise at any time and by the best rule: Andersen, Lake and Offengenden's price."""
    for kind, dividend in (("put", 0.0), ("call", 0.08)):
        terms = (kind, 36, 40, 1, 0.4, 0.06, dividend)
        best = options.american(*terms)
        found = longstaff_schwartz(*terms, exercises=100, run=Run(20_000, seed=12))
        assert best - 0.02 - 3 * found.error < found.price < best + 3 * found.error


def test_the_worked_example_of_longstaff_and_schwartz():
    """Review of Financial Studies 14, 2001, section 1: eight paths, three dates, put at 1.10, r 6 %: 0.1144."""
    prices = np.array(
        [
            [1.09, 1.16, 1.22, 0.93, 1.11, 0.76, 0.92, 0.88],
            [1.08, 1.26, 1.07, 0.97, 1.56, 0.77, 0.84, 1.22],
            [1.34, 1.54, 1.03, 0.92, 1.52, 0.90, 1.01, 1.34],
        ]
    )
    payoffs = np.maximum(1.10 - prices, 0)
    discount = np.exp(-0.06)
    rule = fit(prices, payoffs, discount, degree=2, least=1)
    assert rule.coefficients[1] == pytest.approx([-1.070, 2.983, -1.813], abs=2e-3)
    assert rule.coefficients[0] == pytest.approx([2.038, -3.335, 1.356], abs=2e-3)
    moment = rule.stops(prices, payoffs)
    assert moment.tolist() == [2, 2, 2, 0, 2, 0, 0, 0]
    value = np.mean(payoffs[moment, np.arange(8)] * discount ** (moment + 1))
    assert value == pytest.approx(0.1144, abs=5e-5)


def test_a_rule_without_a_fit_waits():
    rule = Rule(np.full((1, 3), np.nan))
    assert rule.stops(np.ones((2, 3)), np.ones((2, 3))).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "bad", [{"paths": 1}, {"paths": 2.5}, {"seed": -1}, {"seed": 2**64}, {"stream": 2**32}, {"threads": -1}]
)
def test_a_bad_run_is_refused(bad):
    with pytest.raises(InvalidInputError):
        Run(**bad)


def test_bad_arguments_are_refused():
    with pytest.raises(KernelUnavailableError):
        simulated_asian("call", 100, 100, 1, 0.3, fixings=4, run=Run(kernel="mmx"))
    with pytest.raises(KindError):
        simulated_asian("straddle", 100, 100, 1, 0.3, fixings=4)
    with pytest.raises(InvalidInputError, match="steps is 0"):
        simulated_asian("call", 100, 100, 1, 0.3, fixings=0)
    for name, value in (("spot", np.nan), ("vol", -0.1), ("rate", np.inf)):
        arguments = {"spot": 100, "strike": 100, "years": 1, "vol": 0.3, "rate": 0.0, name: value}
        with pytest.raises(InvalidInputError) as caught:
            simulated_asian("call", fixings=4, **arguments)
        assert caught.value.argument == name
