"""Covered option whose strike is locked only at exercise, and attested by a quorum.

As in the prefunded option the writer W locks the collateral, the holder B the premium, and W takes the premium,
which shows a: the option is live. To exercise, B locks the strike. Once it is full and final, a quorum that both
chose beforehand attests that, by signing the collateral's exercise; with its signatures in hand B takes the
collateral, which shows e, and W takes the strike with it.

Trust, which the prefunded option does not need: W relies on fewer than the threshold of members lying. So many
together with B can take the collateral for nothing; without B, whose signature and preimage the path wants
besides, they can take nothing. B relies on so many members answering. If they don't, B can't exercise, and what it
locked comes back after Ts.
"""

from __future__ import annotations

from htlc.protocols import rules
from htlc.protocols.base import (
    Absent,
    Action,
    Attest,
    Close,
    Guards,
    Line,
    Now,
    SpendLeg,
    Spent,
    Stance,
    View,
)
from htlc.protocols.option import (
    ACTIVATE,
    COLLATERAL,
    EXERCISE,
    EXPIRY,
    HOLDER,
    LIFE,
    PREMIUM,
    PREMIUM_IN_TIME,
    REFUND,
    SETUP,
    STRIKE,
    STRIKE_IN_TIME,
    WRITER,
    A,
    E,
    check_chains,
    collateral_deadline,
    premium_deadline,
    window_collateral,
    window_holder,
)
from htlc.protocols.rules import Case, Window
from htlc.protocols.table import LegRow, PathRow, Table
from htlc.protocols.tabled import TabledProtocol
from htlc.terms import Terms

TABLE = Table(
    name="attested",
    roles=(WRITER, HOLDER),
    legs=(
        LegRow(
            COLLATERAL,
            WRITER,
            (
                # Without a, the holder could exercise what it never paid the premium for.
                PathRow(EXERCISE, to=(HOLDER, "collateral.to"), hashes=(A, E), attested=True),
                PathRow(REFUND, to=(WRITER, "collateral.to"), timed=True),
            ),
        ),
        LegRow(
            PREMIUM,
            HOLDER,
            (
                PathRow(ACTIVATE, to=(WRITER, "premium.to"), hashes=(A,)),
                PathRow(REFUND, to=(HOLDER, "premium.to"), timed=True),
            ),
        ),
        LegRow(
            STRIKE,
            HOLDER,
            (
                PathRow(EXERCISE, to=(WRITER, "strike.to"), hashes=(E,)),
                PathRow(REFUND, to=(HOLDER, "strike.to"), timed=True),
            ),
        ),
    ),
    times=(PREMIUM, EXPIRY, COLLATERAL, STRIKE),
    options={"kind": ("call", "put")},
)

# An exercise that is begun at expiry: the strike becomes final, the quorum answers within the time of an inclusion
# on the strike's chain, the collateral is taken. The holder must look three times in between: to ask, to take,
# and to take again what a node lost.
BEGUN = Line(
    "an exercise begun at expiry",
    COLLATERAL,
    EXPIRY,
    waits=(("final", STRIKE), ("include", STRIKE)),
    fixed=((("reach", COLLATERAL),),),
    outages=3,
)
LINES = {
    WRITER: (SETUP, STRIKE_IN_TIME),
    HOLDER: (SETUP, PREMIUM_IN_TIME, LIFE, BEGUN),
}


@rules.once
def window_strike(case: Case) -> Window:
    """Begun by expiry, and in a block while its depth, the attestation and the exercise can still follow."""
    guard = case.guard(STRIKE)
    late = rules.showable(case, COLLATERAL) - guard.include - guard.reorg
    return Window(min(case.terms.times[EXPIRY], late - guard.include), late)


# --- the writer ------------------------------------------------------------------------------------------


def plan_writer(case: Case, window: Window) -> tuple[Action, ...]:
    active, used = case.known(*A), case.known(*E)
    lost = active or used
    found = rules.actions(
        rules.fund(case, COLLATERAL, window, ready=not lost, lost=lost),
        rules.claim(case, PREMIUM, ACTIVATE, A) or _activate(case),
        rules.claim(case, STRIKE, EXERCISE, E),
        rules.refund(case, COLLATERAL, collateral_deadline(case, active, used)),
    )
    over = rules.ours_over(case, COLLATERAL, window, lost)
    owed_nothing = rules.theirs_over(case, PREMIUM, active) and rules.theirs_over(case, STRIKE, used)
    if not found and over and owed_nothing:
        return (Close(verdict(case.view, closing=True) or "unfunded"),)
    return found


def _activate(case: Case) -> SpendLeg | None:
    """Taking the premium shows a. The collateral must stand, or the holder would pay for nothing."""
    return rules.reveal(case, PREMIUM, ACTIVATE, A, A, ready=case.final(COLLATERAL))


# --- the holder ------------------------------------------------------------------------------------------


def plan_holder(case: Case, premium: Window, strike: Window) -> tuple[Action, ...]:
    active, used = case.known(*A), case.known(*E)
    gone = isinstance(case.view.legs[COLLATERAL], Spent)
    lost = active or used or gone
    missing = isinstance(case.view.legs[COLLATERAL], Absent)
    ready = case.final(COLLATERAL) and not lost
    begin = case.final(COLLATERAL) and active and case.stance.will.exercise
    found = rules.actions(
        _take(case, used) or _exercise(case),
        rules.fund(case, PREMIUM, premium, ready, lost or missing),
        rules.fund(case, STRIKE, strike, begin, used or gone or missing),
        _ask(case, used),
        rules.refund(case, PREMIUM, rules.race(case, PREMIUM, active) or premium_deadline(case)),
        rules.refund(case, STRIKE, rules.race(case, STRIKE, used)),
    )
    # Without a there is nothing to exercise, and once the premium is back for good, a is of no use to the writer.
    over = rules.ours_over(case, PREMIUM, premium, lost) and rules.ours_over(
        case, STRIKE, strike, used or gone or not active
    )
    owed_nothing = _taken(case) or rules.theirs_over(case, COLLATERAL, active and used)
    owed_nothing = owed_nothing and not _may_exercise(case)
    if not found and over and owed_nothing:
        return (Close(verdict(case.view, closing=True) or "unfunded"),)
    return found


def _take(case: Case, used: bool) -> SpendLeg | None:
    """The collateral, once e is public; the path opens with the quorum's signatures only."""
    if not used or not attested(case) or _taken(case):
        return None
    return rules.claim(case, COLLATERAL, EXERCISE, A, E)


def _taken(case: Case) -> bool:
    """The collateral is ours for good. What somebody sends there later is not waited for: the quorum signed for
    what stood there, and on a UTXO chain for nothing else, so that a coin could keep the deal open for ever."""
    state = case.view.legs[COLLATERAL]
    return isinstance(state, Spent) and state.path == EXERCISE and state.depth >= case.guard(COLLATERAL).depth


def _exercise(case: Case) -> SpendLeg | None:
    """Taking the collateral shows e, with which the writer takes the strike: only with the attestation in hand.
    Whether the option was used in time was decided when the strike was funded."""
    if not attested(case):
        return None
    return rules.reveal(case, COLLATERAL, EXERCISE, E, A, E, ready=case.stance.will.exercise)


def _ask(case: Case, used: bool) -> Attest | None:
    """Ask the quorum when the strike is final while the exercise can still follow, or when e is public and the
    collateral could be taken: it gives again what it gave once."""
    if attested(case) or _taken(case) or case.held(COLLATERAL) == 0 or not case.known(*A):
        return None
    in_time = case.before(rules.showable(case, COLLATERAL))
    begun = case.final(STRIKE) and case.stance.will.exercise and not case.passive and in_time
    return Attest(COLLATERAL, EXERCISE) if used or (begun and case.final(COLLATERAL)) else None


def attested(case: Case) -> bool:
    """We hold the quorum's signatures for the exercise."""
    return (COLLATERAL, EXERCISE) in case.stance.consents_held


def _may_exercise(case: Case) -> bool:
    """The option is live, ours, and not yet over: a deal that closed could not be exercised."""
    live = case.known(*A) and case.standing(COLLATERAL) and not case.passive
    return live and case.before(case.terms.times[EXPIRY])


# --- the end ---------------------------------------------------------------------------------------------


def verdict(view: View, closing: bool = False) -> str | None:
    """exercised: the collateral went to the holder and the strike to the writer. expired: live, and not used, or
    too late. abandoned: something was funded, the option never lived, all went back. forfeited: exercised on one
    side only: somebody missed a deadline, or the quorum attested a strike that was not there. None while legs
    stand, unless we are `closing` over what the other party leaves lying."""
    collateral, strike = (rules.mined_path(view.legs[leg]) for leg in (COLLATERAL, STRIKE))
    standing = any(rules.stands(state) for state in view.legs.values())
    if standing and not closing:
        return None
    if EXERCISE in (collateral, strike):
        unpaid = collateral == EXERCISE and isinstance(view.legs[STRIKE], Absent)
        missed = collateral not in (EXERCISE, None) or strike == REFUND or unpaid
        return "forfeited" if missed else "exercised"
    if rules.mined_path(view.legs[PREMIUM]) == ACTIVATE:
        return "expired"
    touched = standing or any(rules.mined_path(state) for state in view.legs.values())
    return "abandoned" if touched else None


# --- the protocol ----------------------------------------------------------------------------------------


class Attested(TabledProtocol):
    """The attested option as a `DealProtocol`. Without state: everything is in its arguments."""

    def __init__(self) -> None:
        super().__init__(TABLE, LINES, reveals=(PREMIUM, COLLATERAL))

    def validate(self, terms: Terms) -> None:
        super().validate(terms)
        check_chains(terms)

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> tuple[Action, ...]:
        case = Case(terms, view, stance, now, guards)
        if stance.role == WRITER:
            return plan_writer(case, self.window(case, COLLATERAL))
        return plan_holder(case, self.window(case, PREMIUM), self.window(case, STRIKE))

    def window(self, case: Case, leg: str) -> Window:
        """When a leg may be funded."""
        if leg == COLLATERAL:
            return window_collateral(case)
        return window_holder(case) if leg == PREMIUM else window_strike(case)

    def outcome(self, terms: Terms, view: View) -> str | None:
        return verdict(view)


ATTESTED = Attested()
