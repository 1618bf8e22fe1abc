"""Writes options/native/tables.h: the coefficients of the kernels' elementary functions, fitted at 70 digits.

Polynomials by Remez's exchange, rational functions by linearised least squares with Lawson's weights; both
minimise the relative error of the function they serve. Run: python benchmarks/fit_tables.py (half a minute).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mpmath as mp

mp.mp.dps = 70
Real = Callable[[mp.mpf], mp.mpf]
TARGET = Path(__file__).parents[1] / "options" / "native" / "tables.h"
HEAD = """/* Coefficients of the kernels' elementary functions, low order first.
   Written by benchmarks/fit_tables.py; do not edit by hand. */
#ifndef STRIKELOCK_TABLES_H
#define STRIKELOCK_TABLES_H

"""
INV_SQRT_2PI = 1 / mp.sqrt(2 * mp.pi)


def value(coefficients: list[mp.mpf], x: mp.mpf) -> mp.mpf:
    return mp.polyval(coefficients[::-1], x)


def remez(f: Real, weight: Real, low: mp.mpf, high: mp.mpf, degree: int) -> tuple[list[mp.mpf], mp.mpf]:
    """Coefficients of the polynomial that minimises |p - f| / weight, and that minimum."""
    count = degree + 2
    nodes = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / (count - 1)) for i in range(count)]
    grid = [low + (high - low) * i / (40 * count) for i in range(40 * count + 1)]
    for _ in range(25):
        matrix = mp.matrix(count, count)
        for i, x in enumerate(nodes):
            for k in range(degree + 1):
                matrix[i, k] = x**k
            matrix[i, degree + 1] = (-1) ** i * weight(x)
        solution = mp.lu_solve(matrix, mp.matrix([f(x) for x in nodes]))
        fitted, level = list(solution)[: degree + 1], abs(solution[degree + 1])
        errors = [(value(fitted, x) - f(x)) / weight(x) for x in grid]
        worst = max(map(abs, errors))
        peaks = alternating_peaks(errors)
        while len(peaks) > count:
            peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
        if worst < level * mp.mpf("1.01") or len(peaks) < count:
            break
        nodes = [grid[i] for i in peaks]
    return fitted, worst


def alternating_peaks(errors: list[mp.mpf]) -> list[int]:
    """Where the error is greatest between its changes of sign."""
    peaks: list[int] = []
    for i, error in enumerate(errors):
        if peaks and errors[peaks[-1]] * error > 0:
            if abs(error) > abs(errors[peaks[-1]]):
                peaks[-1] = i
        else:
            peaks.append(i)
    return peaks


def rational(f: Real, top: int, bottom: int) -> tuple[list[mp.mpf], list[mp.mpf], mp.mpf]:
    """P and Q, Q(0) = 1, of the rational function that fits f over the half line, and its relative error."""
    count = 240
    angles = [mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    points = [mp.mpf("2.5") * (1 + u) / (1 - u) for u in angles]
    values = [f(a) for a in points]
    weights, below = [mp.mpf(1)] * count, [mp.mpf(1)] * count
    best: tuple[list[mp.mpf], list[mp.mpf], mp.mpf] | None = None
    for _ in range(12):
        matrix, right = mp.matrix(count, top + 1 + bottom), mp.matrix(count, 1)
        for i, (a, y) in enumerate(zip(points, values, strict=True)):
            scale = mp.sqrt(weights[i]) / (y * below[i])
            for k in range(top + 1):
                matrix[i, k] = scale * a**k
            for k in range(bottom):
                matrix[i, top + 1 + k] = -scale * y * a ** (k + 1)
            right[i] = scale * y
        sizes = [max(abs(matrix[i, k]) for i in range(count)) for k in range(top + 1 + bottom)]
        for i in range(count):
            for k, size in enumerate(sizes):
                matrix[i, k] /= size
        solution = mp.lu_solve(matrix.T * matrix, matrix.T * right)
        found = [solution[k] / size for k, size in enumerate(sizes)]
        p, q = found[: top + 1], [mp.mpf(1), *found[top + 1 :]]
        below = [value(q, a) for a in points]
        errors = [value(p, a) / d / y - 1 for a, d, y in zip(points, below, values, strict=True)]
        worst = max(map(abs, errors))
        if best is None or worst < best[2]:
            best = p, q, worst
        weights = [w * (abs(e) / worst + mp.mpf("1e-3")) for w, e in zip(weights, errors, strict=True)]
        total = sum(weights)
        weights = [w * count / total for w in weights]
    assert best is not None
    return best


def tail(a: mp.mpf) -> mp.mpf:
    """N(-a) exp(a^2/2)"""
    if a < 200:
        return mp.exp(a * a / 2) * mp.erfc(a / mp.sqrt(2)) / 2
    return INV_SQRT_2PI / a * sum((-1) ** k * mp.fac2(2 * k - 1) / a ** (2 * k) for k in range(12))


def slope(a: mp.mpf) -> mp.mpf:
    """1/sqrt(2 pi) - a tail(a)"""
    if a < 200:
        return INV_SQRT_2PI - a * tail(a)
    return INV_SQRT_2PI * sum((-1) ** (k + 1) * mp.fac2(2 * k - 1) / a ** (2 * k) for k in range(1, 13))


def exp_rest(r: mp.mpf) -> mp.mpf:
    """(exp(r) - 1 - r) / r^2"""
    return mp.mpf(1) / 2 + r / 6 + r * r / 24 + r**3 / 120 if abs(r) < 1e-8 else (mp.exp(r) - 1 - r) / r**2


def log_rest(z: mp.mpf) -> mp.mpf:
    """(2 atanh(s) - 2 s) / s^3, s^2 = z"""
    s = mp.sqrt(z)
    return mp.mpf(2) / 3 + 2 * z / 5 if z < 1e-12 else (2 * mp.atanh(s) - 2 * s) / (s * z)


def table(name: str, coefficients: list[mp.mpf], meaning: str) -> str:
    rows = "".join(f"    {float(c).hex()},\n" for c in coefficients)
    return f"/* {meaning} */\nstatic const double {name}[{len(coefficients)}] = {{\n{rows}}};\n\n"


def main() -> None:
    half = mp.log(2) / 2 * mp.mpf("1.0005")
    exps, exp_error = remez(exp_rest, lambda r: mp.exp(r) / max(r * r, mp.mpf("4e-4")), -half, half, 9)
    logs, log_error = remez(log_rest, lambda z: 2 / max(z, mp.mpf("1e-4")), mp.mpf(0), mp.mpf("0.0425"), 7)
    tail_p, tail_q, tail_error = rational(tail, 10, 11)
    slope_p, slope_q, slope_error = rational(slope, 10, 12)
    say = mp.nstr
    TARGET.write_text(
        HEAD
        + table("SL_EXP_Q", exps, f"(exp(r) - 1 - r) / r^2 on |r| <= ln2/2; error of exp {say(exp_error, 2)}")
        + table("SL_LOG_P", logs, f"(2 atanh(s) - 2 s) / s^3 in s^2 <= 0.0425; error of log {say(log_error, 2)}")
        + table("SL_TAIL_P", tail_p, f"T(a) = N(-a) exp(a^2/2) = P/Q for a >= 0; error {say(tail_error, 2)}")
        + table("SL_TAIL_Q", tail_q, "its denominator")
        + table("SL_SLOPE_P", slope_p, f"1/sqrt(2 pi) - a T(a) = P/Q for a >= 0; error {say(slope_error, 2)}")
        + table("SL_SLOPE_Q", slope_q, "its denominator")
        + "#endif\n"
    )


if __name__ == "__main__":
    main()
