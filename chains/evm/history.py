"""What was seen about one leg, block by block, and the facts that follow from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from chains.legs import Leg
from chains.port import LegFacts, Spend


@dataclass(slots=True)
class History:
    """One watched leg. Heights are those of the best chain as of the last look; `rewind` takes blocks back.

    held: (height, units) wherever the balance was found changed, oldest first. spends: (height, spend), oldest
    first, their depth left open. ready: the blocks before the follower's tip were searched.
    """

    leg: Leg
    address: str
    since: int
    watchers: int = 1
    ready: bool = False
    held: list[tuple[int, int]] = field(default_factory=list)
    spends: list[tuple[int, Spend]] = field(default_factory=list)

    def reset(self) -> None:
        self.ready = False
        self.held.clear()
        self.spends.clear()

    def observe(self, height: int, held: int) -> None:
        """The balance at the end of the block at `height`, above any seen before."""
        if not self.held or self.held[-1][1] != held:
            self.held.append((height, held))

    def record(self, height: int, spend: Spend) -> None:
        self.spends.append((height, spend))

    def rewind(self, height: int) -> None:
        """Forget every block above `height`."""
        self.held = [seen for seen in self.held if seen[0] <= height]
        self.spends = [seen for seen in self.spends if seen[0] <= height]

    def spent(self, height: int) -> int:
        """Units that left the leg in blocks up to `height`."""
        return sum(spend.amount for at, spend in self.spends if at <= height)

    def facts(self, tip: int) -> LegFacts:
        """The facts as of the best block `tip`."""
        full = self._full_since()
        return LegFacts(
            full=None if full is None else tip - full + 1,
            held=self.held[-1][1] if self.held else 0,
            spends=tuple(replace(spend, depth=tip - height + 1) for height, spend in self.spends),
        )

    def _full_since(self) -> int | None:
        """The first block from which on, without a break, what is held and what was spent make the amount."""
        first: int | None = None
        for height in sorted({at for at, _ in self.held} | {at for at, _ in self.spends}):
            balances = [units for at, units in self.held if at <= height]
            covered = bool(balances) and balances[-1] + self.spent(height) >= self.leg.amount
            first = (height if first is None else first) if covered else None
        return first
