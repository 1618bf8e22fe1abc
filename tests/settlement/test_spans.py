"""Spans against plain sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from settlement.spans import Spans

numbers = st.integers(0, 60)
steps = st.lists(st.tuples(st.booleans(), numbers, numbers), max_size=30)


@given(steps, numbers, numbers)
def test_it_is_a_set(changes, start, end):
    spans, plain = Spans(), set()
    for adds, low, high in changes:
        if adds:
            spans.add(low, high)
            plain |= set(range(low, high))
        else:
            spans.remove(low, high)
            plain -= set(range(low, high))
    assert {n for low, high in spans for n in range(low, high)} == plain
    assert spans.size == len(plain)
    assert [n in spans for n in range(62)] == [n in plain for n in range(62)]
    bounds = [edge for span in spans for edge in span]
    assert bounds == sorted(set(bounds))  # disjoint, and never touching
    gaps = list(spans.gaps(start, end))
    assert {n for low, high in gaps for n in range(low, high)} == set(range(start, end)) - plain
    assert Spans(spans) == spans
