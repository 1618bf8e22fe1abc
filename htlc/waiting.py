"""How long blocks take: the chance that so many blocks on one or two chains need more than so many seconds.

Poisson chains: the time T_k of k blocks is Erlang, P(T_k > t) = sum over i < k of e^-u u^i / i!, u = t /
interval. Slotted chains: the k-th filled slot is negative binomial, P(T_k > t) = P(Binomial(floor(t /
interval), 1 - q) < k), q being the chance that a slot is missed; the wait is counted from the worst moment,
just after a block. Two chains one after the other: the convolution, by Gauss-Legendre quadrature or by summing
over slots. (Neuts, Matrix-Geometric Solutions, 1981, chapter 2, for phase-type waits; Nakamoto 2008, section
11, for the block model.)

numpy is imported when the first number is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from chains.port import BlockProcess, Timing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PANELS = 24  # of the quadrature; a test compares the result with exact sums
NODES = 16


@dataclass(frozen=True, slots=True)
class Wait:
    """The time in which `blocks` blocks arrive, from any moment on."""

    process: BlockProcess
    interval: float
    miss: float
    blocks: int


def wait(timing: Timing, blocks: int) -> Wait:
    """The wait for `blocks` blocks of a chain."""
    return Wait(timing.process, timing.interval, timing.miss_probability, blocks)


def exceeds(waits: Sequence[Wait], seconds: float) -> float:
    """P(the waits, one after the other, take more than `seconds`). At most two; each on its own chain."""
    pending = [one for one in waits if one.blocks > 0]
    if not pending:
        return 1.0 if seconds < 0 else 0.0
    if seconds <= 0:
        return 1.0
    if len(pending) == 1:
        return _clip(float(_tail(pending[0], _array([seconds]))[0]))
    first, second = pending
    if first.process is BlockProcess.POISSON and second.process is BlockProcess.POISSON:
        return _clip(_poisson_after_poisson(first, second, seconds))
    if first.process is BlockProcess.POISSON:
        first, second = second, first
    return _clip(_after_slots(first, second, seconds))


@lru_cache(maxsize=4096)
def quantile(waits: tuple[Wait, ...], probability: float) -> int:
    """The fewest whole seconds that the waits exceed with at most `probability`."""
    if exceeds(waits, 0.5) <= probability:
        return 0
    high = 1
    while exceeds(waits, high) > probability:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if exceeds(waits, middle) > probability else (low, middle)
    return high


# --- one chain -------------------------------------------------------------------------------------------


def _array(values: Sequence[float]) -> Floats:
    import numpy as np

    return np.asarray(values, dtype=np.float64)


def _tail(one: Wait, seconds: Floats) -> Floats:
    """P(T_k > t) for every t; 1 where t is not positive."""
    if one.process is BlockProcess.POISSON:
        return _erlang_tail(one.blocks, seconds / one.interval)
    return _slot_tail(one, seconds)


def _erlang_tail(blocks: int, mean: Floats) -> Floats:
    """P(Poisson(mean) < blocks), in logarithms: e^-mean alone underflows."""
    import numpy as np

    safe = np.maximum(mean, 1e-300)
    logarithm = np.log(safe)
    total = np.zeros_like(safe)
    for i in range(blocks):
        total += np.exp(i * logarithm - safe - math.lgamma(i + 1))
    tail: Floats = np.where(mean > 0, total, 1.0)
    return tail


def _slot_tail(one: Wait, seconds: Floats) -> Floats:
    import numpy as np

    slots = np.floor(np.maximum(seconds, 0.0) / one.interval + 1e-9).astype(int)
    chances = _slot_chances(one, int(slots.max()) + _slot_margin(one))
    # The sum of what is left, not 1 - what is done: a tail of 1e-12 would have no digits.
    left = np.append(np.cumsum(chances[::-1])[::-1], 0.0)
    tail: Floats = np.minimum(left[slots], 1.0)
    return tail


def _slot_margin(one: Wait) -> int:
    """Slots after which nothing of a tail is left that anybody asks for (1e-30)."""
    return one.blocks + 1 if one.miss <= 0 else one.blocks * 4 + int(70 / -math.log(one.miss)) + 1


def _slot_chances(one: Wait, slots: int) -> Floats:
    """P(the k-th block is in slot m), m = 1..slots: C(m-1, k-1) (1-q)^k q^(m-k)."""
    import numpy as np

    chances: Floats = np.zeros(max(slots, 0), dtype=np.float64)
    k, q = one.blocks, one.miss
    if slots < k:
        return chances
    if q <= 0:
        chances[k - 1] = 1.0
        return chances
    m = np.arange(k, slots, dtype=np.float64)
    steps = np.log(q * m / (m - k + 1))  # of the logarithm from slot m to m + 1
    chances[k - 1 :] = np.exp(k * math.log1p(-q) + np.concatenate(([0.0], np.cumsum(steps))))
    return chances


# --- two chains ------------------------------------------------------------------------------------------


def _poisson_after_poisson(first: Wait, second: Wait, seconds: float) -> float:
    """P(T1 > s) + the integral over 0..s of f1(u) P(T2 > s - u)."""
    import numpy as np

    edges = np.linspace(0.0, seconds, PANELS + 1)
    nodes, weights = _legendre()
    half = seconds / PANELS / 2
    times = (edges[:-1, None] + half * (nodes[None, :] + 1)).ravel()
    k, u = first.blocks, times / first.interval
    density = np.exp((k - 1) * np.log(u) - u - math.lgamma(k)) / first.interval
    inner = density * _tail(second, seconds - times)
    integral = float((inner.reshape(PANELS, NODES) * weights[None, :]).sum() * half)
    return float(_tail(first, _array([seconds]))[0]) + integral


def _after_slots(slotted: Wait, second: Wait, seconds: float) -> float:
    """P(slots > s) + the sum over slots m of P(m) P(T2 > s - m interval)."""
    import numpy as np

    slots = int(seconds / slotted.interval + 1e-9)
    chances = _slot_chances(slotted, slots)
    left: Floats = seconds - slotted.interval * np.arange(1.0, slots + 1.0)
    inner = float((chances * _tail(second, left)).sum()) if slots else 0.0
    return float(_tail(slotted, _array([seconds]))[0]) + inner


@lru_cache(maxsize=1)
def _legendre() -> tuple[Any, Any]:
    import numpy as np

    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return nodes, weights


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)
