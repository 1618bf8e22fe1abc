"""Sets of numbers as spans: which blocks were searched, which messages are done.

Progress is such a set, never a last number: what failed in the middle stays a gap, and is found by asking.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Spans:
    """A set of whole numbers, kept as disjoint half-open spans, ascending and never touching."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in spans:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._ends, strict=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spans) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._starts, number) - 1
        return place >= 0 and number < self._ends[place]

    def __repr__(self) -> str:
        return f"Spans({list(self)})"

    @property
    def size(self) -> int:
        """How many numbers are in it."""
        return sum(self._ends) - sum(self._starts)

    def add(self, start: int, end: int) -> None:
        """Put the numbers from `start` to before `end` in."""
        if start >= end:
            return
        low = bisect_left(self._ends, start)  # the first span that ends at `start` or later: it touches
        high = bisect_right(self._starts, end)  # the first that begins after `end`
        if low < high:
            start, end = min(start, self._starts[low]), max(end, self._ends[high - 1])
        self._starts[low:high] = [start]
        self._ends[low:high] = [end]

    def remove(self, start: int, end: int) -> None:
        """Take the numbers from `start` to before `end` out."""
        if start >= end:
            return
        kept = [(low, min(high, start)) for low, high in self if low < start]
        kept += [(max(low, end), high) for low, high in self if high > end]
        self._starts = [low for low, _ in kept]
        self._ends = [high for _, high in kept]

    def gaps(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The spans from `start` to before `end` that are not in it, ascending."""
        at = start
        place = bisect_right(self._ends, start)
        while at < end and place < len(self._starts) and self._starts[place] < end:
            if at < self._starts[place]:
                yield at, self._starts[place]
            at = self._ends[place]
            place += 1
        if at < end:
            yield at, end
