"""Arrays of every kind: broadcast, strided, read-only, mixed, empty, wrong; threads; outputs of the caller."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest

from options import errors

FUNCTIONS = ("black_scholes", "greeks", "black76", "black76_greeks", "inverse", "inverse_greeks")


def test_every_length_agrees_with_scalars(core: ModuleType) -> None:
    """Tails of vectors and blocks: each length up to 40, and around a block."""
    spot = np.linspace(60.0, 150.0, 520)
    every = np.array([core.black_scholes("put", s, 100.0, 0.5, 0.4, 0.03, 0.01) for s in spot.tolist()])
    for n in (*range(40), 255, 256, 257, 263, 512, 519):
        assert np.array_equal(core.black_scholes("put", spot[:n], 100.0, 0.5, 0.4, 0.03, 0.01), every[:n])


def test_broadcasting(core: ModuleType) -> None:
    spot, strike, years = (
        np.linspace(80, 120, 5)[:, None, None],
        np.linspace(90, 110, 3)[:, None],
        np.array([0.1, 1.0]),
    )
    found = core.black_scholes("call", spot, strike, years, 0.3)
    assert found.shape == (5, 3, 2)
    assert found[4, 1, 0] == core.black_scholes("call", 120.0, 100.0, 0.1, 0.3)
    with pytest.raises(errors.ShapeError) as caught:
        core.black_scholes("call", np.ones(3), np.ones(4), 1.0, 0.2)
    assert (3,) in caught.value.shapes


def test_strides_and_read_only(core: ModuleType) -> None:
    base = np.linspace(50.0, 150.0, 2400)
    base.setflags(write=False)
    square = base.reshape(40, 60)
    for view in (base[::3], base[::-1], square.T, square[::2, 5:50:7], np.asfortranarray(square)):
        plain = np.array(view, order="C")
        assert np.array_equal(
            core.black_scholes("put", view, 100.0, 0.5, 0.4), core.black_scholes("put", plain, 100.0, 0.5, 0.4)
        )
    packed = np.zeros(50, dtype=[("flag", "u1"), ("spot", "f8")])
    packed["spot"] = base[:50]
    assert np.array_equal(
        core.black_scholes("put", packed["spot"], 100.0, 0.5, 0.4),
        core.black_scholes("put", base[:50], 100.0, 0.5, 0.4),
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_mixed_types(core: ModuleType, name: str) -> None:
    function = getattr(core, name)
    expected = function("call", np.array([90.0, 110.0]), 100.0, 0.5, 0.25, 0.0)
    for spot in (np.array([90, 110], dtype=np.int16), np.array([90, 110], dtype=">f8"), [90, 110.0],
                 np.array([Decimal(90), Fraction(110)], dtype=object), np.float32([90, 110])):  # fmt: skip
        found = function(np.array([1, 1]), spot, 100, Fraction(1, 2), 0.25, 0)
        assert np.array_equal(np.asarray(found), np.asarray(expected))
    assert type(core.black_scholes("call", np.float64(90.0), 100, 0.5, 0.25)) is float
    assert np.isnan(core.black_scholes("call", np.ma.array([90.0, 110.0], mask=[True, False]), 100, 0.5, 0.25)[0])


NOT_NUMBERS = [
    "100",
    b"1",
    1j,
    [1j, 2.0],
    ["a"],
    None,
    np.array(["2024-01-01"], dtype="M8[D]"),
    [[1.0], [1.0, 2.0]],
]


@pytest.mark.parametrize("bad", NOT_NUMBERS)
def test_what_is_no_number(core: ModuleType, bad: object) -> None:
    with pytest.raises(errors.InputTypeError) as caught:
        core.black_scholes("call", 100.0, bad, 1.0, 0.2)
    assert caught.value.argument == "strike"


def test_empty(core: ModuleType) -> None:
    assert core.black_scholes("call", np.empty(0), 100.0, 1.0, 0.2).shape == (0,)
    assert core.greeks("both", np.empty((3, 0)), 100.0, 1.0, 0.2).charm.shape == (3, 0)
    assert core.implied_vol("call", np.empty(0), 100.0, 100.0, 1.0).shape == (0,)
    assert core.american("put", np.empty(0), 100.0, 1.0, 0.2).shape == (0,)


def test_kinds_as_words_and_signs(core: ModuleType) -> None:
    both = core.black_scholes("both", 100.0, 95.0, 0.5, 0.3)
    for kinds in (np.array(["call", "put"]), ["call", "put"], np.array([1, -1]), [1.0, -1.0]):
        assert core.black_scholes(kinds, 100.0, 95.0, 0.5, 0.3).tolist() == [both.call, both.put]
    with pytest.raises(errors.KindError):
        core.black_scholes(["call", "straddle"], 100.0, 95.0, 0.5, 0.3)


@pytest.mark.parametrize("threads", [0, 1, 2, 64])
def test_threads_change_nothing(core: ModuleType, is_twin: bool, threads: int) -> None:
    spot = np.linspace(20.0, 300.0, 500 if is_twin else 100_003)
    one = core.greeks("both", spot, 100.0, 0.5, 0.4, 0.03)
    many = core.greeks("both", spot, 100.0, 0.5, 0.4, 0.03, threads=threads)
    assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))
    few = spot[:: len(spot) // 150]
    assert np.array_equal(
        core.american("put", few, 100.0, 0.5, 0.4, 0.03),
        core.american("put", few, 100.0, 0.5, 0.4, 0.03, threads=threads),
    )


def test_outputs_of_the_caller(core: ModuleType) -> None:
    spot = np.linspace(60.0, 140.0, 100)
    prices = np.empty(100)
    assert core.black_scholes("call", spot, 100.0, 0.5, 0.4, out=prices) is prices
    assert np.array_equal(prices, core.black_scholes("call", spot, 100.0, 0.5, 0.4))
    pair = core.black_scholes("both", spot, 100.0, 0.5, 0.4, out=(np.empty(100), prices))
    assert pair.put is prices
    with pytest.raises(errors.ShapeError):
        core.black_scholes("call", spot, 100.0, 0.5, 0.4, out=np.empty(99))
    with pytest.raises(errors.ShapeError):
        core.black_scholes("both", spot, 100.0, 0.5, 0.4, out=(prices,))
    with pytest.raises(errors.InputTypeError):
        core.black_scholes("call", spot, 100.0, 0.5, 0.4, out=np.empty(200)[::2])
    with pytest.raises(errors.InputTypeError):
        core.black_scholes("call", spot, 100.0, 0.5, 0.4, out=np.empty(100, dtype=np.float32))
    frozen = np.empty(100)
    frozen.setflags(write=False)
    with pytest.raises(errors.InputTypeError):
        core.black_scholes("call", spot, 100.0, 0.5, 0.4, out=frozen)


def test_output_over_an_input(core: ModuleType) -> None:
    buffer = np.linspace(60.0, 140.0, 300)
    expected = core.black_scholes("call", buffer[:-1].copy(), 100.0, 0.5, 0.4)
    assert np.array_equal(core.black_scholes("call", buffer[:-1], 100.0, 0.5, 0.4, out=buffer[1:]), expected)


def test_scenario_grid(core: ModuleType) -> None:
    rng = np.random.default_rng(2)
    n = 37
    strike, years, vol = rng.uniform(70, 130, n), rng.uniform(0.01, 1, n), rng.uniform(0.2, 0.9, n)
    kind = rng.choice([-1.0, 1.0], n)
    moves, shifts = np.repeat(np.linspace(-0.3, 0.3, 5), 3), np.tile([-0.5, 0.0, 0.1], 5)
    found = core.scenario_grid(kind, 100.0, strike, years, vol, 0.01, 0.02, spot_moves=moves, vol_moves=shifts)
    assert found.shape == (15, n)
    for row, move, shift in zip(found, moves, shifts, strict=True):
        moved = np.maximum(vol + shift, 0.0)
        expected = core.black_scholes(kind, 100.0 * (1 + move), strike, years, moved, 0.01, 0.02)
        np.testing.assert_allclose(row, expected, rtol=1e-12, atol=1e-13)


def test_scenario_grid_with_bad_and_edge_options(core: ModuleType) -> None:
    spot = np.array([100.0, -1.0, 0.0, math.nan, 100.0, 100.0, 1e-70])
    vol = np.array([0.2, 0.2, 0.2, 0.2, math.nan, -0.1, 0.2])
    found = core.scenario_grid("put", spot, 100.0, 0.5, vol, spot_moves=[0.0, 0.1, -1.0, -2.0], vol_moves=0.05)
    assert np.isnan(found[:2]).tolist() == [[False, True, False, True, True, True, False]] * 2
    assert found[0, 2] == 100.0
    assert found[2, 0] == 100.0  # the spot gone
    assert np.isnan(found[3, 0])  # and below nothing
    with pytest.raises(errors.ShapeError):
        core.scenario_grid("put", spot, 100.0, 0.5, vol, spot_moves=[0.0, 0.1], vol_moves=[0.0, 0.1, 0.2])
    with pytest.raises(errors.ShapeError):
        core.scenario_grid("put", spot.reshape(7, 1), 100.0, 0.5, 0.2)


def test_large_results_do_not_share_memory_while_they_live(core: ModuleType, is_twin: bool) -> None:
    """Blocks of freed results are used again: never one that is still held."""
    spot = np.linspace(50.0, 150.0, 200 if is_twin else 200_000)
    first = core.black_scholes("call", spot, 100.0, 0.5, 0.4)
    kept, view = first.copy(), first[::7]
    second = core.black_scholes("put", spot, 100.0, 0.5, 0.4)
    assert not np.may_share_memory(first, second)
    del first
    third = core.black_scholes("put", spot + 1.0, 100.0, 0.5, 0.4)
    assert not np.may_share_memory(view, third)
    assert np.array_equal(view, kept[::7])
    del second, third, view
    assert np.array_equal(core.black_scholes("call", spot, 100.0, 0.5, 0.4), kept)
