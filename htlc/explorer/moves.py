"""What can happen in one tick: first the world's moves, in any order and number, then the honest party's
plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from chains.port import LegFacts, Spend
from htlc.explorer.model import (
    ABSENT,
    AMOUNT,
    BAD,
    CANCELLING,
    EXERCISE,
    FUNDED,
    LET_GO,
    MINED,
    NO_FUNDING,
    PENDING,
    RESTORED,
    SHALLOW,
    SPENT,
    STOP,
    UNDONE,
    Flying,
    LegAt,
    Model,
    PathAt,
    State,
    will_of,
)
from htlc.protocols.base import (
    Action,
    Attest,
    Close,
    Facts,
    Flight,
    Fund,
    GiveConsent,
    Now,
    SpendLeg,
    Stance,
    Swear,
    Unfund,
    Vow,
)

T = TypeVar("T")
(LEGS, PENDINGS, FLYINGS, PUBLIC, LOST, VOWED, GIVEN, HELD, WILL, REORGS, OUT, CLOSED, EARLY, ASKED) = range(
    len(State._fields)
)
VOWS = (Vow.NEVER_REVEAL, Vow.NEVER_FUND)
Move = tuple[str, State]  # what happens, in words, and the state after it


class Moves:
    """The successors of a state, with the honest party's plans remembered."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._plans: dict[tuple[object, ...], tuple[Action, ...]] = {}
        self._ours = {value: model.preimages[value] for value in model.terms.parties[model.role].hashes.values()}
        self._signable = [
            (1 << number, model.names.index(leg), f"they sign {path} of {leg}")
            for number, (leg, path) in enumerate(model.releases)
            if model.protocol.recipient_key(leg, path)[0] == model.role and not model.attested & 1 << number
        ]
        self._attestable = [
            (1 << number, model.protocol.recipient_key(leg, path)[0] == model.role)
            for number, (leg, path) in enumerate(model.releases)
            if model.attested & 1 << number
        ]

    def after(self, tick: int, states: Iterable[State]) -> dict[State, State]:
        """Every state that any of `states` can be in after `tick`, each with one of those it came from."""
        found: dict[State, State] = {}
        for middle, origin in self.worlds(tick, states).items():
            for _, end in self.honest(tick, middle):
                found.setdefault(end, origin)
        return found

    def worlds(self, tick: int, states: Iterable[State]) -> dict[State, State]:
        """Every state the world can make of `states` in this tick, each with one of those it came from. All at
        once, since they meet again on the way: each is looked at only once."""
        seen: dict[State, State] = {}
        for state in states:
            seen.setdefault(self._older(state), state)
        stack = list(seen)
        while stack:
            now = stack.pop()
            origin = seen[now]
            for _, then in self._micro(tick, now):
                if then not in seen:
                    seen[then] = origin
                    stack.append(then)
        return {one: origin for one, origin in seen.items() if not self._overdue(one)}

    # --- the world ---------------------------------------------------------------------------------------

    def world(self, tick: int, state: State) -> Iterator[State]:
        """Every state the world can make of `state` in this tick."""
        return (one for one in self.ways(tick, state) if not self._overdue(one))

    def ways(self, tick: int, state: State) -> dict[State, tuple[State, str] | None]:
        """Every state on the world's way through this tick, with what came last before it."""
        begin = self._older(state)
        seen: dict[State, tuple[State, str] | None] = {begin: None}
        stack = [begin]
        while stack:
            now = stack.pop()
            for label, then in self._micro(tick, now):
                if then not in seen:
                    seen[then] = (now, label)
                    stack.append(then)
        return seen

    def _older(self, state: State) -> State:
        legs = tuple(self._leg_older(i, leg) for i, leg in enumerate(state.legs))
        pending = tuple(one and (one[0], one[1] - 1) for one in state.pending)
        flying = tuple(self._flying_older(i, one) for i, one in enumerate(state.flying))
        reorgs = tuple(2 if one else 0 for one in state.reorgs)
        asked = max(state.asked - 1, 1) if state.asked else 0
        return State._make((legs, pending, flying, *state[PUBLIC:REORGS], reorgs, *state[OUT:ASKED], asked))

    def _leg_older(self, i: int, leg: LegAt) -> LegAt:
        beyond = self._model.pace_of[i].reorg + 1
        if leg.status == ABSENT or (leg.funded == beyond and leg.spent == beyond):
            return leg
        spent = min(leg.spent + 1, beyond) if leg.status == SPENT else 0
        return LegAt(leg.status, min(leg.funded + 1, beyond), leg.path, spent)

    def _flying_older(self, i: int, one: Flying) -> Flying:
        if one.code == CANCELLING:
            return Flying(CANCELLING, one.ticks - 1)
        if one.code == UNDONE:
            return Flying(UNDONE, min(one.ticks + 1, self._model.pace_of[i].reorg + 1))
        if one.code == PENDING and self._model.timely:
            return Flying(PENDING, one.ticks - 1)
        return one

    def _overdue(self, state: State) -> bool:
        """The world owed the honest party a block that it did not give."""
        late = any(
            one is not None and one[1] <= 0 and leg.status == FUNDED
            for one, leg in zip(state.pending, state.legs, strict=True)
        )
        due = (PENDING, CANCELLING) if self._model.timely else (CANCELLING,)
        silent = self._model.timely and state.asked == 1
        return late or silent or any(one.code in due and one.ticks <= 0 for one in state.flying)

    def _micro(self, tick: int, state: State) -> Iterator[Move]:
        """One thing that may happen."""
        for i in range(len(state.legs)):
            yield from self._fundings(i, state)
            if state.legs[i].status == FUNDED:
                yield from self._spends(tick, i, state)
            if state.reorgs[self._model.chain_of[i]] < 2:
                yield from self._reorgs(i, state)
        yield from self._words(state)
        yield from self._attestations(state)

    def _attestations(self, state: State) -> Iterator[Move]:
        """The quorum signs: for us once we asked, for the other party at any time."""
        for bit, ours in self._attestable:
            field = HELD if ours else GIVEN
            if (state.held if ours else state.given) & bit or (ours and not state.asked):
                continue
            if self._attestable_now(state):
                then = _put(state, field, (state.held if ours else state.given) | bit)
                yield "the quorum attests", _put(then, ASKED, 0)

    def _attestable_now(self, state: State) -> bool:
        """The strike is there, and deeper than any reorganisation reaches."""
        model = self._model
        if model.quorum == BAD:
            return True
        i = model.names.index("strike")
        leg, horizon = state.legs[i], model.pace_of[i].reorg
        return leg.status == FUNDED and leg.funded >= (horizon if model.quorum == SHALLOW else horizon + 1)

    def _fundings(self, i: int, state: State) -> Iterator[Move]:
        name, flying = self._model.names[i], state.flying[i]
        if not self._model.ours[i]:
            if state.legs[i].status == ABSENT:
                yield f"they fund {name}", _with_leg(state, i, LegAt(FUNDED))
        elif flying.code in (PENDING, CANCELLING):
            mined = _with_leg(state, i, LegAt(FUNDED))
            yield f"our funding of {name} is mined", _with_flying(mined, i, Flying(MINED))
            if flying.code == CANCELLING:
                yield f"our cancellation of {name} is mined", _with_flying(state, i, Flying(UNDONE))

    def _spends(self, tick: int, i: int, state: State) -> Iterator[Move]:
        name, leg, own = self._model.names[i], state.legs[i], state.pending[i]
        for index, path in enumerate(self._model.paths[i]):
            if path.ours:
                if own is not None and own[0] == index:
                    then = _with_leg(state, i, LegAt(SPENT, leg.funded, index))
                    yield f"our {path.name} of {name} is mined", _with_pending(then, i, None)
            elif self._they_may(tick, i, path, state):
                then = _with_leg(state, i, LegAt(SPENT, leg.funded, index))
                then = _with_pending(then, i, None)._replace(public=state.public | path.secrets)
                yield f"they {path.name} {name}", then

    def _they_may(self, tick: int, i: int, path: PathAt, state: State) -> bool:
        if path.secrets & ~(state.public | self._model.their_secrets):
            return False
        if path.after is not None and tick + self._model.pace_of[i].lead <= path.after:
            return False
        return not path.signed or _bit(self._model, i, path, state.given)

    def _reorgs(self, i: int, state: State) -> Iterator[Move]:
        name, leg, horizon = self._model.names[i], state.legs[i], self._model.pace_of[i].reorg
        state = _put(state, REORGS, _set(state.reorgs, self._model.chain_of[i], 1))
        if not self._model.ours[i] and leg.status != ABSENT and leg.funded <= horizon:
            yield f"a reorganisation undoes {name}", _with_pending(_with_leg(state, i, LegAt()), i, None)
        if leg.status == SPENT and leg.spent <= horizon:
            path = self._model.paths[i][leg.path]
            then = _with_leg(state, i, LegAt(FUNDED, leg.funded))
            then = _with_pending(then, i, (leg.path, 0) if path.ours else None)
            yield f"a reorganisation undoes {path.name} of {name}", then
        if state.flying[i].code == UNDONE and state.flying[i].ticks <= horizon:
            then = _with_flying(_with_leg(state, i, LegAt(FUNDED)), i, Flying(MINED))
            yield f"a reorganisation puts our funding of {name} in place of its cancellation", then

    def _words(self, state: State) -> Iterator[Move]:
        """What happens outside the chains: a mempool, a message, a user."""
        for i in range(len(self._model.hashes)):
            bit = 1 << i
            if self._model.their_secrets & bit and not state.public & bit:
                yield "they show a secret in the mempool", _put(state, PUBLIC, state.public | bit)
        for bit, i, text in self._signable:
            if state.legs[i].status == FUNDED and not state.held & bit:
                yield text, _put(state, HELD, state.held | bit)
        for bit in (EXERCISE, LET_GO, STOP):
            if self._model.whims & bit and not state.will & bit and not state.closed:
                yield f"the user wants {will_of(bit)}", _put(state, WILL, state.will | bit)
        lost = state.lost or state.closed  # whose machine is lost, its node sends on what it has
        if self._model.whims & RESTORED and not state.will & RESTORED and not lost:
            yield "we are restored", _put(state, WILL, state.will | RESTORED)

    # --- the honest party --------------------------------------------------------------------------------

    def honest(self, tick: int, state: State) -> Iterator[tuple[str, State]]:
        """What the party makes of the tick: it acts, or is out."""
        state, unseen = self._looked(state), state
        planned = self.plan(tick, state) if not state.closed else ()
        sweeping = self._sweeping(state)
        if not planned and not sweeping:
            yield "", _put(state, OUT, 0) if state.out else state
            return
        if unseen.out < self._model.outage - bool(unseen.lost):
            yield "we are out", _put(unseen, OUT, unseen.out + 1)
        words = ["we sweep our wallet"] if sweeping else []
        after = _put(state, OUT, 0)
        for i in sweeping:
            after = _with_flying(after, i, Flying(CANCELLING, self._model.pace_of[i].include))
        yield self._carry_out(tick, after, planned, words)
        if not state.lost and any(isinstance(one, SpendLeg) and one.reveals for one in planned):
            yield self._carry_out(tick, after, planned, words, lost=True)

    def _looked(self, state: State) -> State:
        """What the party knows to be public once it looks: a spend shows what it may not have known to be out."""
        if not state.lost:
            return state
        shown = 0
        for i, leg in enumerate(state.legs):
            if leg.status == SPENT:
                shown |= self._model.paths[i][leg.path].secrets
        return _put(state, LOST, state.lost & ~shown)

    def _carry_out(
        self, tick: int, state: State, planned: tuple[Action, ...], words: Sequence[str], lost: bool = False
    ) -> tuple[str, State]:
        """What the party did, and the state after it. lost: what shows a secret for the first time gets lost."""
        said = list(words)
        while planned:
            vowed = False
            for action in planned:
                if lost and isinstance(action, SpendLeg) and action.reveals:
                    state = self._lose(state, action)
                    said.append(f"{_say(action)}, which gets lost")
                else:
                    state = self._act(state, action)
                    said.append(_say(action))
                vowed = vowed or isinstance(action, Swear)
            planned = self.plan(tick, state) if vowed else ()
        return "; ".join(said), state

    def _sweeping(self, state: State) -> list[int]:
        """The legs whose forgotten fundings a restored party stops, without knowing of them."""
        if not (state.will & RESTORED and self._model.sweeps) or state.closed:
            return []
        return [i for i, one in enumerate(state.flying) if one.code == PENDING]

    def plan(self, tick: int, state: State) -> tuple[Action, ...]:
        """The honest party's plan; remembered, since many worlds look the same to it."""
        flights = tuple(self._flight(i, state) for i in range(len(state.legs)))
        key = (
            tick,
            state.legs,
            flights,
            state.public,
            state.lost,
            state.vows,
            state.given,
            state.held,
            state.will,
        )
        found = self._plans.get(key)
        if found is None:
            model = self._model
            view = model.protocol.derive(model.terms, self._facts(state, flights))
            stance = self._stance(state)
            found = model.protocol.plan(model.terms, view, stance, self._now(tick), model.guards)
            self._plans[key] = found
        return found

    def _flight(self, i: int, state: State) -> Flight:
        flying, final = state.flying[i], self._model.pace_of[i].reorg
        if state.will & RESTORED:
            return Flight.NONE  # nobody remembers what was sent
        match flying.code:
            case code if code == NO_FUNDING:
                return Flight.NONE
            case code if code == MINED and state.legs[i].funded >= final:
                return Flight.DONE
            case code if code == UNDONE and flying.ticks >= final:
                return Flight.CANCELLED
            case _:
                return Flight.OPEN

    def _facts(self, state: State, flights: tuple[Flight, ...]) -> Facts:
        model = self._model
        return Facts(
            legs={name: self._leg_facts(i, state.legs[i]) for i, name in enumerate(model.names)},
            preimages={
                value: model.preimages[value]
                for i, value in enumerate(model.hashes)
                if state.public & ~state.lost & (1 << i)
            },
            fundings={name: flights[i] for i, name in enumerate(model.names) if model.ours[i]},
        )

    def _leg_facts(self, i: int, leg: LegAt) -> LegFacts:
        if leg.status == ABSENT:
            return LegFacts()
        if leg.status == FUNDED:
            return LegFacts(full=leg.funded + 1, held=AMOUNT)
        path = self._model.paths[i][leg.path]
        shown = tuple(
            self._model.preimages[value] for j, value in enumerate(self._model.hashes) if path.secrets & (1 << j)
        )
        return LegFacts(leg.funded + 1, 0, (Spend("", path.name, AMOUNT, shown, leg.spent + 1),))

    def _stance(self, state: State) -> Stance:
        releases = self._model.releases
        if state.will & RESTORED:
            # The quorum gives again what it gave once, and limited as we are we only take what is public.
            again = frozenset(
                one for i, one in enumerate(releases) if state.held & self._model.attested & (1 << i)
            )
            return Stance(self._model.role, self._ours, limited=True, consents_held=again)
        return Stance(
            role=self._model.role,
            secrets=self._ours,
            will=will_of(state.will),
            vows=frozenset(vow for i, vow in enumerate(VOWS) if state.vows & (1 << i)),
            consents_given=frozenset(one for i, one in enumerate(releases) if state.given & (1 << i)),
            consents_held=frozenset(one for i, one in enumerate(releases) if state.held & (1 << i)),
            exposed=frozenset(one for i, one in enumerate(self._model.hashes) if state.lost & (1 << i)),
        )

    def _now(self, tick: int) -> Now:
        paces = self._model.paces
        low = self._model.clock_low
        return Now(tick, tick, {c: tick - p.lag + 1 if low else tick + p.lead for c, p in paces.items()})

    def _act(self, state: State, action: Action) -> State:
        match action:
            case Fund(leg):
                i = self._model.names.index(leg)
                started = state.flying[i].code != NO_FUNDING
                ticks = self._model.pace_of[i].include if self._model.timely else 0
                return state if started else _with_flying(state, i, Flying(PENDING, ticks))
            case Unfund(leg):
                i = self._model.names.index(leg)
                pending = state.flying[i].code == PENDING
                ticks = self._model.pace_of[i].include
                return _with_flying(state, i, Flying(CANCELLING, ticks)) if pending else state
            case SpendLeg():
                return self._publish(state, action)
            case GiveConsent(leg, path):
                bit = 1 << self._model.releases.index((leg, path))
                early = state.early or self._early(state)
                return _put(_put(state, GIVEN, state.given | bit), EARLY, early)
            case Attest(leg):
                ticks = self._model.pace_of[self._model.names.index("strike")].include
                return state if state.asked else _put(state, ASKED, ticks + 1 if self._model.timely else 1)
            case Swear(vow):
                return _put(state, VOWED, state.vows | 1 << VOWS.index(vow))
            case Close():
                return _put(state, CLOSED, True)

    def _publish(self, state: State, action: SpendLeg) -> State:
        i, index = self._path(action)
        state = _shown(state, self._model.paths[i][index].secrets)
        waiting = state.pending[i]
        if waiting is not None and waiting[0] == index:
            return state
        return _with_pending(state, i, (index, self._model.pace_of[i].include))

    def _lose(self, state: State, action: SpendLeg) -> State:
        i, index = self._path(action)
        secrets = self._model.paths[i][index].secrets
        return _put(_put(state, LOST, secrets & ~state.public), PUBLIC, state.public | secrets)

    def _path(self, action: SpendLeg) -> tuple[int, int]:
        i = self._model.names.index(action.leg)
        return i, next(j for j, path in enumerate(self._model.paths[i]) if path.name == action.path)

    def _early(self, state: State) -> bool:
        """Signing now leaves the other party a leg of ours to take for nothing."""
        if "premium" not in self._model.names:
            return False
        i = self._model.names.index("premium")
        leg = state.legs[i]
        return not (leg.status == SPENT and self._model.paths[i][leg.path].name == "activate")


def _bit(model: Model, i: int, path: PathAt, mask: int) -> bool:
    return bool(mask & (1 << model.releases.index((model.names[i], path.name))))


def _say(action: Action) -> str:
    match action:
        case Fund(leg):
            return f"we fund {leg}"
        case Unfund(leg):
            return f"we cancel the funding of {leg}"
        case SpendLeg(leg, path):
            return f"we {path} {leg}"
        case GiveConsent(leg, path):
            return f"we sign {path} of {leg}"
        case Attest(leg):
            return f"we ask the quorum for {leg}"
        case Swear(vow):
            return f"we swear {vow}"
        case Close(outcome):
            return f"we close: {outcome}"


def _set(values: tuple[T, ...], i: int, value: T) -> tuple[T, ...]:
    return (*values[:i], value, *values[i + 1 :])


def _put(state: State, field: int, value: object) -> State:
    """A state with one field changed. Ten times as fast as `_replace`, and the search does little else."""
    return State._make((*state[:field], value, *state[field + 1 :]))


def _shown(state: State, secrets: int) -> State:
    """Everybody knows these secrets, and the honest party knows that they do."""
    return _put(_put(state, PUBLIC, state.public | secrets), LOST, state.lost & ~secrets)


def _with_leg(state: State, i: int, leg: LegAt) -> State:
    return _put(state, LEGS, _set(state.legs, i, leg))


def _with_pending(state: State, i: int, one: tuple[int, int] | None) -> State:
    return state if state.pending[i] == one else _put(state, PENDINGS, _set(state.pending, i, one))


def _with_flying(state: State, i: int, one: Flying) -> State:
    return _put(state, FLYINGS, _set(state.flying, i, one))
