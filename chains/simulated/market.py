"""The price of block space: a level that wanders, and spikes."""

from __future__ import annotations

from random import Random

from chains.port import FeeEstimate

LOWEST, HIGHEST = 0.5, 2.0  # how far the usual level wanders from the base
NOISE = (0.4, 1.4)  # of one block's price around the level
ECONOMICAL, URGENT = 1.1, 1.6  # of the level; the urgent price is above every block's but where a spike begins


class Market:
    """spike_chance: that a spike begins with a block. spike_height: by how much, at the most."""

    def __init__(self, rng: Random, base: int, floor: int) -> None:
        self._rng = rng
        self._base = base
        self._floor = floor
        self._wander = 1.0
        self._spike = 1.0
        self._left = 0
        self.spike_chance = 0.0
        self.spike_height = 100.0
        self.spikes = 0

    @property
    def level(self) -> float:
        return self._base * self._wander * self._spike

    @property
    def urgent(self) -> int:
        return int(self.level * URGENT) + 1

    def estimate(self) -> FeeEstimate:
        """What a node says as of the last block."""
        return FeeEstimate(max(int(self.level * ECONOMICAL), self._floor), self.urgent, self._floor)

    def block(self) -> int:
        """The least price that the next block takes."""
        rng = self._rng
        self._wander = min(max(self._wander * rng.uniform(0.9, 1.11), LOWEST), HIGHEST)
        if self._left:
            self._left -= 1
        elif self.spike_chance and rng.random() < self.spike_chance:
            self._left = rng.randint(1, 8)
            self._spike = rng.uniform(3.0, self.spike_height)
            self.spikes += 1
        else:
            self._spike = 1.0
        return int(self.level * rng.uniform(*NOISE))
