"""The questions the explorer is asked: safe as it stands, lost with each guard relaxed by a tick or removed."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from htlc.explorer import faults
from htlc.explorer.model import BAD, EXERCISE, HONEST, LET_GO, RESTORED, SHALLOW, STOP, Model, Pace, make_terms
from htlc.explorer.search import Result, explore
from htlc.protocols.attested import ATTESTED
from htlc.protocols.base import DealProtocol, Guards
from htlc.protocols.option import OPTION
from htlc.protocols.swap import SWAP
from htlc.timelocks import ladder

SWAP_CHAINS = {"x": "x", "y": "y"}
OPTION_CHAINS = {"collateral": "x", "premium": "y", "strike": "y"}
INITIATOR, PARTICIPANT, WRITER, HOLDER = "initiator", "participant", "writer", "holder"


@dataclass(frozen=True)
class Question:
    """safe: whether the honest party must be found safe. large: only in the full run."""

    name: str
    model: Model
    safe: bool
    large: bool = False


@dataclass(frozen=True)
class Answer:
    question: Question
    result: Result
    seconds: float

    @property
    def right(self) -> bool:
        return (self.result.finding is None) == self.question.safe


@dataclass(frozen=True)
class Setting:
    """How a model is made. pace: of chain x, and of chain y too unless it has an `other`. relax: changes of the
    guards that the plan keeps, the ladder being made with the full ones. shorten: ticks taken off deadlines.
    life: of an option; an outage by default, since it may start with one."""

    pace: Pace = field(default_factory=Pace)
    other: Pace | None = None
    outage: int = 1
    life: int | None = None
    will: int = 0
    whims: int = 0
    clock_low: bool = True
    sweeps: bool = True
    releases: str = "no"
    relax: Callable[[Guards], Guards] | None = None
    shorten: Mapping[str, int] | None = None
    slack: int = 0
    quorum: str = HONEST
    timely: bool = False


def make_model(protocol: DealProtocol, role: str, setting: Setting) -> Model:
    """A model with the earliest ladder that keeps every rule, in ticks."""
    option = protocol.name != SWAP.name
    chains = OPTION_CHAINS if option else SWAP_CHAINS
    paces = {"x": setting.pace, "y": setting.other or setting.pace}
    guards = Guards({chain: pace.guard() for chain, pace in paces.items()}, setting.outage)
    life = setting.outage if setting.life is None else setting.life
    times = ladder(protocol, chains, guards, 0, life if option else 0, slack=setting.slack)
    for name, ticks in (setting.shorten or {}).items():
        times[name] -= ticks
    options = {"kind": "call", "releases": setting.releases} if protocol.name == OPTION.name else {}
    options |= {"kind": "call"} if protocol.name == ATTESTED.name else {}
    quiet = 3 + max(p.lag + 3 * (setting.outage + p.include + p.reorg) for p in paces.values())
    return Model(
        protocol=protocol,
        role=role,
        terms=make_terms(protocol, chains, times, options),
        paces=paces,
        guards=setting.relax(guards) if setting.relax else guards,
        outage=setting.outage,
        will=setting.will,
        whims=setting.whims,
        clock_low=setting.clock_low,
        sweeps=setting.sweeps,
        quorum=setting.quorum,
        timely=setting.timely,
        last=max(times.values()) + quiet,
    )


def less_reach(guards: Guards) -> Guards:
    """F + A one tick less."""
    chains = {name: replace(guard, lead=guard.lead - 1) for name, guard in guards.chains.items()}
    return replace(guards, chains=chains)


def less_depth(guards: Guards) -> Guards:
    """One block less for finality."""
    chains = {name: replace(guard, depth=guard.depth - 1) for name, guard in guards.chains.items()}
    return replace(guards, chains=chains)


# --- the questions ---------------------------------------------------------------------------------------


def questions() -> Iterator[Question]:
    """Every question, the small ones first."""
    yield from _safe()
    yield from _relaxed()
    yield from _planted()
    yield from _attested()
    yield from _large()


def _ask(name: str, protocol: DealProtocol, role: str, safe: bool, large: bool = False, **how: Any) -> Question:
    return Question(name, make_model(protocol, role, Setting(**how)), safe, large)


def _safe() -> Iterator[Question]:
    slow, long_out = Pace(2, 2, 2, 2), 5
    for role in (INITIATOR, PARTICIPANT):
        for low in (True, False):
            clocks = "late" if low else "early"
            yield _ask(f"swap, {role}, {clocks} clocks", SWAP, role, True, whims=STOP, clock_low=low)
        yield _ask(f"swap, {role}, slower chains", SWAP, role, True, pace=slow, outage=2)
        yield _ask(f"swap, {role}, long outages", SWAP, role, True, outage=long_out)
        for x, y in ((Pace(2, 1, 1, 2), Pace(1, 2, 2, 1)), (Pace(1, 2, 2, 1), Pace(2, 1, 1, 2))):
            name = f"swap, {role}, {'slow then deep' if x.include > 1 else 'deep then slow'} chains"
            yield _ask(name, SWAP, role, True, pace=x, other=y)
    for x, y in ((Pace(2, 1, 1, 2), Pace(1, 2, 2, 1)), (Pace(1, 2, 2, 1), Pace(2, 1, 1, 2))):
        name = f"swap: Tx a tick early, {'slow then deep' if x.include > 1 else 'deep then slow'} chains"
        yield _ask(name, SWAP, PARTICIPANT, False, pace=x, other=y, shorten={"x": 1})
    yield _ask("swap, participant, only the safe window", faults.SwapWindow(), PARTICIPANT, True, outage=long_out)
    yield _ask("option, writer", OPTION, WRITER, True)
    yield _ask("option, holder who never exercises", OPTION, HOLDER, True)
    yield _ask("option, holder who always exercises", OPTION, HOLDER, True, will=EXERCISE)
    yield _ask("option, holder who may", OPTION, HOLDER, True, whims=EXERCISE | STOP)
    window = faults.OptionWindow()
    for role in (INITIATOR, PARTICIPANT):
        yield _ask(f"swap, {role}, restored at any time", SWAP, role, True, whims=RESTORED)
    yield _ask("option, holder, restored at any time", OPTION, HOLDER, True, whims=EXERCISE | RESTORED)
    yield _ask("option, holder, only the safe window", window, HOLDER, True, will=EXERCISE, outage=3)


def _relaxed() -> Iterator[Question]:
    """Each guard of section 3 one tick less: every one of them must lose money."""
    yield _ask("swap: s shown a tick late", SWAP, INITIATOR, False, relax=less_reach, slack=4)
    yield _ask("swap: s shown a block early", SWAP, INITIATOR, False, relax=less_depth)
    yield _ask("swap: y funded a block early", SWAP, PARTICIPANT, False, relax=less_depth)
    yield _ask("swap: Tx a tick early", SWAP, PARTICIPANT, False, shorten={"x": 1})
    window = faults.SwapWindow(slip=1)
    yield _ask("swap: y cancelled a tick late", window, PARTICIPANT, False, outage=5)
    yield _ask("option: a shown a tick late", OPTION, WRITER, False, relax=less_reach, slack=4)
    yield _ask("option: a shown a block early", OPTION, WRITER, False, relax=less_depth)
    yield _ask("option: Ts a tick early", OPTION, WRITER, False, shorten={"strike": 1})
    late: dict[str, Any] = {"will": EXERCISE, "life": 4, "shorten": {"expiry": -1}, "relax": less_reach}
    yield _ask("option: e shown a tick late", OPTION, HOLDER, False, **late)
    yield _ask("option: funded or e shown a block early", OPTION, HOLDER, False, will=EXERCISE, relax=less_depth)
    yield _ask("option: expiry a tick early", OPTION, HOLDER, False, will=EXERCISE, shorten={"expiry": 1})
    slip = faults.OptionWindow(slip=1)
    yield _ask("option: fundings cancelled a tick late", slip, HOLDER, False, will=EXERCISE, outage=3)


def _planted() -> Iterator[Question]:
    for swap, role in (
        (faults.RevealsLate(), INITIATOR),
        (faults.RevealsRoomless(), INITIATOR),
        (faults.RevealsShallow(), INITIATOR),
        (faults.FundsShallow(), PARTICIPANT),
        (faults.NeverCancels(), PARTICIPANT),
        (faults.ClosesShallow(), PARTICIPANT),
        (faults.ClosesInFlight(), PARTICIPANT),
    ):
        yield _ask(f"fault: {type(swap).__doc__}", swap, role, False, slack=2)
    forgets: dict[str, Any] = {"whims": RESTORED, "sweeps": False}
    yield _ask("fault: A restored party does not sweep its wallet.", SWAP, PARTICIPANT, False, **forgets)
    yield _ask(_doc(faults.OptionRevealsLate), faults.OptionRevealsLate(), WRITER, False)
    roomless: dict[str, Any] = {"outage": 3, "slack": 2}
    yield _ask(_doc(faults.OptionRevealsRoomless), faults.OptionRevealsRoomless(), WRITER, False, **roomless)
    roomless["will"] = EXERCISE
    yield _ask(_doc(faults.OptionRevealsRoomless), faults.OptionRevealsRoomless(), HOLDER, False, **roomless)
    yield _ask(_doc(faults.OptionRevealsShallow), faults.OptionRevealsShallow(), WRITER, False)
    yield _ask(_doc(faults.ActivatesWithoutStrike), faults.ActivatesWithoutStrike(), WRITER, False)
    yield _ask(_doc(faults.OptionClosesShallow), faults.OptionClosesShallow(), WRITER, False)
    lets_go: dict[str, Any] = {"whims": LET_GO, "releases": "yes"}
    yield _ask(_doc(faults.SignsStrikeTooSoon), faults.SignsStrikeTooSoon(), WRITER, False, **lets_go)
    yield _ask(_doc(faults.OptionRevealsLate), faults.OptionRevealsLate(), HOLDER, False, will=EXERCISE)
    yield _ask(_doc(faults.OptionFundsShallow), faults.OptionFundsShallow(), HOLDER, False, will=EXERCISE)
    yield _ask(_doc(faults.OptionNeverCancels), faults.OptionNeverCancels(), HOLDER, False, will=EXERCISE)
    yield _ask(_doc(faults.SignsCollateralTooSoon), faults.SignsCollateralTooSoon(), HOLDER, False, **lets_go)
    after = faults.ExercisesAfterSigning()
    yield _ask(_doc(faults.ExercisesAfterSigning), after, HOLDER, False, will=EXERCISE, life=4, **lets_go)


USED: Mapping[str, Any] = {"will": EXERCISE, "timely": True}  # where not using the option is a loss
UNLIKE = ((Pace(2, 1, 1, 2), Pace(1, 2, 2, 1)), (Pace(1, 2, 2, 1), Pace(2, 1, 1, 2)))


def _attested() -> Iterator[Question]:
    """The attested option, with a quorum that is honest and may be silent; one that must answer; and bad ones."""
    ask = _ask_attested
    yield ask("writer", WRITER, True)
    yield ask("holder who never exercises", HOLDER, True)
    yield ask("holder, a silent quorum", HOLDER, True, will=EXERCISE)
    yield ask("holder, a prompt quorum", HOLDER, True, **USED)
    yield ask("holder who may", HOLDER, True, whims=EXERCISE | STOP)
    yield ask("holder, restored at any time", HOLDER, True, whims=EXERCISE | RESTORED)
    yield ask("holder, long outages", HOLDER, True, outage=5, **USED)
    yield ask("holder, slower chains", HOLDER, True, pace=Pace(2, 2, 2, 2), outage=2, **USED)
    yield ask("a shown a tick late", WRITER, False, relax=less_reach, slack=4)
    yield ask("a shown a block early", WRITER, False, relax=less_depth)
    yield ask("Ts a tick early", WRITER, False, shorten={"strike": 1})
    late: dict[str, Any] = {"will": EXERCISE, "life": 4, "shorten": {"expiry": -1}, "relax": less_reach}
    yield ask("e shown a tick late", HOLDER, False, **late)
    yield ask("funded or e shown a block early", HOLDER, False, relax=less_depth, **USED)
    yield ask("Tc a tick early", HOLDER, False, shorten={"collateral": 1}, **USED)
    yield ask("expiry a tick early", HOLDER, False, shorten={"expiry": 1}, **USED)
    # The trust, in the open: what a quorum that lies costs the writer, and that it costs the holder nothing.
    yield ask("writer, a quorum that attests anything", WRITER, False, quorum=BAD)
    yield ask("writer, a quorum a block too early", WRITER, False, quorum=SHALLOW)
    yield ask("holder, a quorum that attests anything", HOLDER, True, quorum=BAD, **USED)
    for fault, role, how in (
        (faults.AttestedRevealsLate(), WRITER, {"slack": 2}),
        (faults.AttestedRevealsLate(), HOLDER, {"will": EXERCISE}),
        (faults.AttestedRevealsRoomless(), WRITER, {"outage": 3, "slack": 2}),
        (faults.AttestedRevealsRoomless(), HOLDER, {"outage": 3, "will": EXERCISE}),
        (faults.AttestedRevealsShallow(), WRITER, {}),
        (faults.AttestedClosesShallow(), WRITER, {}),
        (faults.AttestedFundsShallow(), HOLDER, USED),
        (faults.AttestedWithoutA(), WRITER, {}),
    ):
        yield _ask(_doc(type(fault)), fault, role, False, **how)
    for x, y in UNLIKE:
        kind = "slow then deep" if x.include > 1 else "deep then slow"
        both: dict[str, Any] = {"pace": x, "other": y}
        yield ask(f"holder, {kind} chains", HOLDER, True, **both, **USED)
        yield ask(f"Tc a tick early, {kind} chains", HOLDER, False, shorten={"collateral": 1}, **both, **USED)
        yield ask(f"writer, {kind} chains", WRITER, True, large=True, **both)
        yield ask(f"Ts a tick early, {kind} chains", WRITER, False, large=True, shorten={"strike": 1}, **both)
    yield ask("writer, restored at any time", WRITER, True, large=True, whims=RESTORED)
    yield ask("writer, early clocks", WRITER, True, large=True, clock_low=False)


def _ask_attested(name: str, role: str, safe: bool, large: bool = False, **how: Any) -> Question:
    return _ask(f"attested, {name}", ATTESTED, role, safe, large, **how)


def _large() -> Iterator[Question]:
    """What takes minutes."""
    yes: dict[str, Any] = {"releases": "yes", "large": True}
    yield _ask("option, holder who may, with releases", OPTION, HOLDER, True, whims=EXERCISE | LET_GO, **yes)
    yield _ask("option, writer, with releases", OPTION, WRITER, True, **yes)
    yield _ask("option, writer, restored at any time", OPTION, WRITER, True, whims=RESTORED, large=True)
    yield _ask("option, writer who may let go", OPTION, WRITER, True, whims=LET_GO, **yes)
    yield _ask("option, holder who may do anything", OPTION, HOLDER, True, whims=EXERCISE | LET_GO | STOP, **yes)
    for x, y in ((Pace(2, 1, 1, 2), Pace(1, 2, 2, 1)), (Pace(1, 2, 2, 1), Pace(2, 1, 1, 2))):
        kind = "slow then deep" if x.include > 1 else "deep then slow"
        both: dict[str, Any] = {"pace": x, "other": y, "large": True}
        yield _ask(f"option, writer, {kind} chains", OPTION, WRITER, True, **both)
        yield _ask(f"option, holder, {kind} chains", OPTION, HOLDER, True, will=EXERCISE, **both)
        yield _ask(f"option: Ts a tick early, {kind}", OPTION, WRITER, False, shorten={"strike": 1}, **both)
        early = {"will": EXERCISE, "shorten": {"expiry": 1}, **both}
        yield _ask(f"option: expiry a tick early, {kind}", OPTION, HOLDER, False, **early)
        yield _ask(
            f"option: e a tick late, {kind}",
            OPTION,
            HOLDER,
            False,
            relax=less_reach,
            will=EXERCISE,
            life=4,
            **{**both, "shorten": {"expiry": -1}},
        )
        yield _ask(f"option: a a tick late, {kind}", OPTION, WRITER, False, relax=less_reach, slack=4, **both)
    slow = Pace(2, 2, 2, 2)
    for role, will in ((WRITER, 0), (HOLDER, EXERCISE)):
        yield _ask(
            f"option, {role}, slower chains", OPTION, role, True, pace=slow, outage=2, will=will, large=True
        )
        yield _ask(f"option, {role}, early clocks", OPTION, role, True, clock_low=False, will=will, large=True)


def _doc(fault: type[DealProtocol]) -> str:
    return f"fault: {fault.__doc__}"


# --- the run ---------------------------------------------------------------------------------------------


def run(large: bool = False, only: str = "") -> Iterator[Answer]:
    """Answer every question (whose name holds `only`), one by one. large: also those that take minutes."""
    for question in questions():
        if (large or not question.large) and only in question.name:
            yield answer(question)


def answer(question: Question) -> Answer:
    """Explore one model. The collector would go through millions of live tuples again and again: it rests."""
    collecting = gc.isenabled()
    gc.disable()
    begun = time.process_time()
    try:
        result = explore(question.model)
    finally:
        if collecting:
            gc.enable()
    return Answer(question, result, time.process_time() - begun)


def report(answers: list[Answer]) -> dict[str, Any]:
    """What `sim explore --json` prints."""
    return {
        "states": sum(one.result.states for one in answers),
        "seconds": round(sum(one.seconds for one in answers), 1),
        "questions": [
            {
                "name": one.question.name,
                "states": one.result.states,
                "safe": one.result.finding is None,
                "expected": one.question.safe,
                "loss": one.result.finding.reason if one.result.finding else None,
            }
            for one in answers
        ],
        "failures": [one.question.name for one in answers if not one.right],
    }
