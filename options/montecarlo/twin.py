"""The path kernel in numpy: the same generator and the same transform, so the same paths.

Against the compiled builds the random bits are equal and a normal differs by less than 4e-15; see
options/_paths.pyi for the functions.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Words = NDArray[np.uint64]

BLOCK: Final = 512  # paths whose sums are added up together
_MULTIPLIERS: Final = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL: Final = (0x9E3779B9, 0xBB67AE85)
_ROUNDS: Final = 10
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_CHUNK: Final = 1 << 20  # path-steps in flight


def kernel_names() -> tuple[str, ...]:
    return ("python",)


def kernel_name(kernel: str) -> str:
    return "python"


def _philox(c0: Words, c1: Words, c2: Words, c3: Words, seed: int) -> tuple[Words, Words, Words, Words]:
    """Philox4x32-10 (Salmon, Moraes, Dror and Shaw, SC 2011) of 32-bit words held in 64 bits."""
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(_ROUNDS):
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1 = (p1 >> _HALF) ^ c1 ^ np.uint64(k0), p1 & _LOW
        c2, c3 = (p0 >> _HALF) ^ c3 ^ np.uint64(k1), p0 & _LOW
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    a, b, c, d = (np.array([word], dtype=np.uint64) for word in counter)
    c0, c1, c2, c3 = _philox(a, b, c, d, key[0] | key[1] << 32)
    return int(c0[0]), int(c1[0]), int(c2[0]), int(c3[0])


def _unit(bits: Words) -> Array:
    """52 random bits as a number in (0, 1), never at an end."""
    return ((bits >> np.uint64(12)) | np.uint64(0x3FF0000000000000)).view(np.float64) - (1.0 - 2.0**-53)


def normals(seed: int, stream: int, steps: int, first: int, paths: int) -> Array:
    """Standard normals of shape (steps, paths): Box and Muller's pairs, two steps from one counter."""
    pairs = (steps + 1) // 2
    path = np.arange(first, first + paths, dtype=np.uint64)
    pair = np.arange(pairs, dtype=np.uint64)[:, None]
    lone = np.zeros((pairs, 1), dtype=np.uint64) + np.uint64(stream)
    ones = np.ones((pairs, paths), dtype=np.uint64)
    w0, w1, w2, w3 = _philox(ones * (path & _LOW), ones * (path >> _HALF), ones * pair, ones * lone, seed)
    angle = w2 | w3 << _HALF
    radius = np.sqrt(-np.log(_unit(w0 | w1 << _HALF)))
    x = (_unit(angle) - 0.5) * (0.5 * np.pi)
    sine, cosine = np.sin(x), np.cos(x)
    result = np.empty((pairs, 2, paths))
    result[:, 0] = radius * (cosine - sine) * _signs(angle, 0)
    result[:, 1] = radius * (cosine + sine) * _signs(angle, 1)
    return result.reshape(2 * pairs, paths)[:steps]


def _signs(bits: Words, position: int) -> Array:
    return 1.0 - 2.0 * ((bits >> np.uint64(position)) & np.uint64(1)).astype(np.float64)


def trails(
    kernel: str,
    seed: int,
    stream: int,
    steps: int,
    drift: float,
    scale: float,
    first: int,
    paths: int,
    threads: int,
) -> Array:
    return np.cumsum(scale * normals(seed, stream, steps, first, paths) + drift, axis=0)


def summaries(
    kernel: str,
    seed: int,
    stream: int,
    steps: int,
    drift: float,
    scale: float,
    first: int,
    paths: int,
    threads: int,
) -> Array:
    result = np.empty((5, paths))
    size = max(BLOCK, _CHUNK // max(steps, 1) // BLOCK * BLOCK)
    for at in range(0, paths, size):
        count = min(size, paths - at)
        logs = trails(kernel, seed, stream, steps, drift, scale, first + at, count, threads)
        result[:, at : at + count] = (
            logs[-1],
            logs.mean(axis=0),
            logs.min(axis=0),
            logs.max(axis=0),
            np.exp(logs).mean(axis=0),
        )
    return result


def asian_sums(
    kernel: str,
    seed: int,
    stream: int,
    steps: int,
    drift: float,
    scale: float,
    sign: float,
    spot: float,
    strike: float,
    first: int,
    paths: int,
    threads: int,
) -> Array:
    rows = summaries(kernel, seed, stream, steps, drift, scale, first, paths, threads)
    payoff = np.maximum(sign * (spot * rows[4] - strike), 0.0)
    y = np.maximum(sign * (spot * np.exp(rows[1]) - strike), 0.0)
    d = payoff - y
    table = np.stack((d, d * d, d * y, y, y * y))
    edges = np.arange(0, paths, BLOCK)
    return np.ascontiguousarray(np.add.reduceat(table, edges, axis=1).T) if paths else np.empty((0, 5))
