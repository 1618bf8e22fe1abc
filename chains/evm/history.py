"""What was seen about one leg, block by block, and the facts that follow from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from chains.legs import Leg
from chains.port import LegFacts, Spend

NOTHING = LegFacts()


@dataclass(slots=True)
class History:
    """One watched leg. Heights are those of the best chain as of the last look; `rewind` takes blocks back.

    next: the first block not seen yet. held: (height, units) wherever the balance was found changed, oldest
    first. spends: (height, spend), oldest first, their depth left open. jumps: (first, last) of the blocks that
    were only searched, so that the balance is known at the last alone.
    """

    leg: Leg
    address: str
    next: int
    held: list[tuple[int, int]] = field(default_factory=list)
    spends: list[tuple[int, Spend]] = field(default_factory=list)
    jumps: list[tuple[int, int]] = field(default_factory=list)
    _full: tuple[int | None] | None = field(default=None, compare=False)  # what `full_since` found; None: look

    def copy(self) -> History:
        return replace(self, held=list(self.held), spends=list(self.spends), jumps=list(self.jumps), _full=None)

    def take(self, trial: History) -> None:
        """Become what a copy has become."""
        self.next, self.held, self.spends, self.jumps = trial.next, trial.held, trial.spends, trial.jumps
        self._full = None

    def observe(self, height: int, held: int) -> None:
        """The balance at the end of the block at `height`, which is not below `next`."""
        if not self.held or self.held[-1][1] != held:
            self.held.append((height, held))
            self._full = None
        self.next = height + 1

    def record(self, height: int, spend: Spend) -> None:
        self.spends.append((height, spend))
        self._full = None

    def jump(self, start: tuple[int, int] | None, height: int, held: int) -> None:
        """Go to `height`, where `held` is held, over blocks whose spends are recorded but whose balances are not
        known. start: (height, units) of a block among them at which the leg was full. A spend leaves at least
        nothing, which is the one safe thing to assume of the balance after it."""
        self.jumps.append((self.next, height))
        points = [(at, 0) for at, _ in self.spends if at >= self.next] + ([start] if start else [])
        self.held += sorted(point for point in points if point[0] < height)
        self._full = None
        self.observe(height, held)

    def rewind(self, height: int) -> None:
        """Forget every block above `height`, and those below it of whose balances nothing is known then."""
        height = min([height, *(first - 1 for first, last in self.jumps if first <= height < last)])
        self.jumps = [jump for jump in self.jumps if jump[0] <= height]
        self.held = [seen for seen in self.held if seen[0] <= height]
        self.spends = [seen for seen in self.spends if seen[0] <= height]
        self.next = min(self.next, height + 1)
        self._full = None

    def lacks(self, held: int, height: int) -> int:
        """Units missing for the leg to be full at `height`, where it holds `held`; zero or less if it is full."""
        return self.leg.amount - held - sum(spend.amount for at, spend in self.spends if at <= height)

    @property
    def full_since(self) -> int | None:
        """The first block from which on, without a break, what is held and was spent make the amount."""
        if self._full is None:
            self._full = (self._find_full(),)
        return self._full[0]

    def _find_full(self) -> int | None:
        first: int | None = None
        for height in sorted({at for at, _ in self.held} | {at for at, _ in self.spends}):
            balances = [units for at, units in self.held if at <= height]
            full = bool(balances) and self.lacks(balances[-1], height) <= 0
            first = (height if first is None else first) if full else None
        return first

    def facts(self, tip: int) -> LegFacts:
        """The facts as of the best block `tip`."""
        if not self.held and not self.spends:
            return NOTHING
        full = self.full_since
        return LegFacts(
            full=None if full is None else tip - full + 1,
            held=self.held[-1][1] if self.held else 0,
            spends=tuple(replace(spend, depth=tip - height + 1) for height, spend in self.spends),
        )
