"""Covered option with a prefunded strike: trustless on any pair of chains.

The writer W, who holds the activation secret a, locks the collateral; the holder B, who holds the exercise
secret e, locks premium and strike. W takes the premium, which shows a: the option is live. B may then take the
collateral, which shows e, and W takes the strike with it. Otherwise everything goes back. A put is the same
with the two assets exchanged. (After Han, Lin and Yu, AFT 2019, with the strike locked from the start.)
"""

from __future__ import annotations

from htlc.errors import MalformedTerms
from htlc.protocols import rules
from htlc.protocols.base import (
    Absent,
    Action,
    Close,
    Flight,
    Guards,
    Line,
    Now,
    SpendLeg,
    Spent,
    Stance,
    View,
    Vow,
)
from htlc.protocols.rules import Case, Window
from htlc.protocols.table import LegRow, PathRow, Table
from htlc.protocols.tabled import TabledProtocol
from htlc.terms import Terms

WRITER = "writer"
HOLDER = "holder"
COLLATERAL, PREMIUM, STRIKE = "collateral", "premium", "strike"
EXPIRY = "expiry"
A = (WRITER, "a")
E = (HOLDER, "e")
EXERCISE, ACTIVATE, REFUND, RELEASE = "exercise", "activate", "refund", "release"

TABLE = Table(
    name="option",
    roles=(WRITER, HOLDER),
    legs=(
        LegRow(
            COLLATERAL,
            WRITER,
            (
                PathRow(EXERCISE, to=(HOLDER, "collateral.to"), hashes=(A, E)),
                PathRow(REFUND, to=(WRITER, "collateral.to"), timed=True),
                PathRow(
                    RELEASE,
                    to=(WRITER, "collateral.to"),
                    signers=((HOLDER, "collateral.signer"),),
                    optional=True,
                ),
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
                PathRow(RELEASE, to=(HOLDER, "strike.to"), signers=((WRITER, "strike.signer"),), optional=True),
            ),
        ),
    ),
    times=(PREMIUM, EXPIRY, COLLATERAL, STRIKE),
    options={"kind": ("call", "put"), "releases": ("yes", "no")},
)


# --- the ladder ------------------------------------------------------------------------------------------


SETUP = Line(
    "three fundings and the activation",
    PREMIUM,
    None,
    waits=(("final", COLLATERAL), ("final", PREMIUM)),
    fixed=((("reach", PREMIUM),),),
    outages=1,
)
STRIKE_IN_TIME = Line(
    "the writer's claim after the refund of the collateral",
    STRIKE,
    COLLATERAL,
    waits=(("settle", COLLATERAL), ("reach", STRIKE)),
    outages=2,
)
PREMIUM_IN_TIME = Line(
    "the holder's fundings before the option's life",
    PREMIUM,
    None,
    waits=(("final", COLLATERAL), ("include", PREMIUM)),
    fixed=((("final", PREMIUM),),),
    outages=1,
)
LIFE = Line(
    "the option's life after the refund of the premium",
    EXPIRY,
    PREMIUM,
    waits=(("settle", PREMIUM),),
    outages=1,
    alive=True,
)
LINES = {
    WRITER: (SETUP, STRIKE_IN_TIME),
    HOLDER: (
        SETUP,
        PREMIUM_IN_TIME,
        LIFE,
        Line("an exercise at expiry", COLLATERAL, EXPIRY, fixed=((("reach", COLLATERAL),),), outages=1),
    ),
}


@rules.once
def window_collateral(case: Case) -> Window:
    """Later than this, the holder could no longer fund for the writer to activate in time."""
    setup = case.parts(("final", COLLATERAL), ("final", PREMIUM))
    start = rules.showable(case, PREMIUM) - setup
    return Window(start, start + case.guard(COLLATERAL).include)


@rules.once
def window_holder(case: Case) -> Window:
    """Premium and strike are in a block while the writer can still wait for their depth and activate; and they
    are in, or cancelled and final, at Tp + L_Y, from where the promised life is counted. Cancelling takes R +
    F_Y."""
    guard = case.guard(PREMIUM)
    premium = case.terms.times[PREMIUM]
    useful = rules.showable(case, PREMIUM) - guard.reorg
    cancel = min(useful, premium + guard.lag - case.guards.outage - guard.final)
    return Window(cancel - guard.include, cancel)


# --- the writer ------------------------------------------------------------------------------------------


def plan_writer(case: Case, window: Window) -> tuple[Action, ...]:
    active, used = case.known(*A), case.known(*E)
    lost = active or used
    found = rules.actions(
        rules.fund(case, COLLATERAL, window, ready=not lost, lost=lost),
        rules.claim(case, PREMIUM, ACTIVATE, A) or _activate(case),
        rules.claim(case, STRIKE, EXERCISE, E),
        rules.refund(case, COLLATERAL, collateral_deadline(case, active, used), RELEASE),
        *_writer_lets_go(case, active, used),
    )
    if found or not rules.ours_over(case, COLLATERAL, window, lost):
        return found
    owed_nothing = rules.theirs_over(case, PREMIUM, active) and rules.theirs_over(case, STRIKE, used)
    if owed_nothing and not rules.consent_pending(case, STRIKE, RELEASE):
        return (Close(verdict(case.view, closing=True) or "unfunded"),)
    return found


def _activate(case: Case) -> SpendLeg | None:
    """Taking the premium shows a. The strike must be as final as the premium: it is what an exercise owes us.
    The collateral must stand too, or the holder would pay for nothing."""
    ready = case.final(STRIKE) and case.final(COLLATERAL)
    return rules.reveal(case, PREMIUM, ACTIVATE, A, A, ready=ready)


def collateral_deadline(case: Case, active: bool, used: bool) -> int | None:
    """Once the option was live, the refund (or the exercise that beats it) must be final while the strike can
    still be claimed after an outage."""
    if not active:
        return None
    latest = case.terms.times[STRIKE] - case.reach(STRIKE) - case.guards.outage - case.guard(COLLATERAL).reorg
    return min(latest, rules.race(case, COLLATERAL, used) or latest)


def _writer_lets_go(case: Case, active: bool, used: bool) -> tuple[Action | None, ...]:
    """The strike's release is signed only when the collateral is back for good, or after promising never to
    show a: then nobody can exercise."""
    if not rules.letting_go(case) or used:
        return ()
    if case.over(COLLATERAL, REFUND, RELEASE) or case.vowed(Vow.NEVER_REVEAL):
        return (rules.consent(case, STRIKE, RELEASE),)
    if active or case.exposed(*A) or not case.final(STRIKE):
        return ()
    return (rules.swear(case, Vow.NEVER_REVEAL),)


# --- the holder ------------------------------------------------------------------------------------------


def plan_holder(case: Case, window: Window) -> tuple[Action, ...]:
    active, used = case.known(*A), case.known(*E)
    gone = isinstance(case.view.legs[COLLATERAL], Spent)
    lost = active or used or gone
    ready = case.final(COLLATERAL) and not lost
    stop = lost or _reorganised(case)
    found = rules.actions(
        rules.claim(case, COLLATERAL, EXERCISE, A, E) or _exercise(case),
        rules.fund(case, PREMIUM, window, ready, stop),
        rules.fund(case, STRIKE, window, ready, stop),
        rules.refund(case, PREMIUM, rules.race(case, PREMIUM, active) or premium_deadline(case)),
        rules.refund(case, STRIKE, rules.race(case, STRIKE, used), RELEASE),
        *_holder_lets_go(case, used),
    )
    over = rules.ours_over(case, PREMIUM, window, lost) and rules.ours_over(case, STRIKE, window, lost)
    if found or not over:
        return found
    owed_nothing = rules.theirs_over(case, COLLATERAL, active and used) and not _may_exercise(case)
    if owed_nothing and not rules.consent_pending(case, COLLATERAL, RELEASE):
        return (Close(verdict(case.view, closing=True) or "unfunded"),)
    return found


def _exercise(case: Case) -> SpendLeg | None:
    """Taking the collateral shows e: only while the option lives, by the holder's wish, and not after the
    collateral's release was signed."""
    signed = (COLLATERAL, RELEASE) in case.stance.consents_given
    ready = case.stance.will.exercise and not signed and case.before(case.terms.times[EXPIRY])
    return rules.reveal(case, COLLATERAL, EXERCISE, E, A, E, ready=ready)


def _may_exercise(case: Case) -> bool:
    """The option is live, ours, and not yet over: a deal that closed could not be exercised."""
    live = case.known(*A) and case.standing(COLLATERAL) and not case.passive
    return live and not case.vowed(Vow.NEVER_REVEAL) and case.before(case.terms.times[EXPIRY])


def _reorganised(case: Case) -> bool:
    """The collateral was final when we funded, and is gone: fundings on their way must be stopped."""
    return isinstance(case.view.legs[COLLATERAL], Absent)


def premium_deadline(case: Case) -> int:
    """Where the promised life of the option starts: the premium is back, or the option live."""
    guard = case.guard(PREMIUM)
    return case.terms.times[PREMIUM] + guard.lag + case.guards.outage + guard.include


def _holder_lets_go(case: Case, used: bool) -> tuple[Action | None, ...]:
    """The collateral's release is signed only after promising never to show e, and when the premium is spent
    for good, or will never be there: else it could be taken for an option that no longer exists."""
    if not rules.letting_go(case) or used or case.exposed(*E) or not case.final(COLLATERAL):
        return ()
    if not case.over(PREMIUM):
        if not _premium_never(case):
            return ()
        if not case.vowed(Vow.NEVER_FUND):
            return (rules.swear(case, Vow.NEVER_FUND),)
    if not case.vowed(Vow.NEVER_REVEAL):
        return (rules.swear(case, Vow.NEVER_REVEAL),)
    return (rules.consent(case, COLLATERAL, RELEASE),)


def _premium_never(case: Case) -> bool:
    """No premium of ours is there, was there, or is on its way."""
    empty = case.view.legs[PREMIUM] == Absent()
    return empty and case.flight(PREMIUM) in (Flight.NONE, Flight.CANCELLED)


# --- the end ---------------------------------------------------------------------------------------------


def verdict(view: View, closing: bool = False) -> str | None:
    """exercised: the collateral went to the holder and the strike to the writer. expired: live, and not used.
    abandoned: something was funded, the option never lived, all went back. forfeited: exercised on one side
    only, so somebody missed a deadline. None while legs stand, unless we are `closing` over what the other
    party leaves lying."""
    collateral, strike = (rules.mined_path(view.legs[leg]) for leg in (COLLATERAL, STRIKE))
    standing = any(rules.stands(state) for state in view.legs.values())
    if standing and not closing:
        return None
    if EXERCISE in (collateral, strike):
        missed = (collateral != EXERCISE and collateral is not None) or strike in (REFUND, RELEASE)
        return "forfeited" if missed else "exercised"
    if rules.mined_path(view.legs[PREMIUM]) == ACTIVATE:
        return "expired"
    touched = standing or any(rules.mined_path(state) for state in view.legs.values())
    return "abandoned" if touched else None


# --- the protocol ----------------------------------------------------------------------------------------


class Option(TabledProtocol):
    """The covered option as a `DealProtocol`. Without state: everything is in its arguments."""

    def __init__(self) -> None:
        super().__init__(TABLE, LINES, reveals=(PREMIUM, COLLATERAL))

    def validate(self, terms: Terms) -> None:
        super().validate(terms)
        check_chains(terms)

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> tuple[Action, ...]:
        case = Case(terms, view, stance, now, guards)
        if stance.role == WRITER:
            return plan_writer(case, self.window(case, COLLATERAL))
        return plan_holder(case, self.window(case, PREMIUM))

    def window(self, case: Case, leg: str) -> Window:
        """When a leg may be funded."""
        return window_collateral(case) if leg == COLLATERAL else window_holder(case)

    def outcome(self, terms: Terms, view: View) -> str | None:
        return verdict(view)


def check_chains(terms: Terms) -> None:
    """Raise MalformedTerms unless premium and strike are on one chain: the guards measure them by one clock."""
    if terms.legs[PREMIUM].chain != terms.legs[STRIKE].chain:
        raise MalformedTerms("legs.premium.chain", "it must be the chain of the strike")


OPTION = Option()
