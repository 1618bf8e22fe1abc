"""Atomic swap: the initiator, who holds the secret s, pays leg x for the participant's leg y.

I funds x under H(s); P, once x is final, funds y under the same hash with an earlier refund; I claims y and so
shows s; P claims x with it. (T. Nolan, "Alt chains and atomic transfers", 2013; Herlihy, PODC 2018.)
"""

from __future__ import annotations

from htlc.protocols import rules
from htlc.protocols.base import (
    Absent,
    Action,
    Close,
    Flight,
    Guards,
    Line,
    Now,
    Spent,
    Stance,
    View,
)
from htlc.protocols.rules import Case, Window
from htlc.protocols.table import LegRow, PathRow, Table
from htlc.protocols.tabled import TabledProtocol
from htlc.terms import Terms

INITIATOR = "initiator"
PARTICIPANT = "participant"
X, Y = "x", "y"
SECRET = (INITIATOR, "s")
CLAIM, REFUND = "claim", "refund"

TABLE = Table(
    name="swap",
    roles=(INITIATOR, PARTICIPANT),
    legs=(
        LegRow(
            X,
            INITIATOR,
            (
                PathRow(CLAIM, to=(PARTICIPANT, "x.to"), hashes=(SECRET,)),
                PathRow(REFUND, to=(INITIATOR, "x.to"), timed=True),
            ),
        ),
        LegRow(
            Y,
            PARTICIPANT,
            (
                PathRow(CLAIM, to=(INITIATOR, "y.to"), hashes=(SECRET,)),
                PathRow(REFUND, to=(PARTICIPANT, "y.to"), timed=True),
            ),
        ),
    ),
    times=(Y, X),
    options={},
)


# --- the ladder ------------------------------------------------------------------------------------------


SETUP = Line(
    "two fundings and the claim that shows s",
    Y,
    None,
    waits=(("final", X), ("final", Y)),
    fixed=((("reach", Y),),),
    outages=1,
)
LINES = {
    INITIATOR: (SETUP,),
    PARTICIPANT: (
        SETUP,
        Line(
            "the participant's claim after its funding",
            X,
            None,
            waits=(("final", X), ("include", Y)),
            fixed=((("final", Y),), (("final", Y), ("reach", X))),
            outages=3,
        ),
        Line(
            "the participant's claim after the refund of y",
            X,
            Y,
            waits=(("settle", Y), ("reach", X)),
            outages=2,
        ),
    ),
}


@rules.once
def window_x(case: Case) -> Window:
    """Later than this, the participant could no longer fund y for the initiator to claim in time."""
    include = case.guard(X).include
    start = rules.showable(case, Y) - case.parts(("final", X), ("final", Y))
    return Window(start, start + include)


@rules.once
def window_y(case: Case) -> Window:
    """y is in a block while the initiator can still wait for its depth and claim; and it is in, or cancelled
    and final, at t with t + R + F_Y + R + F_X + A_X <= Tx, where cancelling takes R + F_Y itself."""
    useful = rules.showable(case, Y) - case.guard(Y).reorg
    undone = case.guards.outage + case.guard(Y).final
    after = 2 * case.guards.outage + case.parts(("final", Y), ("reach", X))
    cancel = min(useful, case.terms.times[X] - after - undone)
    return Window(cancel - case.guard(Y).include, cancel)


# --- the rules -------------------------------------------------------------------------------------------


def plan_initiator(case: Case, window: Window) -> tuple[Action, ...]:
    shown = case.known(*SECRET)
    found = rules.actions(
        rules.fund(case, X, window, ready=not shown, lost=shown),
        rules.claim(case, Y, CLAIM, SECRET) or rules.reveal(case, Y, CLAIM, SECRET, SECRET, ready=True),
        rules.refund(case, X, rules.race(case, X, shown)),
    )
    if not found and rules.ours_over(case, X, window, shown) and rules.theirs_over(case, Y, shown):
        return (Close(verdict(case.view, closing=True) or "unfunded"),)
    return found


def plan_participant(case: Case, window: Window) -> tuple[Action, ...]:
    shown = case.known(*SECRET)
    lost = shown or isinstance(case.view.legs[X], Spent)
    found = rules.actions(
        rules.claim(case, X, CLAIM, SECRET),
        rules.fund(case, Y, window, ready=case.final(X), lost=lost or _reorganised(case)),
        rules.refund(case, Y, rules.race(case, Y, shown) or _refund_deadline(case)),
    )
    if not found and rules.ours_over(case, Y, window, lost) and rules.theirs_over(case, X, shown):
        return (Close(verdict(case.view, closing=True) or "unfunded"),)
    return found


def _reorganised(case: Case) -> bool:
    """x was final when we funded y, and is gone: a funding of ours that is still on its way must be stopped."""
    return isinstance(case.view.legs[X], Absent) and case.flight(Y) is not Flight.NONE


def _refund_deadline(case: Case) -> int:
    """The refund of y, or the claim that beats it, is final while x can still be claimed after an outage."""
    return case.terms.times[X] - case.reach(X) - case.guards.outage - case.guard(Y).reorg


def verdict(view: View, closing: bool = False) -> str | None:
    """swapped: both claimed. refunded: all that was funded went back. forfeited: one was claimed and the other
    refunded, so somebody missed a deadline. None while legs stand, unless we are `closing` over one that the
    other party leaves lying."""
    paths = {leg: path for leg, state in view.legs.items() if (path := rules.mined_path(state))}
    standing = len([1 for state in view.legs.values() if rules.stands(state)]) > 0
    taken = [leg for leg, path in paths.items() if path == CLAIM]
    if len(taken) == 2:
        return "swapped"
    if taken and (len(paths) == 2 or (closing and not standing)):
        return "forfeited"
    if taken or not (paths or standing):
        return None
    return None if standing and not closing else "refunded"


# --- the protocol ----------------------------------------------------------------------------------------


class Swap(TabledProtocol):
    """The swap as a `DealProtocol`. Without state: everything is in its arguments."""

    def __init__(self) -> None:
        super().__init__(TABLE, LINES, reveals=(Y,))

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> tuple[Action, ...]:
        case = Case(terms, view, stance, now, guards)
        if stance.role == INITIATOR:
            return plan_initiator(case, self.window(case, X))
        return plan_participant(case, self.window(case, Y))

    def window(self, case: Case, leg: str) -> Window:
        """When a leg may be funded."""
        return window_x(case) if leg == X else window_y(case)

    def outcome(self, terms: Terms, view: View) -> str | None:
        return verdict(view)


SWAP = Swap()
