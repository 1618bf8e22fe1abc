"""Protocols with one guard removed, or relaxed, each. The explorer must find a loss in every one of them."""

from __future__ import annotations

from dataclasses import replace

from htlc.protocols import attested as att
from htlc.protocols import option as opt
from htlc.protocols import swap as swp
from htlc.protocols.attested import Attested
from htlc.protocols.base import (
    Action,
    Close,
    Flight,
    Funded,
    GiveConsent,
    Guards,
    Now,
    SpendLeg,
    Stance,
    Swear,
    Unfund,
    View,
    Will,
)
from htlc.protocols.option import Option
from htlc.protocols.rules import Case, Window
from htlc.protocols.swap import Swap
from htlc.terms import Terms

Plan = tuple[Action, ...]
FAR = 1_000


def with_guards(guards: Guards, **changes: int) -> Guards:
    """The guards with the same changes on every chain."""
    chains = {name: replace(guard, **changes) for name, guard in guards.chains.items()}
    return replace(guards, chains=chains)


def shallow(guards: Guards) -> Guards:
    """Guards that take one block for finality."""
    return with_guards(guards, depth=1)


def breathless(guards: Guards) -> Guards:
    """Guards that leave no time before a deadline: F + A + R is zero."""
    chains = {name: replace(guard, lead=-guard.final) for name, guard in guards.chains.items()}
    return replace(guards, chains=chains, outage=0)


def roomless(guards: Guards, ticks: int) -> Guards:
    """Guards that leave so much less time for an outage."""
    return replace(guards, outage=max(guards.outage - ticks, 0))


def reveals(plan: Plan) -> Plan:
    return tuple(action for action in plan if isinstance(action, SpendLeg) and action.reveals)


def _closing(plan: Plan) -> bool:
    return any(isinstance(action, Close) for action in plan)


# --- swap ------------------------------------------------------------------------------------------------


class RevealsLate(Swap):
    """The initiator shows s up to the very deadline of y."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        late = reveals(super().plan(terms, view, stance, now, breathless(guards)))
        return super().plan(terms, view, stance, now, guards) or late


class RevealsRoomless(Swap):
    """The initiator shows s when there is a tick too little left for an outage after it."""

    ticks = 1

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        late = reveals(super().plan(terms, view, stance, now, roomless(guards, self.ticks)))
        return super().plan(terms, view, stance, now, guards) or late


class RevealsShallow(Swap):
    """The initiator shows s as soon as y is in a block."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        early = reveals(super().plan(terms, view, stance, now, shallow(guards)))
        return early or super().plan(terms, view, stance, now, guards)


class FundsShallow(Swap):
    """The participant funds y as soon as x is in a block."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        state = view.legs[swp.X]
        if isinstance(state, Funded):
            view = replace(view, legs={**view.legs, swp.X: Funded(FAR, state.held)})
        return super().plan(terms, view, stance, now, guards)


class NeverCancels(Swap):
    """A funding that was sent is left to the miners."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        plan = super().plan(terms, view, stance, now, guards)
        return tuple(action for action in plan if not isinstance(action, Unfund))


class ClosesShallow(Swap):
    """The deal is closed when its last spend is in a block."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        early = super().plan(terms, view, stance, now, shallow(guards))
        return early if _closing(early) else super().plan(terms, view, stance, now, guards)


class ClosesInFlight(Swap):
    """The deal is closed though a funding that we signed may still confirm."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        landed = replace(view, fundings=dict.fromkeys(view.fundings, Flight.CANCELLED))
        early = super().plan(terms, landed, stance, now, guards)
        sent = Flight.OPEN in view.fundings.values()
        return early if sent and _closing(early) else super().plan(terms, view, stance, now, guards)


class SwapWindow(Swap):
    """The participant keeps only the window that is safe, not the one that is useful, `slip` ticks too long."""

    def __init__(self, slip: int = 0) -> None:
        super().__init__()
        self.slip = slip

    def window(self, case: Case, leg: str) -> Window:
        if leg == swp.X:
            return super().window(case, leg)
        undone = case.guards.outage + case.guard(swp.Y).final
        after = 2 * case.guards.outage + case.parts(("final", swp.Y), ("reach", swp.X))
        cancel = case.terms.times[swp.X] - after - undone + self.slip
        return Window(cancel - case.guard(swp.Y).include, cancel)


# --- option ----------------------------------------------------------------------------------------------


class OptionRevealsLate(Option):
    """A secret is shown up to the very deadline of the leg it takes."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        lasting = replace(terms, times={**terms.times, opt.EXPIRY: terms.times[opt.COLLATERAL]})
        late = reveals(super().plan(lasting, view, stance, now, breathless(guards)))
        return super().plan(terms, view, stance, now, guards) or late


class OptionRevealsRoomless(Option):
    """A secret is shown when there is a tick too little left for an outage after it."""

    ticks = 1

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        lasting = replace(terms, times={**terms.times, opt.EXPIRY: terms.times[opt.EXPIRY] + self.ticks})
        late = reveals(super().plan(lasting, view, stance, now, roomless(guards, self.ticks)))
        return super().plan(terms, view, stance, now, guards) or late


class OptionRevealsShallow(Option):
    """A secret is shown as soon as the leg it takes is in a block."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        early = reveals(super().plan(terms, view, stance, now, shallow(guards)))
        return early or super().plan(terms, view, stance, now, guards)


class ActivatesWithoutStrike(Option):
    """The writer takes the premium though the strike is not there."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        there = replace(view, legs={**view.legs, opt.STRIKE: Funded(FAR, 1)})
        early = reveals(super().plan(terms, there, stance, now, guards))
        return early or super().plan(terms, view, stance, now, guards)


class OptionFundsShallow(Option):
    """The holder funds as soon as the collateral is in a block."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        state = view.legs[opt.COLLATERAL]
        if isinstance(state, Funded) and Flight.NONE in view.fundings.values():
            view = replace(view, legs={**view.legs, opt.COLLATERAL: Funded(FAR, state.held)})
        return super().plan(terms, view, stance, now, guards)


class OptionNeverCancels(Option):
    """A funding that was sent is left to the miners."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        plan = super().plan(terms, view, stance, now, guards)
        return tuple(action for action in plan if not isinstance(action, Unfund))


class OptionClosesShallow(Option):
    """The deal is closed when its last spend is in a block."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        early = super().plan(terms, view, stance, now, shallow(guards))
        return early if _closing(early) else super().plan(terms, view, stance, now, guards)


class SignsStrikeTooSoon(Option):
    """The writer signs the strike's release as soon as it is asked to."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        plan = super().plan(terms, view, stance, now, guards)
        release = (opt.STRIKE, opt.RELEASE)
        wanted = stance.will.let_go and release not in stance.consents_given
        if wanted and isinstance(view.legs[opt.STRIKE], Funded):
            return (*(action for action in plan if not isinstance(action, Swear)), GiveConsent(*release))
        return plan


class SignsCollateralTooSoon(Option):
    """The holder signs the collateral's release while its premium can still be taken."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        plan = super().plan(terms, view, stance, now, guards)
        release = (opt.COLLATERAL, opt.RELEASE)
        wanted = stance.will.let_go and release not in stance.consents_given
        if wanted and isinstance(view.legs[opt.COLLATERAL], Funded):
            return (*(action for action in plan if not isinstance(action, Swear)), GiveConsent(*release))
        return plan


class ExercisesAfterSigning(Option):
    """The holder exercises though it signed the collateral's release."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        plan = super().plan(terms, view, stance, now, guards)
        if not stance.consents_given:
            return plan
        bold = replace(stance, will=Will(exercise=True), vows=frozenset(), consents_given=frozenset())
        return reveals(super().plan(terms, view, bold, now, guards)) or plan


class OptionWindow(Option):
    """The holder keeps only the window that is safe, not the one that is useful, `slip` ticks too long."""

    def __init__(self, slip: int = 0) -> None:
        super().__init__()
        self.slip = slip

    def window(self, case: Case, leg: str) -> Window:
        if leg == opt.COLLATERAL:
            return super().window(case, leg)
        guard = case.guard(opt.PREMIUM)
        undone = case.guards.outage + guard.final
        cancel = case.terms.times[opt.PREMIUM] + guard.lag - undone + self.slip
        return Window(cancel - guard.include, cancel)


# --- attested option -------------------------------------------------------------------------------------


class AttestedRevealsLate(Attested):
    """A secret of an attested option is shown up to the very deadline of the leg it takes."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        late = reveals(super().plan(terms, view, stance, now, breathless(guards)))
        return super().plan(terms, view, stance, now, guards) or late


class AttestedRevealsRoomless(Attested):
    """A secret of an attested option is shown when there is a tick too little left for an outage after it."""

    ticks = 1

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        late = reveals(super().plan(terms, view, stance, now, roomless(guards, self.ticks)))
        return super().plan(terms, view, stance, now, guards) or late


class AttestedRevealsShallow(Attested):
    """The writer of an attested option takes the premium as soon as it is in a block."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        early = reveals(super().plan(terms, view, stance, now, shallow(guards)))
        return early or super().plan(terms, view, stance, now, guards)


class AttestedClosesShallow(Attested):
    """An attested option is closed when its last spend is in a block."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        early = super().plan(terms, view, stance, now, shallow(guards))
        return early if _closing(early) else super().plan(terms, view, stance, now, guards)


class AttestedFundsShallow(Attested):
    """The holder pays the premium of an attested option as soon as the collateral is in a block."""

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> Plan:
        state = view.legs[opt.COLLATERAL]
        if isinstance(state, Funded) and view.fundings[opt.PREMIUM] is Flight.NONE:
            view = replace(view, legs={**view.legs, opt.COLLATERAL: Funded(FAR, state.held)})
        return super().plan(terms, view, stance, now, guards)


class AttestedWithoutA(Attested):
    """The collateral of an attested option wants e and the quorum alone, not a."""

    def __init__(self) -> None:
        super().__init__()
        collateral, *rest = att.TABLE.legs
        exercise, refund = collateral.paths
        bare = replace(collateral, paths=(replace(exercise, hashes=(opt.E,)), refund))
        self._table = replace(att.TABLE, legs=(bare, *rest))
