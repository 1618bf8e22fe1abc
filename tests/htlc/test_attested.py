"""The attested option, rule by rule, each at its edge."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chains.legs import Quorum
from htlc.errors import MalformedTerms
from htlc.protocols import words
from htlc.protocols.attested import ATTESTED
from htlc.protocols.base import Attest, Close, Facts, Flight, Fund, Now, SpendLeg, Unfund, Will
from htlc.protocols.rules import Case
from htlc.terms import parse_terms
from tests.htlc.deals import (
    ATTESTED_TERMS,
    CHAIN,
    DEPTH,
    GUARDS,
    MEMBERS,
    OPTION_TERMS,
    QUORUM,
    REACH,
    SECRETS,
    SHOW,
    funded,
    plan,
    spent,
    stance,
)

W, B = "writer", "holder"
TP, TE, TC, TS = (ATTESTED_TERMS.times[name] for name in ("premium", "expiry", "collateral", "strike"))
A, E = SECRETS["a"], SECRETS["e"]
EXERCISE = ("collateral", "exercise")
SET_UP = {"collateral": funded("collateral"), "premium": funded("premium")}
LIVE = SET_UP | {"premium": spent("premium", "activate", "a")}
PAID = LIVE | {"strike": funded("strike")}
USED = PAID | {"collateral": spent("collateral", "exercise", "a", "e")}
PREMIUM_DONE = {"premium": Flight.DONE}
BOTH_DONE = {"premium": Flight.DONE, "strike": Flight.DONE}
USE, LET_GO, STOP = Will(exercise=True), Will(let_go=True), Will(stop=True)
HELD = {"consents_held": frozenset({EXERCISE})}
LATE = TC - SHOW - CHAIN.include - CHAIN.reorg  # a strike must be in a block by then


def writer(legs, *vows, **how):
    return plan(ATTESTED_TERMS, W, legs, *vows, **({"fundings": {"collateral": Flight.DONE}} | how))


def holder(legs, *vows, **how):
    return plan(ATTESTED_TERMS, B, legs, *vows, **({"fundings": BOTH_DONE, "will": USE} | how))


def spends(actions):
    return [(a.leg, a.path, a.preimages, a.reveals) for a in actions if isinstance(a, SpendLeg)]


# --- the legs --------------------------------------------------------------------------------------------


def test_paths_are_those_of_the_design() -> None:
    legs = ATTESTED.legs(ATTESTED_TERMS)
    assert [[p.name for p in leg.paths] for leg in legs.values()] == [
        ["exercise", "refund"],
        ["activate", "refund"],
        ["exercise", "refund"],
    ]
    a, e = ATTESTED_TERMS.hash(W, "a"), ATTESTED_TERMS.hash(B, "e")
    exercise = legs["collateral"].path("exercise")
    assert exercise.hashes == (a, e)
    assert exercise.quorum.threshold == 3
    assert legs["strike"].path("exercise").hashes == (e,)
    assert [leg.path("refund").after for leg in legs.values()] == [TC, TP, TS]
    assert [path for leg in legs.values() for path in leg.paths if path.quorum] == [exercise]


def test_the_keys_in_the_collateral_commit_to_every_part_of_the_terms() -> None:
    """A member that is shown a strike of one unit signs with keys that are not in the writer's collateral."""
    collateral = ATTESTED.legs(ATTESTED_TERMS)["collateral"]
    assert not set(collateral.path("exercise").quorum.members) & set(MEMBERS)
    cheap = replace(ATTESTED_TERMS.legs["strike"], amount=1)
    forged = replace(ATTESTED_TERMS, legs={**ATTESTED_TERMS.legs, "strike": cheap})
    other = ATTESTED.legs(forged)["collateral"]
    assert (other.amount, other.salt) == (collateral.amount, collateral.salt)
    assert not set(other.path("exercise").quorum.members) & set(collateral.path("exercise").quorum.members)


@pytest.mark.parametrize(
    ("quorum", "reason"),
    [
        (None, "missing"),
        (Quorum(2, MEMBERS), "more than two thirds"),
        (Quorum(4, MEMBERS), "more than two thirds"),
        (Quorum(3, MEMBERS[::-1]), "in order"),
        (Quorum(3, (MEMBERS[0], MEMBERS[0], *MEMBERS[2:])), "twice"),
        (Quorum(3, tuple(sorted((*MEMBERS[:3], "02" + "00" * 32)))), "curve"),
        (Quorum(1, ()), "no quorum of 1 of 0"),
    ],
)
def test_quorums_that_are_refused(quorum, reason) -> None:
    ATTESTED.validate(ATTESTED_TERMS)
    with pytest.raises(MalformedTerms, match=reason):
        ATTESTED.validate(replace(ATTESTED_TERMS, quorum=quorum))


def test_other_protocols_have_no_quorum() -> None:
    from htlc.protocols.option import OPTION

    with pytest.raises(MalformedTerms, match="has none"):
        OPTION.validate(replace(OPTION_TERMS, quorum=QUORUM))


def test_terms_with_and_without_a_quorum_survive_their_json() -> None:
    for terms in (ATTESTED_TERMS, OPTION_TERMS):
        again = parse_terms(terms.to_json())
        assert again == terms
        assert again.id == terms.id
    assert "quorum" not in OPTION_TERMS.to_json()


@pytest.mark.parametrize(
    "value",
    [None, 3, [], {"threshold": 3}, {"threshold": True, "members": []}, {"threshold": 3, "members": "02"},
     {"threshold": 3, "members": [*MEMBERS], "more": 1}, {"threshold": 5, "members": [*MEMBERS]},
     {"threshold": 1, "members": ["02"]}],
)  # fmt: skip
def test_a_malformed_quorum_is_no_terms(value) -> None:
    with pytest.raises(MalformedTerms, match="quorum"):
        parse_terms({**ATTESTED_TERMS.to_json(), "quorum": value})


# --- the writer ------------------------------------------------------------------------------------------


def test_the_writer_takes_the_premium_without_a_strike() -> None:
    assert spends(writer(SET_UP)) == [("premium", "activate", (A,), True)]
    for leg in SET_UP:
        assert spends(writer(SET_UP | {leg: funded(leg, DEPTH - 1)})) == []
    assert spends(writer(SET_UP, now=TP - SHOW)) != []
    assert spends(writer(SET_UP, now=TP - SHOW + 1)) == []


def test_the_writer_takes_the_strike_with_e_however_late() -> None:
    assert ("strike", "exercise", (E,), False) in spends(writer(USED, now=TS + 9999))


def test_the_refund_of_the_collateral_leaves_time_to_take_the_strike() -> None:
    found = writer(LIVE, now=TC + 1)
    assert spends(found) == [("collateral", "refund", (), False)]
    assert found[0].deadline == TS - REACH - GUARDS.outage - CHAIN.reorg


# --- the holder ------------------------------------------------------------------------------------------


def test_the_holder_locks_the_premium_alone_first() -> None:
    found = holder({"collateral": funded("collateral")}, fundings={})
    assert found == (Fund("premium", found[0].deadline),)


@pytest.mark.parametrize(
    ("how", "locks"),
    [
        ({}, True),
        ({"now": TE}, True),
        ({"now": TE + 1}, False),
        ({"will": Will()}, False),
        ({"will": replace(USE, stop=True)}, False),
        ({"will": replace(USE, let_go=True)}, False),
        ({"limited": True}, False),
        ({"known": ("e",)}, False),
    ],
)
def test_the_strike_is_locked_when_a_live_option_is_used_in_time(how, locks) -> None:
    found = holder(LIVE, **({"fundings": PREMIUM_DONE} | how))
    assert (Fund("strike", LATE) in found) == locks


@pytest.mark.parametrize("legs", [
    SET_UP,
    LIVE | {"collateral": funded("collateral", DEPTH - 1)},
    LIVE | {"collateral": spent("collateral", "refund")},
])  # fmt: skip
def test_no_strike_for_what_does_not_live_or_is_not_final(legs) -> None:
    assert not any(isinstance(a, Fund) for a in holder(legs, fundings=PREMIUM_DONE))


def test_a_strike_that_comes_too_late_is_taken_back() -> None:
    open_ = {"premium": Flight.DONE, "strike": Flight.OPEN}
    assert Fund("strike", LATE) in holder(LIVE, fundings=open_, now=LATE)
    assert Unfund("strike") in holder(LIVE, fundings=open_, now=LATE + 1)
    assert Unfund("strike") in holder(LIVE | {"collateral": spent("collateral", "refund")}, fundings=open_)
    assert Unfund("strike") in holder(LIVE, fundings=open_, will=STOP)


def test_the_quorum_is_asked_when_the_strike_is_final() -> None:
    assert holder(PAID) == (Attest(*EXERCISE),)
    assert holder(PAID | {"strike": funded("strike", DEPTH - 1)}) == ()
    assert holder(PAID, now=TC - SHOW) == (Attest(*EXERCISE),)
    assert holder(PAID, now=TC - SHOW + 1) == ()
    assert holder(PAID, limited=True) == ()
    assert holder(PAID, will=STOP) == ()


def test_e_is_shown_with_the_attestation_in_hand_and_with_time_left() -> None:
    assert spends(holder(PAID)) == []
    assert spends(holder(PAID, **HELD)) == [("collateral", "exercise", (A, E), True)]
    assert spends(holder(PAID, now=TE + 1, **HELD)) == [("collateral", "exercise", (A, E), True)]
    assert spends(holder(PAID, now=TC - SHOW, **HELD)) == [("collateral", "exercise", (A, E), True)]
    assert spends(holder(PAID, now=TC - SHOW + 1, **HELD)) == []
    for how in ({"will": Will()}, {"will": replace(USE, stop=True)}, {"limited": True}):
        assert spends(holder(PAID, **(HELD | how))) == []
    shallow = PAID | {"collateral": funded("collateral", DEPTH - 1)}
    assert spends(holder(shallow, **HELD)) == []


def test_once_e_is_public_the_attestation_is_asked_for_again_and_the_collateral_taken() -> None:
    legs = PAID | {"strike": spent("strike", "exercise", "e")}
    assert holder(legs, now=TC + 9999, limited=True) == (Attest(*EXERCISE),)
    taken = holder(legs, now=TC + 9999, limited=True, **HELD)
    assert spends(taken) == [("collateral", "exercise", (A, E), False)]


def test_what_is_sent_to_a_taken_collateral_keeps_no_deal_open() -> None:
    """Nobody signed for it, and it goes back to the writer; before the exercise is final it may be the whole."""
    late = spent("collateral", "exercise", "a", "e", held=100_000)
    done = PAID | {"strike": spent("strike", "exercise", "e"), "collateral": late}
    for how in ({}, HELD, {"limited": True}):
        assert holder(done, now=TE, **how) == (Close("exercised"),)
    shallow = done | {"collateral": spent("collateral", "exercise", "a", "e", depth=DEPTH - 1, held=100_000)}
    assert spends(holder(shallow, now=TE, **HELD)) == [("collateral", "exercise", (A, E), False)]


def test_a_strike_that_was_not_used_comes_back() -> None:
    assert spends(holder(PAID, now=TS + 1)) == [("strike", "refund", (), False)]
    assert spends(holder(PAID, now=TS)) == []


def test_an_option_that_lives_is_not_closed_before_expiry() -> None:
    quiet = {"will": Will(), "fundings": PREMIUM_DONE}
    assert holder(LIVE, now=TE, **quiet) == ()
    assert holder(LIVE, now=TE + 1, **quiet) == (Close("expired"),)


def test_an_option_that_never_lived_is_closed_when_the_premium_is_back() -> None:
    back = {"collateral": funded("collateral"), "premium": spent("premium", "refund")}
    assert holder(back, now=TP + 500, fundings=PREMIUM_DONE, will=Will()) == (Close("abandoned"),)


# --- the end ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("legs", "outcome"),
    [
        (USED | {"strike": spent("strike", "exercise", "e")}, "exercised"),
        (LIVE | {"collateral": spent("collateral", "refund")}, "expired"),
        (LIVE | {"collateral": spent("collateral", "refund"), "strike": spent("strike", "refund")}, "expired"),
        ({"collateral": spent("collateral", "refund"), "premium": spent("premium", "refund")}, "abandoned"),
        ({"collateral": spent("collateral", "refund")}, "abandoned"),
        (USED | {"strike": spent("strike", "refund")}, "forfeited"),
        ({**LIVE, "collateral": spent("collateral", "exercise", "a", "e")}, "forfeited"),  # a quorum that lied
        (PAID, None),
        ({}, None),
    ],
)
def test_outcomes(legs, outcome) -> None:
    view = ATTESTED.derive(ATTESTED_TERMS, Facts(legs))
    assert ATTESTED.outcome(ATTESTED_TERMS, view) == outcome


def test_the_words_say_whom_the_exercise_waits_for() -> None:
    def said(legs, fundings, **how) -> str:
        view = ATTESTED.derive(ATTESTED_TERMS, Facts(legs, {}, fundings))
        now = Now(TE - 100, TE - 100, dict.fromkeys(("bitcoin", "evm"), TE - 100))
        ourselves = stance(ATTESTED_TERMS, B, **({"will": USE} | how))
        case = Case(ATTESTED_TERMS, view, ourselves, now, GUARDS)
        return "\n".join(step.text for step in words.explain(ATTESTED.name, case))

    assert "may exercise" in said(LIVE, PREMIUM_DONE, will=Will())
    assert "into leg strike" in said(LIVE, PREMIUM_DONE)
    assert "3 of 4 attesters" in said(PAID, BOTH_DONE)
    assert "attesters" not in said(PAID, BOTH_DONE, **HELD)
    assert "takes the strike" in said(USED, BOTH_DONE)
