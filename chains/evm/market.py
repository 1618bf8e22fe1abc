"""The market for block space (EIP-1559): what to bid, and how a bid divides into base fee and tip."""

from __future__ import annotations

from dataclasses import dataclass

from chains.evm.client import Client
from chains.port import FeeEstimate

HISTORY = 20  # blocks whose tips are looked at
PERCENTILES = (50, 90)  # of tips paid: what the usual and the hasty bid
MIN_BUMP = (9, 8)  # a replacement bids at least 12.5 % more on both fields; most pools ask for 10 %

# The base fee rises at most by an eighth a block. economical: still enough after 3 full blocks; urgent: after 8.
ECONOMICAL_RISES = 3
URGENT_RISES = 8


@dataclass(frozen=True, slots=True)
class Market:
    """Wei per gas. base: the next block's base fee. usual, hasty: tips that the middle and the top tenth paid."""

    base: int
    usual: int
    hasty: int

    def estimate(self, cap: int) -> FeeEstimate:
        """Bids (maxFeePerGas), none above `cap`. A bid below the next base fee is not relayed by every node."""
        economical = raised(self.base, ECONOMICAL_RISES) + self.usual
        urgent = raised(self.base, URGENT_RISES) + self.hasty
        return FeeEstimate(min(economical, cap), min(urgent, cap), min(self.base + 1, cap))

    def tip(self, price: int) -> int:
        """The maxPriorityFeePerGas of a bid of `price`: the usual tip; the hasty one and half of what is above
        from the urgent price on, since a rising price must buy a better place."""
        urgent = raised(self.base, URGENT_RISES) + self.hasty
        tip = self.usual if price < urgent else self.hasty + (price - urgent) // 2
        return min(price, tip)


async def read_market(client: Client, min_tip: int) -> Market:
    """The market as of the node's best block. Raises ChainUnavailable, RpcError."""
    history = await client.call("eth_feeHistory", hex(HISTORY), "latest", list(PERCENTILES))
    base = int(history["baseFeePerGas"][-1], 16)
    tips = [[int(tip, 16) for tip in block] for block in history.get("reward") or []]
    busy = [block for block, ratio in zip(tips, history["gasUsedRatio"], strict=False) if ratio]
    usual, hasty = (max([min_tip, _median([block[i] for block in busy])]) for i in range(len(PERCENTILES)))
    return Market(base, usual, max(usual, hasty))


def bumped(price: int) -> int:
    """The least that replaces a bid of `price`."""
    return -(-price * MIN_BUMP[0] // MIN_BUMP[1]) + 1


def raised(base: int, blocks: int) -> int:
    """The highest the base fee can be after `blocks` full blocks (EIP-1559)."""
    for _ in range(blocks):
        base += max(base // 8, 1)
    return base


def _median(values: list[int]) -> int:
    return sorted(values)[len(values) // 2] if values else 0
