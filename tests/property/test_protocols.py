"""Whatever stands on the chains, whoever asks: what a plan may and may not say."""

from __future__ import annotations

import hashlib
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from chains.port import LegFacts, Spend
from htlc.protocols import protocol, words
from htlc.protocols.base import (
    Absent,
    Attest,
    Close,
    Facts,
    Flight,
    Fund,
    Funded,
    GiveConsent,
    Now,
    SpendLeg,
    Spent,
    Swear,
    Unfund,
    Vow,
    Will,
)
from htlc.protocols.rules import Case
from tests.htlc.deals import AMOUNTS, ATTESTED_TERMS, GUARDS, OPTION_TERMS, SECRETS, SWAP_TERMS, hashed, stance

OUTCOMES = {
    "swap": {"swapped", "refunded", "forfeited", "unfunded"},
    "option": {"exercised", "expired", "abandoned", "forfeited", "unfunded"},
    "attested": {"exercised", "expired", "abandoned", "forfeited", "unfunded"},
}
depths = st.integers(0, 8)


@st.composite
def facts_of(draw, terms):
    spoken = protocol(terms.protocol)
    built = spoken.legs(terms)
    by_hash = {hashed(label): SECRETS[label] for label in SECRETS}
    legs = {}
    for name, leg in built.items():
        spends = []
        for path in draw(st.lists(st.sampled_from(leg.paths), max_size=2)):
            amount = draw(st.sampled_from([leg.amount, leg.amount - 1, leg.amount + 5]))
            shown = tuple(by_hash[value] for value in path.hashes)
            spends.append(Spend("aa", path.name, amount, shown, draw(depths)))
        spends.sort(key=lambda spend: -spend.depth)
        held = draw(st.sampled_from([0, 1, leg.amount - 1, leg.amount, 2 * leg.amount]))
        full = draw(st.none() | st.integers(1, 9))
        legs[name] = LegFacts(full, held, tuple(spends))
    known = {hashed(label): SECRETS[label] for label in draw(st.sets(st.sampled_from(sorted(SECRETS))))}
    flights = {name: draw(st.sampled_from(Flight)) for name in built}
    return Facts(legs, known, flights)


@st.composite
def worlds(draw):
    terms = draw(st.sampled_from([SWAP_TERMS, OPTION_TERMS, ATTESTED_TERMS]))
    spoken = protocol(terms.protocol)
    role = draw(st.sampled_from(spoken.roles))
    first, last = min(terms.times.values()) - 5000, max(terms.times.values()) + 5000
    edges = [time + gap for time in terms.times.values() for gap in (-350, -349, -1, 0, 1)]
    time = draw(st.integers(first, last) | st.sampled_from(edges))
    clocks = {chain: time + draw(st.integers(-4000, 60)) for chain in terms.networks}
    releases = [(leg, "release") for leg in ("collateral", "strike")]
    subsets = st.frozensets(st.sampled_from(releases)) if terms is OPTION_TERMS else st.just(frozenset())
    attested = st.frozensets(st.sampled_from([*spoken.attested])) if spoken.attested else st.just(frozenset())
    party = stance(
        terms,
        role,
        *draw(st.sets(st.sampled_from(Vow))),
        will=Will(draw(st.booleans()), draw(st.booleans()), draw(st.booleans())),
        consents_given=draw(subsets),
        consents_held=draw(subsets) | draw(attested),
        limited=draw(st.booleans()),
        exposed=frozenset(draw(st.sets(st.sampled_from([hashed(label) for label in SECRETS])))),
    )
    return terms, spoken, party, draw(facts_of(terms)), Now(time - 60, time, clocks)


@settings(max_examples=400, deadline=None)
@given(worlds())
def test_what_a_plan_may_say(world) -> None:
    terms, spoken, party, facts, now = world
    view = spoken.derive(terms, facts)
    actions = spoken.plan(terms, view, party, now, GUARDS)
    assert actions == spoken.plan(terms, view, party, now, GUARDS)
    for action in actions:
        match action:
            case Fund(leg):
                _check_funding(terms, spoken, party, view, now, leg)
            case Unfund(leg):
                assert spoken.funder(leg) == party.role
                assert view.fundings[leg] is Flight.OPEN
            case SpendLeg():
                _check_spend(terms, spoken, party, view, now, action)
            case GiveConsent(leg, path):
                _check_consent(party, view, leg, path)
            case Attest():
                _check_question(terms, spoken, party, view, now, action)
            case Swear(Vow.NEVER_REVEAL):
                assert not party.secrets.keys() & (view.public.keys() | party.exposed)
            case Close(outcome):
                assert actions == (action,)
                assert outcome in OUTCOMES[terms.protocol]
                _check_close(terms, spoken, party, view, now)
    for kind in (SpendLeg, Fund, Unfund):
        legs = [action.leg for action in actions if isinstance(action, kind)]
        assert len(set(legs)) == len(legs)


def _check_funding(terms, spoken, party, view, now, leg) -> None:
    assert spoken.funder(leg) == party.role
    assert isinstance(view.legs[leg], Absent)
    assert view.fundings[leg] in (Flight.NONE, Flight.OPEN)
    assert not party.limited
    assert Vow.NEVER_FUND not in party.vows
    assert not party.will.stop
    assert not party.will.let_go
    first = {"swap": "x", "option": "collateral", "attested": "collateral"}[terms.protocol]
    if leg != first:
        state = view.legs[first]
        assert isinstance(state, Funded)
        assert state.depth >= GUARDS.chains[terms.legs[first].chain].depth
    public = {value for party in terms.parties.values() for value in party.hashes.values() if value in view.public}
    if (terms.protocol, leg) == ("attested", "strike"):  # locked for an option that lives and is wanted
        assert public == {terms.hash("writer", "a")}
        assert party.will.exercise or view.fundings[leg] is Flight.OPEN
    else:
        assert not public


def _check_question(terms, spoken, party, view, now, action) -> None:
    """A quorum is asked by the holder alone, for what it does not hold and could use."""
    assert (action.leg, action.path) in spoken.attested
    assert (action.leg, action.path) not in party.consents_held
    assert party.role == "holder"
    assert view.legs[action.leg].held > 0
    if terms.hash("holder", "e") not in view.public:
        strike = view.legs["strike"]
        assert isinstance(strike, Funded)
        assert strike.depth >= GUARDS.chains[terms.legs["strike"].chain].depth
        assert party.will.exercise
        assert not party.limited
        assert now.latest + GUARDS.reach(terms.legs["collateral"].chain) <= terms.times["collateral"]


def _check_spend(terms, spoken, party, view, now, action) -> None:
    path = spoken.legs(terms)[action.leg].path(action.path)
    chain = terms.legs[action.leg].chain
    assert spoken.recipient_key(action.leg, action.path)[0] == party.role
    assert tuple(hashlib.sha256(preimage).digest() for preimage in action.preimages) == path.hashes
    assert view.legs[action.leg].held > 0
    if path.after is not None:
        assert now.clocks[chain] > path.after
    if path.needs_others:
        assert (action.leg, action.path) in party.consents_held
    unknown = [value for value in path.hashes if value not in view.public]
    assert action.reveals == bool(unknown)
    if action.reveals:
        state = view.legs[action.leg]
        assert isinstance(state, Funded)
        assert state.depth >= GUARDS.chains[chain].depth
        assert now.latest + GUARDS.reach(chain) <= terms.times[action.leg]
        assert not party.limited
        assert Vow.NEVER_REVEAL not in party.vows
        assert not party.will.stop
        assert not party.will.let_go
        assert all(value in party.secrets for value in unknown)


def _check_consent(party, view, leg, path) -> None:
    assert party.will.let_go
    assert not party.limited
    assert (leg, path) not in party.consents_given
    if leg == "collateral":
        assert Vow.NEVER_REVEAL in party.vows
        spent = getattr(view.legs["premium"], "last", None)
        never = view.legs["premium"] == Absent() and Vow.NEVER_FUND in party.vows
        assert never or (spent is not None and spent >= 3 and view.legs["premium"].held == 0)
    else:
        back = getattr(view.legs["collateral"], "path", "") in ("refund", "release")
        assert Vow.NEVER_REVEAL in party.vows or (back and view.legs["collateral"].last >= 3)


def _check_close(terms, spoken, party, view, now) -> None:
    for leg, built in spoken.legs(terms).items():
        state = view.legs[leg]
        if spoken.funder(leg) == party.role:
            assert state.held == 0
            assert view.fundings[leg] is not Flight.OPEN
            assert getattr(state, "last", None) is None or state.last >= 3
        else:
            for path in built.paths:
                ours = spoken.recipient_key(leg, path.name)[0] == party.role and path.hashes
                taken = path.quorum is not None and getattr(state, "path", "") == path.name and state.depth >= 3
                if ours and not taken and all(value in view.public for value in path.hashes):
                    assert state.held == 0


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_what_a_plan_must_say(world) -> None:
    terms, spoken, party, facts, now = world
    view = spoken.derive(terms, facts)
    spends = {(a.leg, a.path) for a in spoken.plan(terms, view, party, now, GUARDS) if isinstance(a, SpendLeg)}
    for leg, built in spoken.legs(terms).items():
        if not view.legs[leg].held:
            continue
        for path in built.paths:
            if spoken.recipient_key(leg, path.name)[0] != party.role:
                continue
            state = view.legs[leg]
            late = isinstance(state, Spent) and (state.path, path.quorum is None) == (path.name, False)
            if late and state.depth >= GUARDS.chains[terms.legs[leg].chain].depth:
                continue  # no quorum signed for what came after it
            signed = path.quorum is None or (leg, path.name) in party.consents_held
            if signed and path.hashes and all(value in view.public for value in path.hashes):
                assert (leg, path.name) in spends  # whoever we are, however late
            if path.after is not None and now.clocks[terms.legs[leg].chain] > path.after:
                assert {(leg, path.name), (leg, "release")} & spends


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_there_are_words_for_everything(world) -> None:
    terms, spoken, party, facts, now = world
    view = spoken.derive(terms, facts)
    steps = words.explain(spoken.name, Case(terms, view, party, now, GUARDS))
    assert steps
    assert all(step.who in spoken.roles and step.text for step in steps)
    assert spoken.outcome(terms, view) in OUTCOMES[terms.protocol] | {None}


@settings(max_examples=200, deadline=None)
@given(worlds(), st.integers(0, 8))
def test_a_preimage_once_seen_is_never_unlearned(world, depth) -> None:
    terms, spoken, _, facts, _ = world
    before = spoken.derive(terms, facts).public
    gone = Facts({}, before, facts.fundings)
    assert spoken.derive(terms, gone).public == before


def test_the_ladder_keeps_its_order() -> None:
    for terms in (SWAP_TERMS, OPTION_TERMS, ATTESTED_TERMS):
        times = [terms.times[name] for name in protocol(terms.protocol).times]
        assert all(later > earlier for earlier, later in pairwise(times))
        assert all(AMOUNTS[leg] == part.amount for leg, part in terms.legs.items())
