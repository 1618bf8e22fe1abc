"""The walk that is simulated and how: checked once, passed as one value."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from options._kernels import find
from options.errors import InvalidInputError, KindError

Array = NDArray[np.float64]

_CHUNK: Final = 1 << 22  # doubles of one chunk of paths held at a time
_BLOCK: Final = 512
_MOST_PATHS: Final = 1 << 48
_MOST_STEPS: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Run:
    """How to simulate: `paths` of them from `seed`, in `threads` threads (0: all processors this process
    may use).

    The result depends on seed, stream and paths, never on threads. Two streams of one seed are
    independent.
    """

    paths: int = 100_000
    seed: int = 0
    stream: int = 0
    threads: int = 1
    kernel: str | None = None

    def __post_init__(self) -> None:
        _within("paths", self.paths, 2, _MOST_PATHS)
        _within("seed", self.seed, 0, (1 << 64) - 1)
        _within("stream", self.stream, 0, (1 << 32) - 1)
        _within("threads", self.threads, 0, 1 << 16)


def _within(name: str, value: int, least: int, most: int) -> None:
    if not isinstance(value, int) or not least <= value <= most:
        raise InvalidInputError(name, value, f"a whole number from {least} to {most}")


@dataclass(frozen=True, slots=True)
class Walk:
    """The logarithm of price over spot, sampled at `steps` equal intervals of `years`."""

    steps: int
    years: float
    vol: float
    carry: float

    def __post_init__(self) -> None:
        _within("steps", self.steps, 1, _MOST_STEPS)

    @property
    def drift(self) -> float:
        return (self.carry - 0.5 * self.vol * self.vol) * self.years / self.steps

    @property
    def scale(self) -> float:
        return self.vol * sqrt(self.years / self.steps)

    def asian_sums(self, run: Run, sign: float, spot: float, strike: float) -> Array:
        """Sums per block of paths, shape (blocks, 5), as `estimate.sums` has them."""
        module, name = find(run.kernel)
        moves = (run.seed, run.stream, self.steps, self.drift, self.scale)
        result: Array = module.asian_sums(name, *moves, sign, spot, strike, 0, run.paths, run.threads)
        return result

    def summaries(self, run: Run) -> Iterator[Array]:
        """Chunks of shape (5, paths): the final logarithm, its mean, least and greatest, mean price over
        spot.
        """
        module, name = find(run.kernel)
        moves = (run.seed, run.stream, self.steps, self.drift, self.scale)
        for first, count in _chunks(run.paths, 5):
            yield module.summaries(name, *moves, first, count, run.threads)

    def trails(self, run: Run) -> Iterator[Array]:
        """Chunks of shape (steps, paths): the logarithm of price over spot after each step."""
        module, name = find(run.kernel)
        moves = (run.seed, run.stream, self.steps, self.drift, self.scale)
        for first, count in _chunks(run.paths, self.steps):
            yield module.trails(name, *moves, first, count, run.threads)


def _chunks(paths: int, rows: int) -> Iterator[tuple[int, int]]:
    size = max(_BLOCK, _CHUNK // rows // _BLOCK * _BLOCK)
    for first in range(0, paths, size):
        yield first, min(size, paths - first)


def sign_of(kind: str) -> float:
    """+1 for a call, -1 for a put."""
    if kind not in ("call", "put"):
        raise KindError(kind, '"call" or "put"')
    return 1.0 if kind == "call" else -1.0


def require(**values: float) -> None:
    """Refuses what no path can be simulated from; all but rate and dividend must not be negative."""
    for name, value in values.items():
        signed = name in ("rate", "dividend")
        if not isfinite(value) or (value < 0.0 and not signed):
            raise InvalidInputError(name, value, "finite" if signed else "zero or more")
