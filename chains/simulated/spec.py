"""What a simulated chain is like. The presets are small and quick, so that a deal takes few blocks."""

from __future__ import annotations

from dataclasses import dataclass

from chains.port import BlockProcess, Timing

MEDIAN_SPAN = 11  # BIP113


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """family: "utxo" or "account". base: the usual price. floor: the least a node relays. step: of a replacement's
    price (and, on UTXO chains, of its fee for each 1000 units of its size). scale: price units for one native unit
    per unit of size. grace: blocks within which the world mines a bid that follows the fee policy; what `timing`
    grants beyond that is for a broadcast that is lost once."""

    name: str
    family: str
    timing: Timing
    base: int
    floor: int
    step: int
    scale: int
    replaces: bool = True

    @property
    def grace(self) -> int:
        return self.timing.inclusion - 1


def _timing(process: BlockProcess, interval: float, depth: int, clock_error: int, miss: float = 0.0) -> Timing:
    return Timing(
        process=process,
        interval=interval,
        inclusion=4,
        depth=depth,
        median_span=MEDIAN_SPAN if process is BlockProcess.POISSON else 1,
        clock_error=clock_error,
        stale_after=int(interval * 40),
        miss_probability=miss,
    )


COIN = ChainSpec(
    "coin", "utxo", _timing(BlockProcess.POISSON, 60.0, 3, 20), base=2_000, floor=1_000, step=1_000, scale=1000
)
SILVER = ChainSpec(
    "silver",
    "utxo",
    _timing(BlockProcess.POISSON, 30.0, 4, 20),
    base=2_000,
    floor=1_000,
    step=1_000,
    scale=1000,
    replaces=False,
)
VM = ChainSpec(
    "vm",
    "account",
    _timing(BlockProcess.SLOTTED, 20.0, 4, 5, 0.02),
    base=10**9,
    floor=10**8,
    step=1,
    scale=1,
)
VM2 = ChainSpec(
    "vm2",
    "account",
    _timing(BlockProcess.SLOTTED, 30.0, 3, 5, 0.02),
    base=10**9,
    floor=10**8,
    step=1,
    scale=1,
)
PRESETS = {spec.name: spec for spec in (COIN, SILVER, VM, VM2)}
