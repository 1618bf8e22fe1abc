"""The swap, rule by rule, each at its edge."""

from __future__ import annotations

import pytest

from chains.port import LegFacts, Spend
from htlc.protocols.base import Close, Facts, Flight, Fund, SpendLeg, Unfund, Will
from htlc.protocols.swap import SWAP
from tests.htlc.deals import (
    AMOUNTS,
    DEPTH,
    GUARDS,
    REACH,
    SECRETS,
    SHOW,
    SWAP_TERMS,
    funded,
    plan,
    spent,
)

TX, TY = SWAP_TERMS.times["x"], SWAP_TERMS.times["y"]
I, P = "initiator", "participant"  # noqa: E741
S = (SECRETS["s"],)
OPEN_X, DONE_X = {"x": Flight.OPEN}, {"x": Flight.DONE}
OPEN_Y, DONE_Y = {"y": Flight.OPEN}, {"y": Flight.DONE}


def spends(actions):
    return [(a.leg, a.path, a.preimages, a.reveals) for a in actions if isinstance(a, SpendLeg)]


# --- fundings --------------------------------------------------------------------------------------------


def test_the_initiator_funds_while_the_participant_can_still_follow() -> None:
    start = TY - SHOW - 600
    assert plan(SWAP_TERMS, I, {}, now=start) == (Fund("x", start + 100),)
    assert plan(SWAP_TERMS, I, {}, now=start + 1) == (Close("unfunded"),)


def test_a_funding_that_is_late_is_taken_back() -> None:
    cancel = TY - SHOW - 600 + 100
    assert plan(SWAP_TERMS, I, {}, now=cancel, fundings=OPEN_X) == (Fund("x", cancel),)
    assert plan(SWAP_TERMS, I, {}, now=cancel + 1, fundings=OPEN_X) == (Unfund("x"),)
    assert plan(SWAP_TERMS, I, {}, now=cancel + 1, fundings={"x": Flight.CANCELLED}) == (Close("unfunded"),)


@pytest.mark.parametrize("depth", range(1, DEPTH + 2))
def test_the_participant_funds_only_against_a_final_x(depth) -> None:
    found = plan(SWAP_TERMS, P, {"x": funded("x", depth)})
    assert [type(a) for a in found] == ([Fund] if depth >= DEPTH else [])


def test_the_participants_window_is_the_tighter_of_useful_and_safe() -> None:
    useful = TY - SHOW - 200
    safe = TX - 2000 - (300 + REACH) - 1300
    cancel = min(useful, safe)
    assert plan(SWAP_TERMS, P, {"x": funded("x")}, now=cancel - 100) == (Fund("y", cancel),)
    assert plan(SWAP_TERMS, P, {"x": funded("x")}, now=cancel - 99) == (Close("refunded"),)
    late = plan(SWAP_TERMS, P, {"x": funded("x")}, now=cancel + 1, fundings=OPEN_Y)
    assert late == (Unfund("y"),)


def test_the_participant_takes_its_funding_back_when_x_is_gone() -> None:
    assert plan(SWAP_TERMS, P, {}, fundings=OPEN_Y) == (Unfund("y"),)
    assert plan(SWAP_TERMS, P, {"x": spent("x", "refund", depth=1)}, fundings=OPEN_Y) == (Unfund("y"),)


def test_a_block_less_does_not_cancel_a_funding_on_its_way() -> None:
    assert plan(SWAP_TERMS, P, {"x": funded("x", DEPTH - 1)}, fundings=OPEN_Y) == ()


@pytest.mark.parametrize("barred", [{"will": Will(stop=True)}, {"will": Will(let_go=True)}, {"limited": True}])
def test_nothing_new_is_started_by_who_wants_out_or_was_restored(barred) -> None:
    assert not any(isinstance(a, Fund) for a in plan(SWAP_TERMS, I, {}, **barred))
    assert not any(isinstance(a, Fund) for a in plan(SWAP_TERMS, P, {"x": funded("x")}, **barred))
    both = {"x": funded("x"), "y": funded("y")}
    assert spends(plan(SWAP_TERMS, I, both, fundings=DONE_X, **barred)) == []


def test_a_preimage_that_is_public_already_stops_both() -> None:
    assert plan(SWAP_TERMS, I, {}, known=("s",)) == (Close("unfunded"),)
    assert spends(plan(SWAP_TERMS, P, {"x": funded("x")}, known=("s",))) == [("x", "claim", S, False)]


def test_money_that_others_paid_in_makes_our_own_funding_a_gift() -> None:
    deep = {"x": funded("x", 2 * DEPTH)}
    assert plan(SWAP_TERMS, I, deep, fundings=OPEN_X) == (Unfund("x"),)
    assert plan(SWAP_TERMS, I, {"x": funded("x", 2 * DEPTH - 1)}, fundings=OPEN_X) == ()


# --- claims ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "now", "shows"), [
    (DEPTH, TY - SHOW, True),
    (DEPTH - 1, TY - SHOW, False),
    (DEPTH, TY - SHOW + 1, False),
])  # fmt: skip
def test_the_initiator_shows_s_only_for_a_final_y_with_time_left(depth, now, shows) -> None:
    found = plan(SWAP_TERMS, I, {"x": funded("x"), "y": funded("y", depth)}, now=now, fundings=DONE_X)
    assert spends(found) == ([("y", "claim", S, True)] if shows else [])
    if shows:
        assert found[0].deadline == TY - REACH + 100  # T - A - r


def test_a_secret_that_may_be_out_is_shown_again_after_an_outage() -> None:
    exposed = frozenset({SWAP_TERMS.hash(I, "s")})
    legs = {"x": funded("x"), "y": funded("y")}
    for late, shown in ((0, True), (1, False)):
        found = plan(SWAP_TERMS, I, legs, now=TY - REACH + late, fundings=DONE_X, exposed=exposed)
        assert spends(found) == ([("y", "claim", S, True)] if shown else [])


def test_once_s_is_public_both_claim_however_late() -> None:
    legs = {"x": funded("x", 1), "y": funded("y", 1)}
    late = TX + 10_000
    assert ("y", "claim", S, False) in spends(plan(SWAP_TERMS, I, legs, now=late, known=("s",)))
    assert ("x", "claim", S, False) in spends(plan(SWAP_TERMS, P, legs, now=late, known=("s",)))


def test_the_participant_learns_s_from_the_mempool() -> None:
    legs = {"x": funded("x"), "y": spent("y", "claim", "s", depth=0, held=AMOUNTS["y"])}
    assert spends(plan(SWAP_TERMS, P, legs, fundings=DONE_Y)) == [("x", "claim", S, False)]


def test_a_restored_party_claims_with_what_is_public() -> None:
    legs = {"x": funded("x"), "y": spent("y", "claim", "s")}
    assert spends(plan(SWAP_TERMS, P, legs, limited=True)) == [("x", "claim", S, False)]


def test_late_money_is_claimed_too() -> None:
    legs = {"x": spent("x", "claim", "s", held=7), "y": spent("y", "claim", "s")}
    assert spends(plan(SWAP_TERMS, P, legs, fundings=DONE_Y)) == [("x", "claim", S, False)]


# --- refunds ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("clock", "due"), [(TY - 1, False), (TY, False), (TY + 1, True)])
def test_a_refund_waits_for_the_chains_own_clock(clock, due) -> None:
    legs = {"x": funded("x"), "y": funded("y")}
    found = plan(SWAP_TERMS, P, legs, now=TY + 7200, clock=clock, fundings=DONE_Y)
    assert spends(found) == ([("y", "refund", (), False)] if due else [])


def test_the_refund_of_y_leaves_time_to_claim_x() -> None:
    found = plan(SWAP_TERMS, P, {"x": funded("x"), "y": funded("y")}, now=TY + 1, fundings=DONE_Y)
    assert found[0].deadline == TX - REACH - 1000 - 200


def test_the_refund_of_x_has_no_hurry_until_the_participant_could_claim() -> None:
    legs = {"x": funded("x"), "y": spent("y", "refund")}
    assert plan(SWAP_TERMS, I, legs, now=TX + 1, fundings=DONE_X)[0].deadline is None
    assert plan(SWAP_TERMS, I, legs, now=TX + 1, fundings=DONE_X, known=("s",))[0].deadline == TX


def test_a_decoy_or_a_part_is_refunded_and_never_taken_for_the_leg() -> None:
    part = {"x": LegFacts(held=AMOUNTS["x"] - 1)}
    assert not any(isinstance(a, Fund) for a in plan(SWAP_TERMS, P, part))
    assert spends(plan(SWAP_TERMS, I, part, now=TX + 1, fundings=DONE_X)) == [("x", "refund", (), False)]
    decoy = LegFacts(5, AMOUNTS["y"], (Spend("bb", "claim", 10, (), 4),))
    legs = {"x": funded("x"), "y": decoy}
    assert spends(plan(SWAP_TERMS, I, legs, fundings=DONE_X)) == [("y", "claim", S, True)]


# --- the end ---------------------------------------------------------------------------------------------


def test_a_deal_closes_only_beyond_the_horizon() -> None:
    for depth in range(1, DEPTH + 1):
        legs = {"x": spent("x", "claim", "s", depth=depth), "y": spent("y", "claim", "s")}
        for role, flights in ((I, DONE_X), (P, DONE_Y)):
            found = plan(SWAP_TERMS, role, legs, fundings=flights)
            assert found == ((Close("swapped"),) if depth >= DEPTH else ())


def test_no_deal_closes_while_a_funding_of_ours_may_confirm() -> None:
    assert plan(SWAP_TERMS, I, {"y": funded("y")}, now=TX, fundings=OPEN_X) == (Unfund("x"),)
    legs = {"x": spent("x", "refund", depth=DEPTH)}
    assert plan(SWAP_TERMS, I, legs, fundings=OPEN_X, now=TX + 1) == ()


def test_a_restored_party_does_not_close_before_its_leg_could_be_refunded() -> None:
    assert plan(SWAP_TERMS, I, {}, now=TX, limited=True) == ()
    assert plan(SWAP_TERMS, I, {}, now=TX + 1, limited=True) == (Close("unfunded"),)


@pytest.mark.parametrize(("x", "y", "outcome"), [
    (None, None, None),
    (funded("x"), None, None),
    (funded("x"), funded("y"), None),
    (spent("x", "claim", "s"), spent("y", "claim", "s"), "swapped"),
    (spent("x", "claim", "s", depth=0), spent("y", "claim", "s"), None),
    (spent("x", "refund"), spent("y", "refund"), "refunded"),
    (spent("x", "refund"), None, "refunded"),
    (spent("x", "refund"), spent("y", "claim", "s"), "forfeited"),
    (spent("x", "claim", "s"), spent("y", "refund"), "forfeited"),
    (funded("x"), spent("y", "refund"), None),
])  # fmt: skip
def test_the_outcome_is_what_the_chains_say(x, y, outcome) -> None:
    legs = {name: facts for name, facts in (("x", x), ("y", y)) if facts is not None}
    assert SWAP.outcome(SWAP_TERMS, SWAP.derive(SWAP_TERMS, Facts(legs))) == outcome


def test_guards_are_consistent_with_the_figures_used_here() -> None:
    assert GUARDS.reach("evm") == REACH
    assert TX >= TY + 100 + 300 + 300 + 50 + 2000
