"""What every protocol's rules are made of: the state of a leg, and guarded rules for one leg and one path.

A rule sees one `Case` and returns an action or None. It remembers nothing, so that a reorganisation, a restart
or a counterparty that acts out of turn needs no rule of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chains.legs import hash_of
from chains.port import LegFacts
from htlc.protocols.base import (
    Absent,
    Action,
    ChainGuard,
    Facts,
    Flight,
    Fund,
    Funded,
    GiveConsent,
    Guards,
    LegState,
    Now,
    SpendLeg,
    Spent,
    Stance,
    Swear,
    Unfund,
    View,
    Vow,
)
from htlc.protocols.table import Label
from htlc.terms import Terms

UNKNOWN_PATH = "unknown"
WINDOWS = 1024  # kept of each kind
NOTHING = LegFacts()
ABSENT = Absent()


# --- derive ----------------------------------------------------------------------------------------------


def derive(terms: Terms, facts: Facts) -> View:
    """The view of a deal: the state of each leg, and every preimage the world knows."""
    public = dict(facts.preimages)
    legs: dict[str, LegState] = {}
    for name, leg in terms.legs.items():
        found = facts.legs.get(name, NOTHING)
        legs[name] = leg_state(leg.amount, found)
        for spend in found.spends:
            for preimage in spend.preimages:
                public.setdefault(hash_of(preimage), preimage)
    return View(legs=legs, public=public, fundings=facts.fundings)


def leg_state(amount: int, facts: LegFacts) -> LegState:
    """The state of a leg of `amount`.

    A spend of less than the amount is of a decoy or of a deposit in part, and says nothing of the leg itself.
    The first spend of the whole is the one that decided it; a later one is of late money.
    """
    last = None
    if facts.spends:
        last = min([spend.depth for spend in facts.spends])
        whole = [spend for spend in facts.spends if spend.amount >= amount]
        if whole:
            first = next((spend for spend in whole if spend.depth > 0), whole[0])
            return Spent(first.path or UNKNOWN_PATH, first.depth, facts.held, last)
    if facts.full is not None and facts.held >= amount:
        return Funded(facts.full, facts.held)
    return Absent(facts.held, last) if facts.held or last is not None else ABSENT


# --- the case a rule is put to ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a rule may look at."""

    terms: Terms
    view: View
    stance: Stance
    now: Now
    guards: Guards

    def chain(self, leg: str) -> str:
        return self.terms.legs[leg].chain

    def guard(self, leg: str) -> ChainGuard:
        return self.guards.chains[self.terms.legs[leg].chain]

    def reach(self, leg: str) -> int:
        return self.guards.reach(self.terms.legs[leg].chain)

    def parts(self, *parts: tuple[str, str]) -> int:
        """Seconds of parts (kind, leg), one after the other: see Guards.part."""
        return self.guards.parts(*[(kind, self.terms.legs[leg].chain) for kind, leg in parts])

    @property
    def passive(self) -> bool:
        """We start nothing new: the user wants out, or we were restored and do not know what we did before."""
        return self.stance.will.stop or self.stance.will.let_go or self.stance.limited

    def held(self, leg: str) -> int:
        return self.view.legs[leg].held

    def final(self, leg: str) -> bool:
        """The leg is full, unspent, and deep enough."""
        state = self.view.legs[leg]
        return isinstance(state, Funded) and state.depth >= self.guard(leg).depth

    def standing(self, leg: str) -> bool:
        """The leg is full and unspent, at any depth."""
        return isinstance(self.view.legs[leg], Funded)

    def over(self, leg: str, *paths: str) -> bool:
        """The leg was spent by one of the paths (of any, if none is named), nothing stands there any more, and
        no reorganisation within the horizon changes that."""
        state = self.view.legs[leg]
        if not isinstance(state, Spent) or (paths and state.path not in paths):
            return False
        return state.held == 0 and state.last >= self.guard(leg).depth

    def flight(self, leg: str) -> Flight:
        return self.view.fundings.get(leg, Flight.NONE)

    def known(self, role: str, label: str) -> bool:
        """The world knows this secret."""
        return self.terms.parties[role].hashes[label] in self.view.public

    def exposed(self, role: str, label: str) -> bool:
        """A transaction of ours shows this secret, so that the world may know it."""
        return self.terms.parties[role].hashes[label] in self.stance.exposed

    def vowed(self, vow: Vow) -> bool:
        return vow in self.stance.vows

    def matured(self, leg: str) -> bool:
        """The chain's own clock lets the leg's refund into the next block (BIP113: strictly later)."""
        return self.now.clocks.get(self.terms.legs[leg].chain, 0) > self.terms.times[leg]

    def before(self, time: int) -> bool:
        """It is certainly not later than `time`."""
        return self.now.latest <= time


# --- fundings --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """start: the latest time to sign a new funding. cancel: what is not in a block then is taken back."""

    start: int
    cancel: int


def once(make: Callable[[Case], Window]) -> Callable[[Case], Window]:
    """A window follows from terms and guards alone: it is made once while these are the same objects."""
    made: dict[int, tuple[Terms, Guards, Window]] = {}

    def window(case: Case) -> Window:
        found = made.get(id(case.terms))
        if found is not None and found[0] is case.terms and found[1] is case.guards:
            return found[2]
        if len(made) >= WINDOWS:
            made.clear()
        fresh = make(case)
        made[id(case.terms)] = (case.terms, case.guards, fresh)
        return fresh

    return window


def barred(case: Case) -> bool:
    """We fund nothing in this deal any more, whatever else happens."""
    return case.passive or case.vowed(Vow.NEVER_FUND)


def fund(case: Case, leg: str, window: Window, ready: bool, lost: bool = False) -> Fund | Unfund | None:
    """Have our leg funded, or take its funding back. ready: everything that must be final before is. lost: the
    deal can't go on, so that money of ours must not go in any more."""
    flight = case.flight(leg)
    state = case.view.legs[leg]
    if flight in (Flight.DONE, Flight.CANCELLED):
        return None
    if not isinstance(state, Absent):
        return _unfund_double(case, leg, state)
    if flight is Flight.NONE:
        wanted = ready and not lost and not barred(case) and case.before(window.start)
        return Fund(leg, window.cancel) if wanted else None
    if lost or barred(case) or not case.before(window.cancel):
        return Unfund(leg)
    return Fund(leg, window.cancel) if ready else None


def _unfund_double(case: Case, leg: str, state: Funded | Spent) -> Unfund | None:
    """Somebody else's money made the leg full and is final, while ours is still on its way: it would be a gift
    to the claimant. Twice the depth, so that our own funding is never taken for somebody else's."""
    depth = state.depth if isinstance(state, Funded) else state.last
    return Unfund(leg) if case.flight(leg) is Flight.OPEN and depth >= 2 * case.guard(leg).depth else None


# --- spends ----------------------------------------------------------------------------------------------


def claim(case: Case, leg: str, path: str, *secrets: Label) -> SpendLeg | None:
    """Once all preimages of a path that pays us are public: take whatever stands there, however late."""
    if case.held(leg) == 0:
        return None
    preimages = _preimages(case, case.view.public, secrets)
    return SpendLeg(leg, path, preimages, claim_deadline(case, leg)) if preimages else None


def claim_deadline(case: Case, leg: str) -> int:
    """T - A - r: a claim that is in a block then is final before a refund can be mined."""
    return case.terms.times[leg] - case.reach(leg) + case.guard(leg).include


def reveal(case: Case, leg: str, path: str, ours: Label, *secrets: Label, ready: bool) -> SpendLeg | None:
    """Our first reveal of the secret `ours`, one of the path's `secrets`: only if the leg is final, all else is
    `ready`, the others' preimages are public, nothing forbids it, and now + R + F + A <= T. Prevents the loss of a
    leg that is refunded under us while our secret is out.

    R is there for what we publish and a node loses, while we go out and may not even know that we published it.
    Back within R we show it again, `ready` or not, whatever we want by then, while now + F + A <= T."""
    hashed = case.terms.hash(*ours)
    preimage = case.stance.secrets.get(hashed)
    if preimage is None or hashed in case.view.public or case.vowed(Vow.NEVER_REVEAL):
        return None
    latest = showable(case, leg)
    if case.exposed(*ours) and not case.stance.limited:
        if not case.standing(leg) or not case.before(latest + case.guards.outage):
            return None
    elif case.passive or not ready or not case.final(leg) or not case.before(latest):
        return None
    preimages = _preimages(case, {**case.view.public, hashed: preimage}, secrets)
    if preimages is None:
        return None
    return SpendLeg(leg, path, preimages, claim_deadline(case, leg), reveals=True)


def showable(case: Case, leg: str) -> int:
    """T - A - F - R: the latest time to show for the first time what takes a leg."""
    return case.terms.times[leg] - case.reach(leg) - case.guards.outage


def _preimages(case: Case, known: Mapping[bytes, bytes], secrets: tuple[Label, ...]) -> tuple[bytes, ...] | None:
    hashes = [case.terms.hash(*secret) for secret in secrets]
    try:
        return tuple([known[value] for value in hashes])
    except KeyError:
        return None


def refund(case: Case, leg: str, deadline: int | None, release: str | None = None) -> SpendLeg | None:
    """Take our own money back: after the leg's time on the chain's own clock, or with the other's signature."""
    if case.held(leg) == 0:
        return None
    state = case.view.legs[leg]
    released = release is not None and (leg, release) in case.stance.consents_held
    if released and release is not None and (not case.matured(leg) or _on_its_way(state, release)):
        return SpendLeg(leg, release, (), deadline)
    return SpendLeg(leg, "refund", (), deadline) if case.matured(leg) else None


def _on_its_way(state: LegState, path: str) -> bool:
    return isinstance(state, Spent) and state.depth == 0 and state.path == path


def race(case: Case, leg: str, shown: bool) -> int | None:
    """The deadline of a refund that the other party's claim may beat: as soon as it is possible. None while no
    claim can be made."""
    return case.terms.times[leg] if shown else None


# --- promises and releases -------------------------------------------------------------------------------


def swear(case: Case, vow: Vow) -> Swear | None:
    return None if case.vowed(vow) else Swear(vow)


def consent(case: Case, leg: str, path: str) -> GiveConsent | None:
    """Sign the other party's release of a leg that stands there for good, once."""
    given = (leg, path) in case.stance.consents_given
    return None if given or not case.final(leg) else GiveConsent(leg, path)


def letting_go(case: Case) -> bool:
    """The user wants to give money back early, the terms allow it, and we may sign."""
    return case.stance.will.let_go and not case.stance.limited and case.terms.options["releases"] == "yes"


# --- the end ---------------------------------------------------------------------------------------------


def ours_over(case: Case, leg: str, window: Window, lost: bool = False) -> bool:
    """Nothing of ours stands at a leg we fund, and nothing can come there any more."""
    flight = case.flight(leg)
    state = case.view.legs[leg]
    if flight is Flight.OPEN:
        return False  # it may still confirm, and would then be forgotten
    if isinstance(state, Spent):
        return case.over(leg)
    if state.held > 0 or not isinstance(state, Absent) or not _deep(case, leg, state):
        return False
    if case.stance.limited or flight is Flight.DONE:
        # What we signed before the restore is unknown, and a node may be behind: wait until it could be refunded.
        return case.matured(leg)
    return flight is Flight.CANCELLED or lost or barred(case) or not case.before(window.start)


def theirs_over(case: Case, leg: str, payable: bool) -> bool:
    """Nothing at a leg the other party funds is owed to us. payable: the preimages of our path are public. If
    they are not, we shall never show ours now, and need not wait for what the other party does with its own
    money."""
    state = case.view.legs[leg]
    if not payable:
        return True
    entered = case.stance.limited or any(one is not Flight.NONE for one in case.view.fundings.values())
    if entered and isinstance(state, Absent) and not case.matured(leg):
        return False  # we paid for it once: a node that is behind does not show it yet
    return state.held == 0 and (
        isinstance(state, Funded) or state.last is None or state.last >= case.guard(leg).depth
    )


def consent_pending(case: Case, leg: str, path: str) -> bool:
    """We signed a release that the other party has not used yet and may still be waiting for, or want to sign one
    as soon as the leg is final."""
    signed = (leg, path) in case.stance.consents_given
    return (signed or letting_go(case)) and stands(case.view.legs[leg]) and not case.matured(leg)


def _deep(case: Case, leg: str, state: Absent) -> bool:
    return state.last is None or state.last >= case.guard(leg).depth


def mined_path(state: LegState) -> str | None:
    """The path that a block says the leg was spent by."""
    return state.path if isinstance(state, Spent) and state.depth > 0 else None


def stands(state: LegState) -> bool:
    """The leg is full, and no block says it was spent."""
    return isinstance(state, Funded) or (isinstance(state, Spent) and state.depth == 0)


def actions(*found: Action | None) -> tuple[Action, ...]:
    """The actions that rules returned, without the rules that had nothing to say."""
    return tuple([action for action in found if action is not None])
