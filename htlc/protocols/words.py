"""What happens next in a deal, in words. It reads the rules' own view and windows, and decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from htlc.protocols import attested as att
from htlc.protocols import option as opt
from htlc.protocols import swap as swp
from htlc.protocols.base import Absent, Flight, Funded, Spent, Step, Vow
from htlc.protocols.rules import Case, showable


def swap(case: Case) -> tuple[Step, ...]:
    """The steps that are left of a swap, in order."""
    x, y = case.view.legs[swp.X], case.view.legs[swp.Y]
    reveal_by = showable(case, swp.Y)
    steps: list[Step] = []
    if isinstance(x, Absent) and not case.known(*swp.SECRET):
        steps.append(_fund(case, swp.INITIATOR, swp.X, swp.window_x(case).start))
    if isinstance(x, Funded) and not case.final(swp.X):
        steps.append(_deepen(case, swp.X, x, swp.PARTICIPANT))
    if isinstance(y, Absent) and isinstance(x, Absent | Funded) and not case.known(*swp.SECRET):
        steps.append(_fund(case, swp.PARTICIPANT, swp.Y, swp.window_y(case).start))
    if isinstance(y, Funded) and not case.known(*swp.SECRET):
        text = f"claims {_money(case, swp.Y)}, which shows the secret"
        steps.append(Step(swp.INITIATOR, text, reveal_by))
    if isinstance(x, Funded):
        text = f"claims {_money(case, swp.X)} with the secret, once it is shown"
        steps.append(Step(swp.PARTICIPANT, text, case.terms.times[swp.X] - case.reach(swp.X)))
    steps += _refunds(case, ((swp.Y, swp.PARTICIPANT), (swp.X, swp.INITIATOR)))
    return tuple(steps) or _end(case, swp.verdict(case.view))


def option(case: Case) -> tuple[Step, ...]:
    """The steps that are left of an option, in order."""
    collateral = case.view.legs[opt.COLLATERAL]
    active = case.known(*opt.A)
    steps: list[Step] = []
    if isinstance(collateral, Absent) and not active:
        steps.append(_fund(case, opt.WRITER, opt.COLLATERAL, opt.window_collateral(case).start))
    if isinstance(collateral, Funded) and not case.final(opt.COLLATERAL) and not active:
        steps.append(_deepen(case, opt.COLLATERAL, collateral, opt.HOLDER))
    if not active and isinstance(collateral, Absent | Funded):
        missing = [leg for leg in (opt.PREMIUM, opt.STRIKE) if isinstance(case.view.legs[leg], Absent)]
        steps += [_fund(case, opt.HOLDER, leg, opt.window_holder(case).start) for leg in missing]
        if not case.vowed(Vow.NEVER_REVEAL) or case.stance.role != opt.WRITER:
            activate_by = showable(case, opt.PREMIUM)
            text = f"takes the premium of {_money(case, opt.PREMIUM)}, which makes the option live"
            steps.append(Step(opt.WRITER, text, activate_by))
    steps += _exercise(case, active)
    refunds = ((opt.PREMIUM, opt.HOLDER), (opt.COLLATERAL, opt.WRITER), (opt.STRIKE, opt.HOLDER))
    steps += _refunds(case, refunds)
    return tuple(steps) or _end(case, opt.verdict(case.view))


def attested(case: Case) -> tuple[Step, ...]:
    """The steps that are left of an attested option, in order."""
    collateral = case.view.legs[opt.COLLATERAL]
    active = case.known(*opt.A)
    steps: list[Step] = []
    if isinstance(collateral, Absent) and not active:
        steps.append(_fund(case, opt.WRITER, opt.COLLATERAL, opt.window_collateral(case).start))
    if isinstance(collateral, Funded) and not case.final(opt.COLLATERAL) and not active:
        steps.append(_deepen(case, opt.COLLATERAL, collateral, opt.HOLDER))
    if not active and isinstance(collateral, Absent | Funded):
        if isinstance(case.view.legs[opt.PREMIUM], Absent):
            steps.append(_fund(case, opt.HOLDER, opt.PREMIUM, opt.window_holder(case).start))
        activate_by = showable(case, opt.PREMIUM)
        text = f"takes the premium of {_money(case, opt.PREMIUM)}, which makes the option live"
        steps.append(Step(opt.WRITER, text, activate_by))
    steps += _exercise_attested(case) if active else []
    refunds = ((opt.PREMIUM, opt.HOLDER), (opt.COLLATERAL, opt.WRITER), (opt.STRIKE, opt.HOLDER))
    steps += _refunds(case, refunds)
    return tuple(steps) or _end(case, att.verdict(case.view))


def _exercise_attested(case: Case) -> list[Step]:
    """What is left of an exercise of a live option."""
    strike = case.view.legs[opt.STRIKE]
    quorum = case.terms.quorum
    take_by = showable(case, opt.COLLATERAL)
    if case.known(*opt.E):
        return _taken(case)
    if not case.standing(opt.COLLATERAL):
        return []
    steps = []
    if isinstance(strike, Absent):
        latest = att.window_strike(case).start
        if case.stance.will.exercise or case.flight(opt.STRIKE) is Flight.OPEN:
            steps.append(_fund(case, opt.HOLDER, opt.STRIKE, latest))
        else:
            text = (
                f"may exercise: lock the strike of {_money(case, opt.STRIKE)} for {_money(case, opt.COLLATERAL)}"
            )
            return [Step(opt.HOLDER, text, latest)]
    if isinstance(strike, Funded) and not case.final(opt.STRIKE):
        steps.append(_deepen(case, opt.STRIKE, strike, opt.HOLDER))
    if quorum is not None and not att.attested(case):
        text = f"waits until {quorum.threshold} of {len(quorum.members)} attesters sign that the strike is there"
        steps.append(Step(opt.HOLDER, text, take_by))
    text = f"takes the collateral of {_money(case, opt.COLLATERAL)}, which shows the secret for the strike"
    return [*steps, Step(opt.HOLDER, text, take_by)]


WORDS: Mapping[str, Callable[[Case], tuple[Step, ...]]] = {
    swp.SWAP.name: swap,
    opt.OPTION.name: option,
    att.ATTESTED.name: attested,
}


def explain(protocol: str, case: Case) -> tuple[Step, ...]:
    """What happens next in a deal of the protocol of that name."""
    return WORDS[protocol](case)


def _exercise(case: Case, active: bool) -> list[Step]:
    if not active:
        return []
    if case.known(*opt.E):
        return _taken(case)
    if not case.standing(opt.COLLATERAL):
        return []
    latest = min(case.terms.times[opt.EXPIRY], case.terms.times[opt.COLLATERAL] - case.reach(opt.COLLATERAL))
    text = f"may exercise: take {_money(case, opt.COLLATERAL)} for the strike of {_money(case, opt.STRIKE)}"
    return [Step(opt.HOLDER, text, latest)]


def _taken(case: Case) -> list[Step]:
    """What is left once the holder's secret is shown."""
    steps = []
    if case.held(opt.COLLATERAL):
        text = f"takes the collateral of {_money(case, opt.COLLATERAL)}"
        steps.append(Step(opt.HOLDER, text, case.terms.times[opt.COLLATERAL] - case.reach(opt.COLLATERAL)))
    if case.held(opt.STRIKE):
        text = f"takes the strike of {_money(case, opt.STRIKE)}"
        steps.append(Step(opt.WRITER, text, case.terms.times[opt.STRIKE] - case.reach(opt.STRIKE)))
    return steps


# --- parts of sentences ----------------------------------------------------------------------------------


def _money(case: Case, leg: str) -> str:
    terms = case.terms.legs[leg]
    return f"{terms.amount} {terms.asset} on {terms.chain}"


def _fund(case: Case, who: str, leg: str, latest: int) -> Step:
    if case.flight(leg) is Flight.OPEN and case.stance.role == who:
        return Step(who, f"waits for its payment of {_money(case, leg)} to leg {leg} to be mined", latest)
    return Step(who, f"pays {_money(case, leg)} into leg {leg}", latest)


def _deepen(case: Case, leg: str, state: Funded, who: str) -> Step:
    return Step(who, f"waits until leg {leg} is {case.guard(leg).depth} blocks deep; it is {state.depth}")


def _refunds(case: Case, order: tuple[tuple[str, str], ...]) -> list[Step]:
    """Who gets what back if nothing else happens. `by` is the time, on the chain's clock, from which it can."""
    steps = []
    for leg, owner in order:
        if case.held(leg) and isinstance(case.view.legs[leg], Funded | Absent):
            text = f"otherwise takes back {_money(case, leg)} after the time of leg {leg}"
            steps.append(Step(owner, text, case.terms.times[leg]))
    return steps


def _end(case: Case, outcome: str | None) -> tuple[Step, ...]:
    shallow = [
        leg
        for leg, state in case.view.legs.items()
        if isinstance(state, Spent) and state.last < case.guard(leg).depth
    ]
    if shallow:
        text = f"waits until the last transactions of {', '.join(shallow)} are final"
        return (Step(case.stance.role, text),)
    return (Step(case.stance.role, f"has nothing left to do: {outcome or 'unfunded'}"),)
