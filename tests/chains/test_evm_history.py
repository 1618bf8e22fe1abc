"""Facts of one leg from what was seen of it."""

from __future__ import annotations

from chains.evm.history import History
from chains.legs import NATIVE, Leg, Path
from chains.port import LegFacts, Spend

LEG = Leg("evm", NATIVE, 100, bytes(32), (Path("claim", "0x" + "11" * 20),))


def history(*points: tuple[int, int], next_block: int | None = None) -> History:
    made = History(LEG, "0xvault", points[0][0] if points else 0)
    for height, held in points:
        made.observe(height, held)
    made.next = made.next if next_block is None else next_block
    return made


def spend(amount: int) -> Spend:
    return Spend("0x1", "claim", amount, (), 0)


def test_nothing_seen_is_nothing_there() -> None:
    assert history().facts(10) == LegFacts()


def test_a_leg_is_full_from_the_deposit_that_completed_it() -> None:
    assert history((5, 60), (6, 60), (7, 100), (9, 130)).facts(9) == LegFacts(full=3, held=130)


def test_a_break_starts_the_count_again() -> None:
    """A token whose balances shrink by themselves."""
    assert history((5, 100), (6, 99), (7, 101), (8, 101)).facts(8).full == 2


def test_a_spend_leaves_it_full() -> None:
    seen = history((5, 100))
    seen.record(7, spend(100))
    seen.observe(7, 0)
    facts = seen.facts(8)
    assert (facts.full, facts.held, facts.spends[0].depth) == (4, 0, 2)


def test_blocks_taken_back_take_back_what_they_held() -> None:
    seen = history((5, 100))
    seen.record(7, spend(100))
    seen.observe(7, 0)
    seen.rewind(6)
    assert (seen.facts(6), seen.next) == (LegFacts(full=2, held=100), 7)
    seen.rewind(4)
    assert (seen.facts(4), seen.next) == (LegFacts(), 5)


def test_a_stale_balance_and_a_spend_make_no_leg_full_too_early() -> None:
    """60 seen; then, in blocks that could only be searched, 30 come, 90 are spent at 7, 20 come at 9."""
    seen = history((5, 60))
    seen.record(7, spend(90))
    seen.jump((9, 20), 10, 20)
    assert seen.facts(10).full == 2


def test_what_was_full_before_an_absence_stays_full_over_a_spend_in_it() -> None:
    seen = history((5, 107))
    seen.record(7, spend(107))
    seen.jump(None, 10, 3)
    assert (seen.facts(10).full, seen.facts(10).held) == (6, 3)


def test_a_fork_within_blocks_that_were_only_searched_forgets_them_all() -> None:
    seen = history((5, 60))
    seen.jump((9, 100), 12, 100)
    seen.observe(13, 120)
    seen.rewind(12)
    assert (seen.facts(12), seen.next) == (LegFacts(full=4, held=100), 13)
    seen.rewind(11)
    assert (seen.facts(5), seen.next) == (LegFacts(held=60), 6)
